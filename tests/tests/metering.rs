//! The way of usage from the app to the marketplace's bill, on either database.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken set-up fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use stallkeeper_tests::{Buyer, Database, Installation, Ledger, MeteredStall, Worker, eventually};

const PATIENCE: Duration = Duration::from_secs(40);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// Longer than any lease, and than what the worker waits for an answer.
const A_WHILE: Duration = Duration::from_mins(3);
const FROZEN: &str = "usage_records WHERE state = 'frozen'";
const UNSETTLED: &str = "usage_records WHERE state IN ('open', 'frozen')";

/// The same scenarios on both databases.
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
    usage_is_billed_once_its_hour_is_over_and_every_listing_tells_so
    final_usage_goes_out_by_the_apps_word_inside_the_window
    final_usage_goes_out_before_the_window_ends_where_the_app_says_nothing
    a_dry_run_sends_nothing_and_says_so
    a_product_that_is_held_is_not_sent_until_it_is_released
    usage_of_a_suspended_account_is_billed_once_that_is_restored
    lost_answers_never_bill_twice
}

/// A worker, one buyer of a customer's subscription and one of a license.
struct Scene {
    stall: MeteredStall,
    database: Database,
    installation: Installation,
    worker: Worker,
    ada: Buyer,
    cleo: Buyer,
}

impl Scene {
    async fn open(database: Database) -> Self {
        let stall = MeteredStall::open(11).await;
        let installation = stall.installation(&database);
        let worker = installation.start_ready().await;
        let ada = stall.admit(&installation, &database, "ada", "search").await;
        let cleo = stall.admit(&installation, &database, "cleo", "vault").await;
        Self { stall, database, installation, worker, ada, cleo }
    }

    /// The same hits of both buyers, now.
    async fn report(&self, id: &str, hits: &str) {
        let now = self.stall.market.now().await;
        let events = [self.ada.event(id, "hits", hits, &now), self.cleo.event(id, "hits", hits, &now)];
        self.stall.app().report_all(&self.worker, &events).await;
    }

    async fn hits(&self, buyer: &Buyer) -> i64 {
        let totals = self.stall.market.billed_totals().await;
        totals.get(&(buyer.id.clone(), "hits".to_owned())).copied().unwrap_or_default()
    }

    async fn wait_until_billed(&self, buyer: &Buyer, hits: i64) {
        let what = format!("{hits} hits of {} are billed", buyer.name);
        eventually(&what, PATIENCE, async || self.hits(buyer).await == hits).await;
    }

    async fn wait_until_settled(&self) {
        eventually("nothing waits", PATIENCE, async || self.database.count(UNSETTLED).await == 0).await;
    }

    async fn get(&self, path: &str) -> Value {
        self.stall.app().get(&self.worker, path).await.ok()
    }

    /// Panics unless the bill is what the ledger says, all of which is settled.
    async fn assert_all_is_billed(&self) {
        let ledger = Ledger::read(&self.installation);
        let billed = ledger.assert_equals_bill(&self.stall.market).await;
        assert_eq!(billed, ledger.records.len(), "{:#?}", ledger.records);
    }
}

async fn usage_is_billed_once_its_hour_is_over_and_every_listing_tells_so(database: Database) {
    let scene = Scene::open(database).await;
    let Scene { stall, installation, ada, cleo, .. } = &scene;
    scene.report("one", "40").await;
    scene.report("two", "2").await;
    let now = stall.market.now().await;
    for buyer in [ada, cleo] {
        let parts = ["1.25", "0.80"].map(|part| buyer.event(part, "gigabytes", part, &now));
        stall.app().report_all(&scene.worker, &parts).await;
    }
    let usage = scene.get(&ada.usage_path()).await;
    assert_eq!(of_hour(&usage, "hits")["state"], "open");
    assert_eq!(of_hour(&usage, "hits")["counted"], "42");
    assert_eq!(stall.market.metering_calls().await.calls, 0, "the hour is not over");

    stall.market.advance(HOUR).await;
    scene.wait_until_settled().await;
    let expected = [(ada, "hits", 42), (ada, "gigabytes", 2), (cleo, "hits", 42), (cleo, "gigabytes", 2)];
    let expected: BTreeMap<_, _> = expected
        .iter()
        .map(|(buyer, dimension, units)| ((buyer.id.clone(), (*dimension).to_owned()), *units))
        .collect();
    assert_eq!(stall.market.billed_totals().await, expected);
    scene.assert_all_is_billed().await;

    for buyer in [ada, cleo] {
        let usage = scene.get(&buyer.usage_path()).await;
        assert_eq!(usage["tenant"], buyer.name);
        let (hits, gigabytes) = (of_hour(&usage, "hits"), of_hour(&usage, "gigabytes"));
        assert_eq!((&hits["state"], &hits["quantity"]), (&json!("settled"), &json!("42")), "{usage}");
        assert_eq!(
            (&gigabytes["quantity"], &gigabytes["carried_out"]),
            (&json!("2"), &json!("0.05")),
            "{usage}"
        );
        assert!(hits["record_id"].is_string(), "{usage}");
        assert_eq!((&usage["lost"]["losses"], &usage["held"]["held"]), (&json!([]), &json!([])), "{usage}");
        let totals = installation.run(&["usage", "totals", &buyer.key, "--json"]).json();
        let total =
            totals["totals"].as_array().unwrap().iter().find(|total| total["dimension"] == "gigabytes");
        let total = total.unwrap();
        assert_eq!(
            (&total["recorded"], &total["billed"], &total["pending"], &total["lost"]),
            (&json!("2.05"), &json!("2"), &json!("0.05"), &json!("0"))
        );
    }
    assert_eq!(installation.run(&["usage", "lost", "--json"]).json()["losses"], json!([]));
    assert_eq!(scene.get("/v1/windows").await["windows"], json!([]));
    assert_exported(&scene, ada).await;
}

