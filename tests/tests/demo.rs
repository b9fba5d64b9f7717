//! The demonstration, as somebody runs it who tries Stallkeeper out.

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
fn a_crowd_with_faults_leaves_no_mismatch_on_sqlite() {
    let summary = summary(&["--notifications", "2000", "--seed", "7"]);
    assert_eq!(summary["mismatches"], 0, "{summary}");
    let count = |name: &str| summary["notifications"][name].as_u64().unwrap();
    assert!(count("delivered") > 2000 && count("duplicate") > 50, "{summary}");
}

#[tokio::test]
async fn a_crowd_with_faults_leaves_no_mismatch_on_postgres() {
    let database = Database::postgres().await;
    let summary = summary(&["--notifications", "2000", "--seed", "8", "--database", &database.url()]);
    assert_eq!(summary["mismatches"], 0, "{summary}");
}

#[tokio::test]
async fn a_database_with_subscriptions_is_refused() {
    let database = Database::postgres().await;
    summary(&["--database", &database.url()]);
    let again = demo(&["--database", &database.url()]);
    assert_eq!(again.status, Some(1));
    assert!(again.stderr.contains("give the demo an empty one"), "{}", again.stderr);
}
