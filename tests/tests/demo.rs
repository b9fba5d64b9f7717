//! The demonstration, as somebody runs it who tries Stallkeeper out.
#![expect(clippy::panic, reason = "a summary of another form fails the test")]

use serde_json::Value;
use stallkeeper_tests::{Database, Finished, Installation};

/// The demo makes its own configuration; an existing one must not get in its way.
fn demo(args: &[&str]) -> Finished {
    let elsewhere = "sqlite:///nowhere/at/all.db";
    Installation::new("", elsewhere).run(&[&["demo"], args].concat())
}

fn summary(args: &[&str]) -> Value {
    demo(&[&["--json"], args].concat()).json()
}

#[test]
fn it_ends_well_and_shows_what_happened() {
    let shown = demo(&[]);
    shown.expect_success();
    for words in
        ["subscribes again after ten minutes", "unsubscribe-success is lost", "the books say", "✓ ended"]
    {
        assert!(shown.stdout.to_lowercase().contains(words), "{words} is missing:\n{}", shown.stdout);
    }
    assert!(!shown.stdout.contains('✗'), "{}", shown.stdout);
}

#[test]
fn its_summary_is_one_json_document_of_the_promised_shape() {
    let summary = summary(&[]);
    let count = |name: &str| summary["notifications"][name].as_u64().unwrap();
    assert!(count("applied") >= 15, "{summary}");
    assert_eq!(count("quarantined"), 0, "{summary}");
    assert!(count("delivered") >= count("applied") + count("stale"), "{summary}");
    let states = summary["subscriptions"].as_object().unwrap();
    assert!(["active", "ended"].iter().all(|state| states.contains_key(*state)), "{summary}");
    assert_eq!(summary["mismatches"], 0, "{summary}");
}

#[test]
fn the_final_hour_of_a_buyer_who_leaves_is_billed_inside_its_window() {
    let shown = demo(&[]);
    shown.expect_success();
    let mut lines = shown.stdout.lines().skip_while(|line| !line.contains("the final hour goes out"));
    let line = lines.next().unwrap();
    assert!(line.contains("aurora") && line.ends_with("✓ 30 requests, 1 storage"), "{line}");
    let against = lines.next().unwrap();
    assert!(against.contains("59 minutes before the window ends at 11:"), "{against}");
}

#[test]
fn one_planted_unit_is_lost_with_its_reason_and_nothing_else() {
    let shown = demo(&[]);
    shown.expect_success();
    let row =
        shown.stdout.lines().find(|line| line.starts_with("aurora") && line.contains("requests")).unwrap();
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>(),
        ["aurora", "requests", "151", "150", "0", "1", "window_closed"]
    );
}

#[test]
fn its_summary_says_that_every_unit_is_billed_once_or_lost_as_planted() {
    let summary = summary(&[]);
    assert_billed_once(&summary);
    let usage = &summary["usage"];
    assert!(units(usage, "billed") > 200, "{usage}");
    let rows = usage["buyers"].as_array().unwrap();
    let sum = |name: &str| rows.iter().map(|row| units(row, name)).sum::<u64>();
    for name in ["recorded", "billed", "pending", "lost", "marketplace_billed"] {
        assert_eq!(units(usage, name), sum(name), "{name}: {usage}");
    }
    let buyers: Vec<&str> = rows.iter().map(|row| row["buyer"].as_str().unwrap()).collect();
    assert!(["aurora", "birch", "cedar", "ember"].iter().all(|buyer| buyers.contains(buyer)), "{usage}");
}

/// Units, or units of all dimensions together.
fn units(usage: &Value, name: &str) -> u64 {
    usage[name].as_u64().unwrap_or_else(|| panic!("{name} is no whole number: {usage}"))
}

fn assert_billed_once(summary: &Value) {
    let usage = &summary["usage"];
    assert_eq!(units(usage, "marketplace_billed"), units(usage, "billed"), "{usage}");
    assert_eq!((units(usage, "lost"), units(usage, "planted_lost")), (1, 1), "{usage}");
    assert_eq!(units(usage, "pending"), 0, "{usage}");
    assert_eq!(units(usage, "recorded"), units(usage, "billed") + units(usage, "lost"), "{usage}");
}

#[test]
fn a_crowd_with_faults_leaves_no_mismatch_on_sqlite() {
    let summary = summary(&["--notifications", "2000", "--seed", "7"]);
    assert_eq!(summary["mismatches"], 0, "{summary}");
    assert_billed_once(&summary);
    let rows = summary["usage"]["buyers"].as_array().unwrap();
    let is_of_crowd = |row: &Value| row["buyer"].as_str().unwrap().starts_with("crowd");
    assert!(rows.iter().any(is_of_crowd), "some of the crowd use something: {summary}");
    let count = |name: &str| summary["notifications"][name].as_u64().unwrap();
    assert!(count("delivered") > 2000 && count("duplicate") > 50, "{summary}");
}

#[tokio::test]
async fn a_crowd_with_faults_leaves_no_mismatch_on_postgres() {
    let database = Database::postgres().await;
    let summary = summary(&["--notifications", "2000", "--seed", "8", "--database", &database.url()]);
    assert_eq!(summary["mismatches"], 0, "{summary}");
    assert_billed_once(&summary);
}

#[tokio::test]
async fn a_database_with_subscriptions_is_refused() {
    let database = Database::postgres().await;
    summary(&["--database", &database.url()]);
    let again = demo(&["--database", &database.url()]);
    assert_eq!(again.status, Some(1));
    assert!(again.stderr.contains("give the demo an empty one"), "{}", again.stderr);
}
