//! Who may use what, asked of running workers.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken set-up fails the test")]

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use stallkeeper_tests::{App, Database, Installation, MeteredStall, PrivatePostgres, Worker, eventually};

const PATIENCE: Duration = Duration::from_secs(40);
const VAULT_URL: &str = "https://marketplace.example/vault";

/// The seller's two products, `search` and `vault`, and his app, which may ask and give.
fn installation(stall: &MeteredStall, database: &Database) -> Installation {
    let scopes = "entitlements:read,grants:write,subscriptions:read";
    let installation = stall
        .installation(database)
        .variable("STALLKEEPER_API_TOKEN_0_SCOPES", scopes)
        .variable("STALLKEEPER_PRODUCT_1_LISTING_0_LISTING_URL", VAULT_URL)
        .variable("STALLKEEPER_ENTITLEMENTS_MAX_AGE_SECS", "3");
    installation.run(&["config", "check"]).expect_success();
    installation
}

fn app() -> App {
    App::new(Some(MeteredStall::TOKEN))
}

async fn entitlement(worker: &Worker, tenant: &str, user: &str, product: &str) -> Value {
    let user = if user.is_empty() { String::new() } else { format!("&user={user}") };
    let path = format!("/v1/entitlements?tenant={tenant}&product={product}{user}");
    app().get(worker, &path).await.ok()
}

/// Access and reason, such as `full active`; nothing while the worker cannot tell.
async fn words(worker: &Worker, tenant: &str, user: &str, product: &str) -> String {
    let user = if user.is_empty() { String::new() } else { format!("&user={user}") };
    let path = format!("/v1/entitlements?tenant={tenant}&product={product}{user}");
    let answer = app().get(worker, &path).await;
    if answer.status != 200 {
        return format!("status {}", answer.status);
    }
    format!("{} {}", answer.body["access"].as_str().unwrap(), answer.body["reason"].as_str().unwrap())
}

async fn wait_for(worker: &Worker, tenant: &str, product: &str, expected: &str) -> Duration {
    let began = Instant::now();
    eventually(&format!("{tenant} has {expected} of {product}"), PATIENCE, async || {
        words(worker, tenant, "", product).await == expected
    })
    .await;
    began.elapsed()
}

async fn the_missions_two_tenants(database: Database) {
    let stall = MeteredStall::open(5).await;
    let installation = installation(&stall, &database);
    let worker = installation.start_ready().await;
    stall.admit(&installation, &database, "AAA", "search").await;
    stall.admit(&installation, &database, "BBB", "search").await;
    stall.admit(&installation, &database, "BBB", "vault").await;
    wait_for(&worker, "BBB", "vault", "full active").await;
    for user in ["111", "222", "333"] {
        assert_eq!(words(&worker, "AAA", user, "search").await, "full active");
        assert_eq!(words(&worker, "AAA", user, "vault").await, "none not_subscribed");
    }
    for (user, product) in [("111", "search"), ("111", "vault"), ("222", "search"), ("222", "vault")] {
        assert_eq!(words(&worker, "BBB", user, product).await, "full active");
    }
    assert_eq!(words(&worker, "CCC", "111", "search").await, "none not_managed");
    assert_eq!(entitlement(&worker, "AAA", "111", "vault").await["subscribe_url"], VAULT_URL);
    assert_eq!(words(&worker, "AAA", "", "nothing").await, "status 404");

    let whole = app().get(&worker, "/v1/tenants/BBB/entitlements").await.ok();
    let access: Vec<_> = whole["entitlements"].as_array().unwrap().iter().map(|one| &one["access"]).collect();
    assert_eq!(access, ["full", "full"]);
    let asks = json!({ "queries": [
        { "tenant": "AAA", "user": "333", "product": "vault" }, { "tenant": "BBB", "product": "vault" },
    ] });
    let answer =
        app().send(&worker, Method::POST, "/v1/entitlements/query", Some(asks.to_string())).await.ok();
    let reasons: Vec<_> =
        answer["entitlements"].as_array().unwrap().iter().map(|one| &one["reason"]).collect();
    assert_eq!(reasons, ["not_subscribed", "active"]);
}

/// By the app and by a person; the act of another process, too, is followed.
async fn a_grant_gives_access_and_its_end_takes_it(database: Database) {
    let stall = MeteredStall::open(6).await;
    let installation = installation(&stall, &database);
    let worker = installation.start_ready().await;
    wait_for(&worker, "AAA", "vault", "none not_managed").await;
    let pilot = json!({ "tenant": "AAA", "product": "vault", "why": "a pilot" }).to_string();
    let put = app().send(&worker, Method::PUT, "/v1/grants/pilot", Some(pilot)).await;
    assert_eq!((put.status, &put.body["by"]), (201, &json!("operator:token app")));
    wait_for(&worker, "AAA", "vault", "full granted").await;
    assert_eq!(entitlement(&worker, "AAA", "", "vault").await["grants"], json!(["pilot"]));
    installation.run(&["grants", "revoke", "pilot", "--by", "mia"]).expect_success();
    wait_for(&worker, "AAA", "vault", "none ended").await;
    let listed = installation.run(&["grants", "list", "--json"]).json();
    assert_eq!(listed["grants"][0]["revoked_by"], "operator:mia");
    installation
        .run(&[
            "grants",
            "put",
            "second",
            "--tenant",
            "AAA",
            "--user",
            "111",
            "--product",
            "vault",
            "--why",
            "test",
        ])
        .expect_success();
    eventually("the user has access", PATIENCE, async || {
        words(&worker, "AAA", "111", "vault").await == "full granted"
    })
    .await;
    assert_eq!(words(&worker, "AAA", "222", "vault").await, "none ended");
}

