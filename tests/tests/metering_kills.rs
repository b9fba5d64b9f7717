//! A worker that is killed after the marketplace has billed usage and before it hears of it.
#![expect(clippy::unwrap_used, reason = "a broken set-up fails the test")]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use stallkeeper_tests::{App, Buyer, Database, Installation, Ledger, MeteredStall, Tap, Worker, eventually};

const PATIENCE: Duration = Duration::from_secs(40);
const UNSETTLED: &str = "usage_records WHERE state IN ('open', 'frozen')";
const HOUR: Duration = Duration::from_hours(1);
/// One hour's usage goes out in one call for each product, so that one of them may be answered before the kill.
const ANSWERS_BEFORE_MAX: usize = 1;
/// Every so many kills a worker hears all answers first: what is unheard of for a day has to be given up.
const HEARD_EVERY: usize = 5;

#[tokio::test]
async fn the_bill_equals_the_ledger_after_50_kills_between_call_and_stored_answer_on_sqlite() {
    survive(50, Database::sqlite(), Resent::Succeeds).await;
}

#[tokio::test]
async fn the_bill_equals_the_ledger_after_5_kills_between_call_and_stored_answer_on_postgres() {
    survive(5, Database::postgres().await, Resent::Succeeds).await;
}

#[tokio::test]
async fn a_marketplace_that_calls_what_is_sent_again_a_duplicate_is_believed_after_a_kill() {
    survive(5, Database::sqlite(), Resent::IsDuplicate).await;
}

/// What the marketplace says of a record that it has already; AWS' texts have it both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resent {
    Succeeds,
    IsDuplicate,
}

/// What the app has reported, by subscription and dimension, in hundredths.
type Reported = BTreeMap<(String, String), i64>;

async fn survive(kills: usize, database: Database, resent: Resent) {
    let mut rng = fastrand::Rng::with_seed(7);
    let stall = MeteredStall::open(7).await;
    stall.market.set_metering(json!({ "identical_as_duplicate": resent == Resent::IsDuplicate })).await;
    let tap = Tap::start(stall.market.url()).await;
    let installation = stall.installation(&database).variable("STALLKEEPER_SIMULATOR_URL", tap.url());
    let buyers = admit_all(&stall, &installation, &database).await;
    let mut reported = Reported::new();
    let (mut unheard, mut unanswered_before) = (0, 0);
    for kill in 1..=kills {
        stall.market.advance(HOUR).await;
        if kill % HEARD_EVERY == 0 {
            hear_all(&installation, &database).await;
            stall.market.advance(HOUR).await;
        }
        tap.hold_after(rng.usize(0..=ANSWERS_BEFORE_MAX));
        let mut worker = installation.start();
        let held = tokio::time::timeout(PATIENCE, tap.held()).await;
        assert!(held.is_ok(), "no call before kill {kill}:\n{}", worker.logs());
        worker.wait_until_ready().await;
        report(&stall.app(), &stall, &worker, &buyers, &mut rng, &mut reported).await;
        worker.kill();
        unheard += taken(&held.unwrap().answer);
        let unanswered = database.count("usage_attempts WHERE ended_at IS NULL").await;
        assert!(unanswered > unanswered_before, "kill {kill} came after the answer was stored");
        unanswered_before = unanswered;
    }
    assert!(unheard >= kills, "only {unheard} records were billed without the worker's hearing of it");

    stall.market.advance(HOUR).await;
    let worker = installation.start_ready().await;
    settle(&stall, &database, &reported).await;
    assert!(worker.stop().await.success());
    let ledger = Ledger::read(&installation);
    let billed = ledger.assert_equals_bill(&stall.market).await;
    assert_eq!(ledger.records.len(), billed, "something is not settled");
    assert!(resent == Resent::Succeeds || ledger.count("settled_assumed") > 0, "nothing was a duplicate");
    let lost = installation.run(&["usage", "lost", "--json"]).json();
    assert_eq!(lost.get("losses").unwrap(), &json!([]));
    println!("{kills} kills, {unheard} records billed unheard, {billed} records on the bill");
}

async fn admit_all(stall: &MeteredStall, installation: &Installation, database: &Database) -> Vec<Buyer> {
    let worker = installation.start_ready().await;
    let mut buyers = Vec::new();
    for (name, product) in [("ada", "search"), ("ben", "search"), ("cleo", "vault"), ("dora", "vault")] {
        buyers.push(stall.admit(installation, database, name, product).await);
    }
    assert!(worker.stop().await.success());
    buyers
}

/// A worker that lives until it has nothing left to send.
async fn hear_all(installation: &Installation, database: &Database) {
    let worker = installation.start_ready().await;
    eventually("all answers are heard", PATIENCE, async || database.count(UNSETTLED).await == 0).await;
    assert!(worker.stop().await.success());
}

/// Some usage of everybody's, now.
async fn report(
    app: &App,
    stall: &MeteredStall,
    worker: &Worker,
    buyers: &[Buyer],
    rng: &mut fastrand::Rng,
    reported: &mut Reported,
) {
    let now = stall.market.now().await;
    let mut events = Vec::new();
    for buyer in buyers {
        let (hits, hundredths) = (rng.i64(1..1_000), rng.i64(1..100_000));
        let gigabytes = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        events.push(buyer.event(&format!("{now} hits"), "hits", &hits.to_string(), &now));
        events.push(buyer.event(&format!("{now} gigabytes"), "gigabytes", &gigabytes, &now));
        *reported.entry((buyer.id.clone(), "hits".into())).or_default() += hits * 100;
        *reported.entry((buyer.id.clone(), "gigabytes".into())).or_default() += hundredths;
    }
    app.report_all(worker, &events).await;
}

/// Waits until nothing is left to be sent and every whole unit is billed.
async fn settle(stall: &MeteredStall, database: &Database, reported: &Reported) {
    let whole: BTreeMap<_, _> =
        reported.iter().map(|(key, hundredths)| (key.clone(), hundredths / 100)).collect();
    let mut billed = BTreeMap::new();
    let what = "every whole unit is billed";
    let settled = tokio::time::timeout(
        PATIENCE,
        eventually(what, PATIENCE * 2, async || {
            billed = stall.market.billed_totals().await;
            billed == whole && database.count(UNSETTLED).await == 0
        }),
    );
    let in_time = settled.await.is_ok();
    assert!(in_time, "left is billed, right is reported: {billed:#?} {whole:#?}");
}

/// How many records the marketplace has on its bill by an answer.
fn taken(answer: &serde_json::Value) -> usize {
    let results = answer.get("Results").and_then(serde_json::Value::as_array).unwrap();
    let is_billed = |result: &&serde_json::Value| result.get("MeteringRecordId").is_some();
    results.iter().filter(is_billed).count()
}
