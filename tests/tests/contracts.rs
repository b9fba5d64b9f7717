//! Contracts: what the marketplace says that buyers are entitled to, from the marketplace to the app.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken set-up fails the test")]

use std::time::Duration;

use serde_json::{Value, json};
use stallkeeper_tests::{App, Database, Installation, Market, Worker, eventually};

const PATIENCE: Duration = Duration::from_secs(40);
const TOKEN: &str = "the-token-of-the-app-0001";
/// No question is asked again before that.
const FIRST_WAIT: Duration = Duration::from_secs(61);

/// A seller of the contract `plan`, whose buyer `ada` is the tenant `ada`.
struct Stall {
    market: Market,
    installation: Installation,
    worker: Worker,
    key: String,
}

impl Stall {
    async fn open(database: &Database, seed: u64) -> Self {
        let market = Market::start_with(seed, &["--contract"]);
        let installation = Installation::new(&market.config(), &database.url())
            .variable("STALLKEEPER_API_TOKEN_0_NAME", "app")
            .variable("STALLKEEPER_API_TOKEN_0_TOKEN", TOKEN)
            .variable("STALLKEEPER_API_TOKEN_0_SCOPES", "entitlements:read");
        installation.run(&["migrate"]).expect_success();
        let worker = installation.start_ready().await;
        let key = format!("aws/{}", market.act("subscribe", "ada", "plan").await);
        let row = format!("subscriptions WHERE key = '{key}'");
        eventually("the purchase is known", PATIENCE, async || database.count(&row).await == 1).await;
        installation.run(&["subscriptions", "rebind", &key, "--tenant", "ada"]).expect_success();
        let stall = Self { market, installation, worker, key };
        stall.wait_for(json!(["full", [["seats", "10"]]])).await;
        stall
    }

    async fn change(&self, quantities: Value) {
        self.market.change_entitlements("ada", "plan", quantities).await;
    }

    /// Access, and each dimension with its quantity; null while the worker cannot tell.
    async fn told(&self) -> Value {
        let path = "/v1/entitlements?tenant=ada&product=plan";
        let answer = App::new(Some(TOKEN)).get(&self.worker, path).await;
        if answer.status != 200 {
            return Value::Null;
        }
        let dimensions = answer.body["dimensions"].as_array().unwrap().iter();
        let dimensions: Vec<Value> = dimensions.map(|one| json!([one["name"], one["quantity"]])).collect();
        json!([answer.body["access"], dimensions])
    }

    async fn wait_for(&self, expected: Value) {
        eventually(&format!("the app is told {expected}"), PATIENCE, async || self.told().await == expected)
            .await;
    }

    /// Waits until so many answers are in the subscription's history.
    async fn wait_for_answers(&self, database: &Database, count: usize) {
        let rows = format!("history WHERE subscription = '{}' AND what = 'entitlements'", self.key);
        eventually(&format!("{count} answers are known"), PATIENCE, async || {
            database.count(&rows).await >= count
        })
        .await;
    }
}

async fn quantities_follow_the_marketplace(database: Database) {
    let stall = Stall::open(&database, 21).await;
    stall.change(json!({ "seats": 25, "storage": 500 })).await;
    stall.wait_for(json!(["full", [["seats", "25"], ["storage", "500"]]])).await;
    stall.change(json!({ "seats": 5 })).await;
    stall.wait_for(json!(["full", [["seats", "5"]]])).await;
}

async fn an_api_that_fails_takes_nothing_away(database: Database) {
    let stall = Stall::open(&database, 22).await;
    stall.market.set_entitlement_faults(json!({ "error": 0.7, "throttle": 0.3 })).await;
    stall.change(json!({})).await;
    let tried = format!(
        "jobs WHERE subscription = '{}' AND kind = 'query-entitlements' AND state = 'due' AND attempts >= 2 \
         AND last_error IS NOT NULL",
        stall.key
    );
    eventually("it was asked for in vain", PATIENCE, async || database.count(&tried).await == 1).await;
    assert_eq!(stall.told().await, json!(["full", [["seats", "10"]]]));
    stall.change(json!({ "seats": 7 })).await;
    stall.market.set_entitlement_faults(json!({})).await;
    stall.wait_for(json!(["full", [["seats", "7"]]])).await;
}

async fn an_empty_answer_ends_access_once_it_is_confirmed(database: Database) {
    let stall = Stall::open(&database, 23).await;
    let answers = format!("history WHERE subscription = '{}' AND what = 'entitlements'", stall.key);
    let before = database.count(&answers).await;
    stall.change(json!({})).await;
    stall.wait_for_answers(&database, before + 1).await;
    assert_eq!(stall.told().await, json!(["full", [["seats", "10"]]]));
    stall.market.advance(FIRST_WAIT).await;
    eventually("access has ended", PATIENCE, async || stall.told().await == json!(["none", []])).await;
    let shown = stall.installation.run(&["subscriptions", "show", &stall.key, "--json"]).json();
    assert_eq!(shown["word"], "ended", "{shown}");
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
    quantities_follow_the_marketplace
    an_api_that_fails_takes_nothing_away
    an_empty_answer_ends_access_once_it_is_confirmed
}
