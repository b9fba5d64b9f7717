//! Buyers come from the marketplace and become tenants, by the built binary.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken set-up fails the test")]

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use stallkeeper_tests::{Answer, App, Database, Installation, MeteredStall, Visitor, Worker, eventually};

const PATIENCE: Duration = Duration::from_secs(40);
const TOKEN: &str = "the-token-of-the-app-0001";
const LISTING: &str = "https://aws.amazon.com/marketplace/pp/prodview-search";
const HAND_OFF: &str = "https://app.example.com/signup?from=aws";

fn installation(stall: &MeteredStall, database: &Database) -> Installation {
    let scopes = "registrations:read,registrations:write,entitlements:read,subscriptions:read";
    let installation = stall
        .installation(database)
        .variable("STALLKEEPER_API_TOKEN_0_TOKEN", TOKEN)
        .variable("STALLKEEPER_API_TOKEN_0_SCOPES", scopes)
        .variable("STALLKEEPER_PRODUCT_0_NAME", "Example Search")
        .variable("STALLKEEPER_PRODUCT_0_LISTING_0_LISTING_URL", LISTING)
        .variable("STALLKEEPER_REGISTRATION_SELLER_NAME", "Example Ltd");
    installation.variable("STALLKEEPER_REGISTRATION_SUPPORT", "help@example.com")
}

fn app() -> App {
    App::new(Some(TOKEN))
}

async fn pending(worker: &Worker) -> Vec<Value> {
    let answer = app().get(worker, "/v1/registrations?state=pending").await.ok();
    answer["registrations"].as_array().unwrap().clone()
}

async fn all(worker: &Worker) -> Vec<Value> {
    app().get(worker, "/v1/registrations").await.ok()["registrations"].as_array().unwrap().clone()
}

async fn name_tenant(worker: &Worker, registration: &str, tenant: &str) -> Answer {
    let body = json!({ "tenant": tenant }).to_string();
    app().send(worker, Method::PUT, &format!("/v1/registrations/{registration}/tenant"), Some(body)).await
}

async fn access(worker: &Worker, tenant: &str) -> String {
    let path = format!("/v1/entitlements?tenant={tenant}&product=search");
    let answer = app().get(worker, &path).await;
    answer.body["access"].as_str().unwrap_or_default().to_owned()
}

async fn wait_for_stage(visitor: &Visitor, stage: &str) {
    eventually(&format!("the page shows {stage}"), PATIENCE, async || visitor.stage().await == stage).await;
}

