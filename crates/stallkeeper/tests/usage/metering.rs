use serde_json::{Value, json};

use crate::stall::{Stall, row};

#[tokio::test]
async fn metering_is_held_and_goes_on() {
    let stall = Stall::open().await;
    assert!(
        stall.run("metering hold search --by ann").await.starts_with("the metering of search is held now")
    );
    assert!(
        stall
            .run("metering hold search --by bob")
            .await
            .starts_with("the metering of search is held already")
    );
    let text = stall.run("metering status").await;
    assert_eq!(row(&text, "search"), ["search", "held by operator:ann since 2026-03-01T12:00:00Z (now)"]);
    assert_eq!(stall.run("metering release search").await, "the metering of search goes on\n");
    assert_eq!(row(&stall.run("metering status").await, "search"), ["search", "goes on"]);
    assert!(stall.refused("metering release search").await.starts_with("the metering of search is not held"));
}

#[tokio::test]
async fn a_mistyped_product_is_not_held() {
    let stall = Stall::open().await;
    let words = stall.refused("metering hold serach --by ann").await;
    assert_eq!(words, "no metered product is called serach; metered are: search");
}

#[tokio::test]
async fn the_status_tells_what_is_most_urgent() {
    let stall = Stall::open().await;
    stall.used("u1", "2", "2026-03-01T10:45:00Z").await;
    stall.closed_at("2026-03-01T12:30:00Z").await;
    let json = stall.run_json("metering status --json").await;
    assert_eq!(
        json["lanes"],
        json!([{"name": "us-east-1/standard", "marketplaces": ["aws"], "calls_per_sec": 10}])
    );
    let ledger = &json["ledger"];
    assert_eq!(
        (&ledger["unsent"], &ledger["oldest_unsent_hour"]),
        (&json!(1), &json!("2026-03-01T10:00:00Z"))
    );
    // A day after the record's time, which is that of subscribing.
    assert_eq!(ledger["most_urgent"]["expires_at"], "2026-03-02T10:30:00Z");
    assert_eq!(ledger["most_urgent"]["minutes_left"], 22 * 60);
    let text = stall.run("metering status").await;
    assert!(row(&text, "most urgent")[1].starts_with("1320 min left of one frozen now"), "{text}");
    assert_eq!(json["products"][0]["held_by"], Value::Null);
}