/// The evidence of a month: two events of each dimension, their records with the ids on the bill, one attempt.
async fn assert_exported(scene: &Scene, buyer: &Buyer) {
    let printed = scene.installation.run(&["usage", "export", &buyer.key, "--month", "2027-03"]);
    printed.expect_success();
    let lines: Vec<Value> = printed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["line"] == kind).cloned().collect::<Vec<_>>();
    assert_eq!((of("event").len(), of("attempt").len(), of("loss").len()), (4, 1, 0), "{lines:#?}");
    let exported: BTreeSet<String> =
        of("record").iter().map(|record| record["record_id"].as_str().unwrap().to_owned()).collect();
    let bill = scene.stall.market.bill().await;
    let billed = bill.iter().filter(|entry| entry.subscription == buyer.id);
    assert_eq!(exported, billed.map(|entry| entry.record_id.clone()).collect());
    assert_eq!(lines.last().unwrap()["line"], "end");
}

async fn final_usage_goes_out_by_the_apps_word_inside_the_window(database: Database) {
    let scene = Scene::open(database).await;
    let Scene { stall, worker, .. } = &scene;
    scene.report("before", "5").await;
    leave(&scene).await;
    stall.market.advance(2 * MINUTE).await;
    scene.report("last", "3").await;
    let windows = scene.get("/v1/windows").await;
    for window in windows["windows"].as_array().unwrap() {
        assert_eq!(window["state"], "open", "{windows}");
        assert!(window["minutes_left"].as_u64().is_some_and(|left| (57..=58).contains(&left)), "{windows}");
    }
    assert_eq!(stall.market.metering_calls().await.calls, 0, "nothing goes before its time");

    let now = stall.market.now().await;
    for product in ["search", "vault"] {
        let watermark = json!({ "product": product, "source": "api", "complete_through": now });
        assert_eq!(stall.app().put_watermark(worker, &watermark).await.status, 204);
    }
    // Without a move of the clock.
    for buyer in [&scene.ada, &scene.cleo] {
        scene.wait_until_billed(buyer, 8).await;
    }
    assert_ended_with_nothing_lost(&scene).await;
}

async fn final_usage_goes_out_before_the_window_ends_where_the_app_says_nothing(database: Database) {
    let scene = Scene::open(database).await;
    scene.report("before", "5").await;
    leave(&scene).await;
    scene.stall.market.advance(48 * MINUTE).await;
    scene.report("last", "3").await;
    assert_eq!(scene.stall.market.metering_calls().await.calls, 0, "the app may still report");
    scene.stall.market.advance(A_WHILE).await;
    for buyer in [&scene.ada, &scene.cleo] {
        scene.wait_until_billed(buyer, 8).await;
    }
    assert_ended_with_nothing_lost(&scene).await;

    let late = scene.ada.event("too late", "hits", "1", "2027-03-04T10:50:00Z");
    let answer = scene.stall.app().report(&scene.worker, &[late]).await;
    assert_eq!((answer.statuses(), answer.reasons()), (vec!["lost"], vec!["window_closed"]), "{answer:?}");
    let lost = scene.installation.run(&["usage", "lost", &scene.ada.key, "--json"]).json();
    assert_eq!(
        (&lost["losses"][0]["quantity"], &lost["losses"][0]["reason"]),
        (&json!("1"), &json!("window_closed"))
    );
}

/// Both buyers leave, and the worker knows of it.
async fn leave(scene: &Scene) {
    for buyer in [&scene.ada, &scene.cleo] {
        scene.stall.market.act("unsubscribe", &buyer.name, &buyer.product).await;
    }
    eventually("both windows are open", PATIENCE, async || {
        scene.get("/v1/windows").await["windows"].as_array().unwrap().len() == 2
    })
    .await;
}

async fn assert_ended_with_nothing_lost(scene: &Scene) {
    scene.wait_until_settled().await;
    scene.stall.market.advance(HOUR).await;
    eventually("both subscriptions have ended", PATIENCE, async || {
        let list = scene.installation.run(&["subscriptions", "list", "--json"]).json();
        list["subscriptions"].as_array().unwrap().iter().all(|line| line["word"] == "ended")
    })
    .await;
    assert_eq!(scene.get("/v1/windows").await["windows"], json!([]));
    scene.assert_all_is_billed().await;
    let calls = scene.stall.market.metering_calls().await;
    assert_eq!((calls.after_end, calls.duplicate, calls.not_subscribed), (0, 0, 0), "{calls:?}");
}