/// Every change is handed out once it is decided, as it is now, behind an opaque cursor.
async fn the_feed_tells_what_changed(database: Database) {
    let stall = MeteredStall::open(7).await;
    let installation = installation(&stall, &database);
    let worker = installation.start_ready().await;
    let ada = stall.admit(&installation, &database, "ada", "search").await;
    let mut after = String::new();
    let mut seen = Value::Null;
    eventually("the feed tells of ada", PATIENCE, async || {
        let body = app().get(&worker, &format!("/v1/changes{after}")).await.ok();
        after = format!("?after={}", body["next"].as_str().unwrap());
        let changes = body["changes"].as_array().unwrap();
        if let Some(last) = changes.last() {
            seen = last.clone();
        }
        seen["subscription"]["word"] == "active"
    })
    .await;
    assert_eq!((&seen["id"], &seen["subscription"]["tenant"]), (&json!(ada.key), &json!("ada")));
    let nothing = app().get(&worker, &format!("/v1/changes{after}")).await.ok();
    assert_eq!(nothing["changes"], json!([]));
    let history = app().get(&worker, &format!("/v1/subscriptions/{}/history?limit=1", ada.key)).await.ok();
    assert_eq!(history["history"][0]["what"], "subscribe-success");
    assert!(history["next"].is_string());
    let listed = app().get(&worker, "/v1/subscriptions?product=search").await.ok();
    assert_eq!(listed["subscriptions"][0]["key"], json!(ada.key));
}

macro_rules! on_both {
    ($($scenario:ident)*) => {
        mod on_postgres {
            $(#[tokio::test] async fn $scenario() { super::$scenario(super::Database::postgres().await).await; })*
        }
        mod on_sqlite {
            $(#[tokio::test] async fn $scenario() { super::$scenario(super::Database::sqlite()).await; })*
        }
    };
}

on_both! {
    the_missions_two_tenants
    a_grant_gives_access_and_its_end_takes_it
    the_feed_tells_what_changed
}

#[tokio::test]
async fn an_answer_follows_what_another_worker_committed_within_a_second() {
    const WITHIN: Duration = Duration::from_secs(5);
    let database = Database::postgres().await;
    let stall = MeteredStall::open(8).await;
    let installation = installation(&stall, &database);
    let _polling = installation.start_ready().await;
    let mut asked = installation.start_with(&["--role", "web"]);
    asked.wait_until_ready().await;
    let ada = stall.admit(&installation, &database, "ada", "search").await;
    let bound = wait_for(&asked, "ada", "search", "full active").await;
    let row = format!("subscriptions WHERE key = '{}' AND word = 'ending'", ada.key);
    stall.market.act("unsubscribe", "ada", "search").await;
    eventually("the notification is committed", PATIENCE, async || database.count(&row).await == 1).await;
    let followed = wait_for(&asked, "ada", "search", "limited ending").await;
    println!("followed a binding in {bound:?} and a notification in {followed:?}, looks of some ms included");
    assert!(bound < WITHIN && followed < WITHIN, "{bound:?} {followed:?}");
}

#[tokio::test]
async fn without_its_database_a_worker_answers_with_its_age_and_then_not_at_all() {
    let mut postgres = PrivatePostgres::start();
    let stall = MeteredStall::open(9).await;
    let database = Database::Foreign(postgres.url());
    let installation = installation(&stall, &database);
    let worker = installation.start_ready().await;
    stall.admit(&installation, &database, "ada", "search").await;
    wait_for(&worker, "ada", "search", "full active").await;
    postgres.stop();
    let first = entitlement(&worker, "ada", "", "search").await;
    assert_eq!((&first["access"], first["as_of"].is_string()), (&json!("full"), true));
    eventually("it is too old to be told", PATIENCE, async || {
        words(&worker, "ada", "", "search").await == "status 503"
    })
    .await;
    let refused = app().get(&worker, "/v1/entitlements?tenant=ada&product=search").await;
    assert_eq!(refused.body["type"], "urn:stallkeeper:problem:unavailable");
    assert!(refused.retry_after.is_some());
    postgres.start_again();
    wait_for(&worker, "ada", "search", "full active").await;
}

#[tokio::test]
async fn a_worker_that_starts_without_its_database_says_so() {
    let mut postgres = PrivatePostgres::start();
    let stall = MeteredStall::open(10).await;
    let database = Database::Foreign(postgres.url());
    let installation = installation(&stall, &database);
    postgres.stop();
    let worker = installation.start();
    eventually("it answers that it cannot tell", PATIENCE, async || {
        let answer =
            reqwest::get(format!("{}/v1/entitlements?tenant=a&product=search", worker.internal_url())).await;
        answer.is_ok_and(|answer| answer.status() == 503)
    })
    .await;
    postgres.start_again();
    wait_for(&worker, "ada", "search", "none not_managed").await;
}