#[tokio::test]
async fn a_buyer_who_comes_before_the_notification_sees_his_subscription_appear() {
    let stall = MeteredStall::open(1).await;
    let database = Database::postgres().await;
    let installation = installation(&stall, &database);
    let worker = installation.start_ready().await;
    let mut visitor = Visitor::new(&worker);
    let shown = visitor.register("aws", &stall.market.token("mia", "search").await).await;
    assert_eq!(shown.status, 303, "{}", shown.html);
    let asked = visitor.look().await;
    assert_eq!(asked.title(), "Set up Example Search");
    assert!(asked.html.contains("AWS Marketplace account"), "it names the account: {}", asked.html);
    assert_eq!(visitor.submit("Example Buyer", "Mia", "mia@gmail.com").await.status, 303);
    assert_eq!(visitor.stage().await, "awaiting-subscription");
    let waiting = pending(&worker).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!((&waiting[0]["product"], &waiting[0]["email"]), (&json!("search"), &json!("mia@gmail.com")));
    let named = name_tenant(&worker, waiting[0]["id"].as_str().unwrap(), "AAA").await.ok();
    assert_eq!((&named["word"], &named["access"]), (&json!("registered"), &json!("none")));
    assert_eq!(access(&worker, "AAA").await, "none");
    stall.market.act("subscribe", "mia", "search").await;
    wait_for_stage(&visitor, "active").await;
    eventually("the app may use it", PATIENCE, async || access(&worker, "AAA").await == "full").await;
    assert_eq!(pending(&worker).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_buyer_who_comes_after_the_notification_waits_only_for_his_tenant() {
    let stall = MeteredStall::open(2).await;
    let database = Database::sqlite();
    let installation = installation(&stall, &database);
    let worker = installation.start_ready().await;
    let id = stall.market.act("subscribe", "mia", "search").await;
    let path = format!("/v1/subscriptions/aws/{id}");
    eventually("the notification is in", PATIENCE, async || app().get(&worker, &path).await.status == 200)
        .await;
    let mut visitor = Visitor::new(&worker);
    visitor.register("aws", &stall.market.token("mia", "search").await).await;
    assert_eq!(visitor.stage().await, "asked");
    visitor.submit("Example Buyer", "Mia", "mia@example.com").await;
    assert_eq!(visitor.stage().await, "awaiting-tenant");
    let registration = pending(&worker).await[0]["id"].as_str().unwrap().to_owned();
    name_tenant(&worker, &registration, "AAA").await.ok();
    wait_for_stage(&visitor, "active").await;
    let history = app().get(&worker, &format!("{path}/history")).await.ok();
    let bound = history["history"].as_array().unwrap().iter().find(|line| line["what"] == "bound").unwrap();
    assert_eq!(bound["actor"], "operator:token app", "the history says who named the tenant");
}

#[tokio::test]
async fn a_license_is_registered_by_its_own_id() {
    let stall = MeteredStall::open(3).await;
    let database = Database::sqlite();
    let worker = installation(&stall, &database).start_ready().await;
    let id = stall.market.act("subscribe", "mia", "vault").await;
    let mut visitor = Visitor::new(&worker);
    let shown = visitor.register("aws", &stall.market.token("mia", "vault").await).await;
    assert_eq!(shown.status, 303, "{}", shown.html);
    visitor.submit("Example Buyer", "Mia", "mia@example.com").await;
    let registration = pending(&worker).await.remove(0);
    assert_eq!(registration["subscription"], format!("aws/{id}"));
    assert!(registration["license_arn"].as_str().unwrap().starts_with("arn:aws:license-manager::"));
    name_tenant(&worker, registration["id"].as_str().unwrap(), "AAA").await.ok();
    wait_for_stage(&visitor, "active").await;
}

#[tokio::test]
async fn ten_times_at_once_is_one_registration_and_one_tenant() {
    let stall = MeteredStall::open(4).await;
    let database = Database::postgres().await;
    let installation = installation(&stall, &database);
    let worker = installation.start_ready().await;
    stall.market.act("subscribe", "mia", "search").await;
    let token = stall.market.token("mia", "search").await;
    let visit = async || {
        let mut visitor = Visitor::new(&worker);
        assert_eq!(visitor.register("aws", &token).await.status, 303);
        assert_eq!(visitor.submit("Example Buyer", "Mia", "mia@example.com").await.status, 303);
        visitor
    };
    let visitors = join_all((0..10).map(|_| visit())).await;
    let registrations = all(&worker).await;
    assert_eq!(registrations.len(), 1, "{registrations:?}");
    let id = registrations[0]["id"].as_str().unwrap();
    let tenants = ["AAA", "BBB"].into_iter().cycle().take(10);
    let named = join_all(tenants.map(|tenant| name_tenant(&worker, id, tenant))).await;
    let statuses: Vec<u16> = named.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 5, "{statuses:?}");
    let refused = named.iter().find(|answer| answer.status == 409).unwrap();
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("subscriptions rebind"), "it says how to go on: {detail}");
    for visitor in &visitors {
        wait_for_stage(visitor, "active").await;
    }
}