async fn a_dry_run_sends_nothing_and_says_so(database: Database) {
    let mut scene = Scene::open(database).await;
    assert!(scene.worker.stop().await.success());
    scene.worker = scene.installation.start_with(&["--dry-run"]);
    let mut worker = scene.worker;
    worker.wait_until_ready().await;
    let now = scene.stall.market.now().await;
    scene.stall.app().report_all(&worker, &[scene.ada.event("dry", "hits", "6", &now)]).await;
    scene.stall.market.advance(HOUR).await;
    eventually("the hour is frozen", PATIENCE, async || scene.database.count(FROZEN).await == 4).await;
    assert_eq!(worker.metric("stallkeeper_metering_dry_run").await.to_string(), "1");
    assert!(worker.logs().contains("dry run: usage is counted, and none of it is sent"), "{}", worker.logs());
    // Stopping finishes what runs.
    assert!(worker.stop().await.success());
    assert_eq!(scene.stall.market.metering_calls().await.calls, 0);
    assert_eq!(scene.database.count("usage_attempts").await, 0);

    let worker = scene.installation.start_ready().await;
    let totals = (scene.ada.id.clone(), "hits".to_owned());
    eventually("what was held back is billed", PATIENCE, async || {
        scene.stall.market.billed_totals().await.get(&totals) == Some(&6)
    })
    .await;
    assert_eq!(worker.metric("stallkeeper_metering_dry_run").await.to_string(), "0");
}

async fn a_product_that_is_held_is_not_sent_until_it_is_released(database: Database) {
    let scene = Scene::open(database).await;
    let Scene { stall, installation, ada, cleo, .. } = &scene;
    installation.run(&["metering", "hold", "search", "--by", "ops"]).expect_success();
    scene.report("one", "9").await;
    stall.market.advance(HOUR).await;
    scene.wait_until_billed(cleo, 9).await;
    eventually("the other product waits", PATIENCE, async || scene.database.count(FROZEN).await == 2).await;
    // Another product's next hour goes out past the one that waits.
    scene.report("two", "1").await;
    stall.market.advance(HOUR).await;
    scene.wait_until_billed(cleo, 10).await;
    assert_eq!(scene.hits(ada).await, 0);
    let status = installation.run(&["metering", "status", "--json"]).json();
    let held =
        status["products"].as_array().unwrap().iter().find(|line| line["product"] == "search").unwrap();
    assert!(held["held_by"].as_str().is_some_and(|by| by.contains("ops")), "{status}");

    installation.run(&["metering", "release", "search"]).expect_success();
    scene.wait_until_billed(ada, 10).await;
    scene.wait_until_settled().await;
    scene.assert_all_is_billed().await;
}

async fn usage_of_a_suspended_account_is_billed_once_that_is_restored(database: Database) {
    let scene = Scene::open(database).await;
    let Scene { stall, ada, cleo, .. } = &scene;
    stall.market.act("suspend-account", "ada", "search").await;
    scene.report("one", "9").await;
    stall.market.advance(HOUR).await;
    scene.wait_until_billed(cleo, 9).await;
    eventually("the marketplace says that ada is not subscribed", PATIENCE, async || {
        stall.market.metering_calls().await.not_subscribed > 0
    })
    .await;
    assert_eq!(scene.hits(ada).await, 0);

    stall.market.act("restore-account", "ada", "search").await;
    // It is tried again slowly.
    stall.market.advance(10 * MINUTE).await;
    scene.wait_until_billed(ada, 9).await;
    scene.wait_until_settled().await;
    scene.assert_all_is_billed().await;
}

async fn lost_answers_never_bill_twice(database: Database) {
    let scene = Scene::open(database).await;
    scene.stall.market.set_metering_faults(json!({ "drop_answer": 1.0 })).await;
    for hour in 1..=4 {
        scene.report(&format!("hour {hour}"), "10").await;
        scene.stall.market.advance(HOUR).await;
        // Billed, and the worker does not know.
        for buyer in [&scene.ada, &scene.cleo] {
            scene.wait_until_billed(buyer, hour * 10).await;
        }
    }
    assert_eq!(Ledger::read(&scene.installation).settled().count(), 0);
    scene.stall.market.set_metering_faults(json!({})).await;
    scene.stall.market.advance(A_WHILE).await;
    scene.wait_until_settled().await;
    scene.assert_all_is_billed().await;
    assert_eq!((scene.hits(&scene.ada).await, scene.hits(&scene.cleo).await), (40, 40));
}

/// The one line of a dimension; there is one hour.
fn of_hour<'json>(usage: &'json Value, dimension: &str) -> &'json Value {
    let lines: Vec<&Value> =
        usage["hours"].as_array().unwrap().iter().filter(|line| line["dimension"] == dimension).collect();
    assert_eq!(lines.len(), 1, "{usage}");
    lines[0]
}
