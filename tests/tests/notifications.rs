//! What becomes of notifications, on either database: the whole way from topic to row.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken set-up fails the test")]

use std::time::Duration;

use serde_json::{Value, json};
use stallkeeper_tests::{Database, Installation, Product, Stall, Worker, eventually};

const PATIENCE: Duration = Duration::from_secs(40);
const SETTINGS: &str = "[signature]\npolicy = \"off\"\n[queue]\nwait_secs = 1\nvisibility_secs = 30\n";

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
    published_twice_and_in_disorder_every_action_counts_once
    the_final_window_closes_with_or_without_a_last_word
    a_registration_between_two_facts_makes_neither_stale
    a_time_in_2030_goes_to_quarantine
}

/// Every action of both topics, through real fan-out; who did what, and what is seen of it in the end.
async fn published_twice_and_in_disorder_every_action_counts_once(database: Database) {
    let stall = Stall::open(2).await;
    let installation = Installation::new(&stall.config(SETTINGS), &database.url());
    installation.run(&["setup"]).expect_success();
    let [first, second] = [&stall.products[0], &stall.products[1]];
    let (success, fail) = ("subscribe-success", "subscribe-fail");
    let (pending, gone) = ("unsubscribe-pending", "unsubscribe-success");
    let stories: [(&Product, &str, &[&str], Seen); 10] = [
        (first, "anna", &[success], seen("unclaimed", "none", 1)),
        (first, "ben", &[success, pending, gone], seen("ended", "none", 1)),
        (first, "carla", &[fail], seen("failed", "none", 0)),
        // Again inside the hour.
        (first, "dora", &[success, pending, success], seen("unclaimed", "none", 2)),
        (first, "emil", &[fail, success], seen("unclaimed", "none", 1)),
        // The success was lost.
        (first, "finn", &[pending], seen("ending", "limited", 1)),
        // Again after the end.
        (first, "gus", &[success, pending, gone, success], seen("unclaimed", "none", 2)),
        (first, "hanna", &[success, pending], seen("ending", "limited", 1)),
        (second, "anna", &[success, "entitlement-updated"], seen("unclaimed", "none", 1)),
        (second, "ben", &[gone], seen("ended", "none", 0)),
    ];
    let mut published = 0;
    for (product, buyer, actions, _) in &stories {
        for action in *actions {
            let topics = &product.topics;
            let topic = if action.starts_with("ent") { &topics.entitlement } else { &topics.subscription };
            stall.moto.publish(topic, &product.body(action, buyer)).await;
            published += 1;
        }
    }

    let delivered = stall.moto.take(&stall.queue.url, published).await;
    assert_eq!(delivered.len(), published);
    let mut worker = installation.start_ready().await;
    // Everything from the newest to the oldest, and again in leaps.
    stall.send(&delivered.iter().rev().cloned().collect::<Vec<_>>()).await;
    stall
        .send(
            &(0..published).map(|number| delivered[(number * 7 + 3) % published].clone()).collect::<Vec<_>>(),
        )
        .await;
    stall.wait_until_taken_in(&database, published, PATIENCE).await;

    assert_ne!(published % 7, 0, "leaps of 7 must meet every message");
    for (product, buyer, actions, seen) in &stories {
        assert_seen(&installation, &database, product, buyer, seen).await;
        let what = history(&database, &product.key(buyer)).await;
        assert_eq!(what, sorted(actions), "{buyer}");
    }
    assert_eq!(database.count("subscriptions").await, stories.len());
    assert_eq!(database.count("inbox WHERE outcome <> 'applied'").await, 0);
    assert_eq!(database.count("quarantine").await, 0);
    // What is paid by use has nothing to be asked about, and no job stays behind that would.
    let jobs = format!("jobs WHERE subscription = '{}' AND kind = 'query-entitlements'", second.key("anna"));
    eventually("nothing is asked", PATIENCE, async || database.count(&jobs).await == 0).await;
    assert_that_the_story_is_told(&installation, first);
    stop(&mut worker).await;
}

/// What `subscriptions show` says of one who was lost and came again.
fn assert_that_the_story_is_told(installation: &Installation, product: &Product) {
    let told = installation.run(&["subscriptions", "show", &product.key("dora")]);
    let text = &told.expect_success().stdout;
    for line in [
        vec![product.key("dora").as_str()],
        vec!["word", "unclaimed"],
        vec!["tenant", "none"],
        vec!["period", "2", "inside the window of the one before"],
        vec!["subscribe-success", "unclaimed", "applied", "marketplace"],
        vec!["unsubscribe-pending", "applied", "marketplace"],
    ] {
        let is_told = text.lines().any(|told| line.iter().all(|words| told.contains(words)));
        assert!(is_told, "no line with {line:?} in\n{text}");
    }
}