#[tokio::test]
async fn a_token_that_is_missing_over_forged_or_foreign_leads_to_a_page_that_says_what_to_do() {
    let stall = MeteredStall::open(5).await;
    let database = Database::sqlite();
    let installation =
        installation(&stall, &database).variable("STALLKEEPER_PRODUCT_1_LISTING_0_CODE", "another");
    let worker = installation.start_ready().await;
    let mut visitor = Visitor::new(&worker);
    let missing = visitor.send(Method::POST, "/register/aws", Some("other=1".to_owned())).await;
    let alone = visitor.send(Method::GET, "/register/aws", None).await;
    for (shown, status) in [(&missing, 400), (&alone, 200)] {
        assert_eq!(shown.status, status);
        assert_eq!(shown.title(), "Set up your account from the marketplace");
        assert!(shown.html.contains(LISTING), "it leads to the listing: {}", shown.html);
    }
    let forged = visitor.register("aws", "Zm9yZ2VkIHRva2Vu").await;
    assert_eq!((forged.status, forged.title().as_str()), (400, "This link is not known"));
    stall.market.act("subscribe", "mia", "vault").await;
    let foreign = visitor.register("aws", &stall.market.token("mia", "vault").await).await;
    assert_eq!((foreign.status, foreign.title().as_str()), (400, "This subscription is for something else"));
    let token = stall.market.token("mia", "search").await;
    stall.market.advance(Duration::from_hours(5)).await;
    let over = visitor.register("aws", &token).await;
    assert_eq!((over.status, over.title().as_str()), (400, "This link is over"));
    assert!(over.html.contains("help@example.com"), "it names whom to ask");
    assert_eq!(all(&worker).await, Vec::<Value>::new(), "nothing is stored of any of them");
    let count = worker.metric("stallkeeper_registrations_total{outcome=\"expired\"").await;
    assert!((count - 1.0).abs() < f64::EPSILON, "but they are counted");
    let unknown = visitor.send(Method::GET, "/register/nowhere", None).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_page_is_shown_to_the_browser_that_opened_it_and_to_no_other() {
    let stall = MeteredStall::open(6).await;
    let database = Database::sqlite();
    let worker = installation(&stall, &database).start_ready().await;
    let mut mia = Visitor::new(&worker);
    mia.register("aws", &stall.market.token("mia", "search").await).await;
    let mut tom = Visitor::new(&worker);
    tom.register("aws", &stall.market.token("tom", "search").await).await;
    for other in [mia.planted(), mia.with_cookie_of(&tom)] {
        let shown = other.look().await;
        assert_eq!((shown.status, shown.title().as_str()), (403, "This page is another browser&#39;s"));
        assert_eq!(other.submit("Other", "Other", "other@example.com").await.status, 403);
    }
    assert_eq!(pending(&worker).await, Vec::<Value>::new());
    assert_eq!(mia.stage().await, "asked");
}

#[tokio::test]
async fn a_form_with_mistakes_comes_back_with_what_was_written() {
    let stall = MeteredStall::open(7).await;
    let database = Database::sqlite();
    let worker = installation(&stall, &database).start_ready().await;
    let mut visitor = Visitor::new(&worker);
    visitor.register("aws", &stall.market.token("mia", "search").await).await;
    let shown = visitor.submit("<b>Buyer</b>", "", "mia@nowhere").await;
    assert_eq!(shown.status, 422);
    assert!(shown.html.contains("This is needed."), "{}", shown.html);
    assert!(shown.html.contains("This is not an e-mail address."), "{}", shown.html);
    assert!(!shown.html.contains("<b>Buyer"), "what was written is escaped: {}", shown.html);
    assert!(shown.html.contains("mia@nowhere"), "and kept");
}

#[tokio::test]
async fn pages_speak_chinese_to_who_likes_that_best() {
    let stall = MeteredStall::open(8).await;
    let database = Database::sqlite();
    let worker = installation(&stall, &database).start_ready().await;
    let visitor = Visitor::new(&worker);
    let shown = visitor.send(Method::GET, "/register/aws?lang=zh", None).await;
    assert_eq!(shown.title(), "请从云市场开通您的账号");
    assert_eq!(shown.header("content-language"), "zh");
}

#[tokio::test]
async fn a_handed_off_buyers_code_is_changed_once_and_his_registration_bound_later() {
    let stall = MeteredStall::open(9).await;
    let database = Database::sqlite();
    let installation =
        installation(&stall, &database).variable("STALLKEEPER_REGISTRATION_HAND_OFF_URL", HAND_OFF);
    let worker = installation.start_ready().await;
    stall.market.act("subscribe", "mia", "search").await;
    let mut visitor = Visitor::new(&worker);
    visitor.register("aws", &stall.market.token("mia", "search").await).await;
    let asked = visitor.look().await;
    assert!(asked.html.contains("app.example.com"), "he is told where he goes on: {}", asked.html);
    let policy = asked.header("content-security-policy");
    assert!(policy.contains("form-action 'self' https:;"), "{policy}");
    let handed = visitor.hand_off().await;
    let location = handed.header("location");
    let code = location.strip_prefix("https://app.example.com/signup?from=aws&code=").unwrap().to_owned();
    assert_eq!(handed.header("referrer-policy"), "no-referrer");
    let exchange = async |code: &str| {
        let body = json!({ "code": code }).to_string();
        app().send(&worker, Method::POST, "/v1/registrations/exchange", Some(body)).await
    };
    assert_eq!(exchange("0000").await.status, 404);
    let claim = exchange(&code).await.ok();
    assert_eq!(claim["product"], "search");
    assert_eq!(exchange(&code).await.status, 404, "a code is changed once");
    stall.market.advance(Duration::from_hours(29 * 24)).await;
    let id = claim["id"].as_str().unwrap();
    assert_eq!(name_tenant(&worker, id, "AAA").await.ok()["tenant"], "AAA");
    assert_eq!(name_tenant(&worker, id, "AAA").await.status, 200, "the same again is no mistake");
    stall.market.advance(Duration::from_hours(2 * 24)).await;
    assert_eq!(name_tenant(&worker, id, "AAA").await.status, 404, "after 30 days it is forgotten");
}

#[tokio::test]
async fn a_failed_payment_is_told_with_a_way_back_to_the_listing() {
    let stall = MeteredStall::open(10).await;
    let database = Database::sqlite();
    let worker = installation(&stall, &database).start_ready().await;
    let mut visitor = Visitor::new(&worker);
    visitor.register("aws", &stall.market.token("mia", "search").await).await;
    visitor.submit("Example Buyer", "Mia", "mia@example.com").await;
    stall.market.act("fail-payment", "mia", "search").await;
    wait_for_stage(&visitor, "payment-failed").await;
    assert!(visitor.look().await.html.contains(LISTING));
}

#[tokio::test]
async fn a_marketplace_that_does_not_answer_is_told_as_not_now_and_the_token_stays_good() {
    let stall = MeteredStall::open(11).await;
    let database = Database::sqlite();
    let worker = installation(&stall, &database).start_ready().await;
    let mut visitor = Visitor::new(&worker);
    let token = stall.market.token("mia", "search").await;
    stall.market.set_registration_faults(json!({ "throttle": 1.0 })).await;
    let shown = visitor.register("aws", &token).await;
    assert_eq!((shown.status, shown.title().as_str()), (503, "Not now"));
    assert_eq!(shown.header("retry-after"), "10");
    stall.market.set_registration_faults(json!({})).await;
    assert_eq!(visitor.register("aws", &token).await.status, 303);
}

#[tokio::test]
async fn a_token_is_found_neither_in_logs_nor_in_the_database_nor_in_metrics() {
    let stall = MeteredStall::open(12).await;
    let database = Database::sqlite();
    let installation = installation(&stall, &database).variable("STALLKEEPER_LOG_FILTER", "trace");
    let worker = installation.start_ready().await;
    let mut visitor = Visitor::new(&worker);
    let good = stall.market.token("mia", "search").await;
    assert_eq!(visitor.register("aws", &good).await.status, 303);
    visitor.submit("Example Buyer", "Mia", "mia@example.com").await;
    let forged = "forged-token-forged-token-forged-token";
    assert_eq!(visitor.register("aws", forged).await.status, 400);
    stall.market.set_registration_faults(json!({ "error": 1.0 })).await;
    let unlucky = stall.market.token("tom", "search").await;
    assert_eq!(visitor.register("aws", &unlucky).await.status, 503);
    let (_, metrics) = worker.get("/metrics").await.unwrap();
    let logs = worker.logs();
    assert!(logs.contains("TRACE"), "the log tells all that it can");
    worker.stop().await;
    let stored = database.bytes();
    assert!(!stored.is_empty());
    for token in [good.as_str(), forged, &unlucky] {
        // Encoded for a form or not, and cut anywhere: a piece in its middle is what is looked for.
        let piece = token.get(8..28).unwrap();
        assert!(!logs.contains(piece), "a token stands in the log: {}", around(&logs, piece));
        assert!(!metrics.contains(piece), "a token stands in the metrics");
        assert!(!stored.windows(piece.len()).any(|bytes| bytes == piece.as_bytes()), "a token is stored");
    }
}

fn around<'a>(text: &'a str, piece: &str) -> &'a str {
    text.lines().find(|line| line.contains(piece)).unwrap_or_default()
}

#[tokio::test]
async fn the_portals_addresses_are_printed_and_registrations_listed() {
    let stall = MeteredStall::open(13).await;
    let database = Database::sqlite();
    let installation = installation(&stall, &database);
    let urls = installation.run(&["config", "urls"]);
    assert_eq!(urls.status, Some(1));
    assert!(urls.stderr.contains("public_url is not set"), "{}", urls.stderr);
    let installation = installation.variable("STALLKEEPER_PUBLIC_URL", "https://stall.example.com");
    let urls = installation.run(&["config", "urls", "--json"]).json();
    assert_eq!(urls[0]["fulfillment_url"], "https://stall.example.com/register/aws");
    let worker = installation.start_ready().await;
    let mut visitor = Visitor::new(&worker);
    visitor.register("aws", &stall.market.token("mia", "search").await).await;
    visitor.submit("Example Buyer", "Mia", "mia@example.com").await;
    let listed = installation.run(&["registrations", "list", "--pending", "--json"]).json();
    let id = listed["registrations"][0]["id"].as_str().unwrap();
    let shown = installation.run(&["registrations", "show", id]);
    assert!(shown.expect_success().stdout.contains("mia@example.com"), "{}", shown.stdout);
}