async fn the_final_window_closes_with_or_without_a_last_word(database: Database) {
    let (stall, installation, mut worker) = open(&database).await;
    let product = &stall.products[0];
    let of = |action, buyer, secs| product.envelope(action, buyer).ago(Duration::from_secs(secs)).text();
    stall
        .send(&[
            of("subscribe-success", "lost", 7_200),
            of("unsubscribe-pending", "lost", 61 * 60),
            of("subscribe-success", "closing", 7_200),
            // So late that the window closes while this test looks on, and not before it has looked.
            of("unsubscribe-pending", "closing", 3_600 - 8),
        ])
        .await;
    stall.wait_until_taken_in(&database, 4, PATIENCE).await;
    assert_seen(&installation, &database, product, "lost", &seen("ended", "none", 1)).await;
    assert_eq!(show(&installation, &product.key("lost"))["end"], "lapsed");
    assert_seen(&installation, &database, product, "closing", &seen("ending", "limited", 1)).await;

    let key = product.key("closing");
    eventually("the worker's own timer closes the window", PATIENCE, async || {
        database.rows(&format!("SELECT word FROM subscriptions WHERE key = '{key}'")).await[0][0] == "ended"
    })
    .await;
    let line =
        format!("SELECT what, actor, word FROM history WHERE subscription = '{key}' ORDER BY number DESC");
    assert_eq!(database.rows(&line).await[0], ["window-closed", "worker", "ended"]);
    assert_seen(&installation, &database, product, "closing", &seen("ended", "none", 1)).await;
    // Nobody heard a last word, and of what is paid by use there is nobody to ask for it.
    eventually("nothing is left to be asked", PATIENCE, async || {
        database.count("jobs WHERE kind = 'reconcile'").await == 0
    })
    .await;
    stop(&mut worker).await;
}

async fn a_registration_between_two_facts_makes_neither_stale(database: Database) {
    let (stall, installation, mut worker) = open(&database).await;
    let product = &stall.products[0];
    let key = product.key("anna");
    let of = |action, minutes| product.envelope(action, "anna").ago(Duration::from_mins(minutes)).text();
    stall.send(&[of("subscribe-success", 30)]).await;
    stall.wait_until_taken_in(&database, 1, PATIENCE).await;
    assert_seen(&installation, &database, product, "anna", &seen("unclaimed", "none", 1)).await;

    installation.run(&["subscriptions", "rebind", &key, "--tenant", "acme", "--by", "kim"]).expect_success();
    assert_seen(&installation, &database, product, "anna", &seen("active", "full", 1)).await;

    // It happened before the registration, and came after it.
    stall.send(&[of("unsubscribe-pending", 20)]).await;
    stall.wait_until_taken_in(&database, 2, PATIENCE).await;
    assert_seen(&installation, &database, product, "anna", &seen("ending", "limited", 1)).await;
    stall.send(&[of("subscribe-success", 10)]).await;
    stall.wait_until_taken_in(&database, 3, PATIENCE).await;
    assert_seen(&installation, &database, product, "anna", &seen("active", "full", 2)).await;

    let story = show(&installation, &key);
    assert_eq!((&story["tenant"], &story["period"]["entry"]), (&json!("acme"), &json!("resumed")));
    let lines = story["history"].as_array().unwrap();
    let told: Vec<(&str, &str)> =
        lines.iter().map(|line| (line["what"].as_str().unwrap(), line["actor"].as_str().unwrap())).collect();
    assert_eq!(
        told,
        [
            ("subscribe-success", "marketplace"),
            ("bound", "operator:kim"),
            ("unsubscribe-pending", "marketplace"),
            ("subscribe-success", "marketplace"),
        ]
    );
    stop(&mut worker).await;
}

async fn a_time_in_2030_goes_to_quarantine(database: Database) {
    let (stall, installation, mut worker) = open(&database).await;
    let product = &stall.products[0];
    let future = product.envelope("unsubscribe-success", "anna").at("2030-01-01T00:00:00.000Z");
    stall.send(&[future.text(), product.envelope("subscribe-success", "anna").text()]).await;
    stall.wait_until_taken_in(&database, 1, PATIENCE).await;
    let held = installation.run(&["quarantine", "list", "--json"]).json();
    assert_eq!(held["messages"][0]["reason"], "future-time");
    assert_seen(&installation, &database, product, "anna", &seen("unclaimed", "none", 1)).await;
    stop(&mut worker).await;
}

/// A stall with one product, and a worker that waits for its notifications.
async fn open(database: &Database) -> (Stall, Installation, Worker) {
    let stall = Stall::open(1).await;
    let installation = Installation::new(&stall.config(SETTINGS), &database.url());
    let worker = installation.start_ready().await;
    (stall, installation, worker)
}

/// What is to be seen of a subscription.
struct Seen {
    word: &'static str,
    access: &'static str,
    /// The number of the period; 0 for none.
    period: u32,
}

fn seen(word: &'static str, access: &'static str, period: u32) -> Seen {
    Seen { word, access, period }
}

/// The row and the command say the same, and it is what was expected.
async fn assert_seen(
    installation: &Installation,
    database: &Database,
    product: &Product,
    buyer: &str,
    expected: &Seen,
) {
    let key = product.key(buyer);
    let row =
        database.rows(&format!("SELECT word, marketplace FROM subscriptions WHERE key = '{key}'")).await;
    assert_eq!(row, [[expected.word, "aws"]], "{buyer}");
    let story = show(installation, &key);
    let period = story["period"]["number"].as_u64().unwrap_or(0);
    let told = (story["word"].as_str().unwrap(), story["access"].as_str().unwrap(), period);
    assert_eq!(told, (expected.word, expected.access, u64::from(expected.period)), "{buyer}");
}

fn show(installation: &Installation, key: &str) -> Value {
    installation.run(&["subscriptions", "show", key, "--json"]).json()
}

/// What the marketplace said of a subscription, in the order of the words.
async fn history(database: &Database, key: &str) -> Vec<String> {
    let select = format!("SELECT what FROM history WHERE subscription = '{key}' AND event IS NOT NULL");
    let lines = database.rows(&select).await;
    sorted(&lines.iter().map(|line| line[0].as_str()).collect::<Vec<_>>())
}

fn sorted(words: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    words.sort();
    words
}

async fn stop(worker: &mut Worker) {
    worker.terminate();
    assert!(worker.wait().await.success());
}
