use serde_json::json;

use crate::stall::{KEY, Stall, csv, row};

#[tokio::test]
async fn a_file_is_taken_in_once_however_often_it_is_imported() {
    let stall = Stall::open().await;
    let file = stall.file(
        "used.csv",
        &csv(&[("u1", "1.5", "2026-03-01T11:00:00Z"), ("u2", "2", "2026-03-01T11:30:00Z")]),
    );
    assert_eq!(row(&stall.run(&format!("usage import {file}")).await, "2"), ["2", "0", "0", "0", "0"]);
    assert_eq!(row(&stall.run(&format!("usage import {file}")).await, "0"), ["0", "0", "0", "2", "0"]);
    let totals = stall.run_json(&format!("usage totals {KEY} --json")).await;
    assert_eq!(totals["totals"][0]["recorded"], "3.5");
}

#[tokio::test]
async fn what_is_refused_is_told_by_line_and_reason_and_the_rest_stands() {
    let stall = Stall::open().await;
    let text = csv(&[
        ("u1", "1.234", "2026-03-01T11:00:00Z"),
        ("u2", "2", "2026-03-01T11:30:00Z"),
        ("u3", "2", "noon"),
        ("u4", "2", "2026-03-01T13:00:00Z"),
    ]);
    let file = stall.file("used.csv", &text);
    let (out, ended) = stall.try_run(&format!("usage import {file}")).await;
    assert_eq!(ended.unwrap_err().to_string(), "3 of 4 events are refused");
    assert_eq!(row(&out, "2 "), ["2", "u1", "quantity: more than the dimension's 2 decimal places"]);
    assert_eq!(row(&out, "4 ")[..2], ["4", "u3"]);
    assert_eq!(row(&out, "5 "), ["5", "u4", "occurred_at is in the future"]);
    assert_eq!(row(&out, "1 "), ["1", "0", "0", "0", "3"]);
}

#[tokio::test]
async fn refusals_beyond_twenty_are_counted_and_json_has_them_all() {
    let stall = Stall::open().await;
    let ids: Vec<String> = (0..25).map(|number| format!("u{number}")).collect();
    let events: Vec<_> = ids.iter().map(|id| (id.as_str(), "-1", "2026-03-01T11:00:00Z")).collect();
    let file = stall.file("used.csv", &csv(&events));
    let (out, _) = stall.try_run(&format!("usage import {file}")).await;
    assert!(out.contains("and 5 more; --json lists them"), "{out}");
    let (out, _) = stall.try_run(&format!("usage import {file} --json")).await;
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["refusals"].as_array().unwrap().len(), 25);
    let first = json!({"line": 2, "id": "u0", "code": "negative_quantity", "why": "quantity: negative"});
    assert_eq!((&json["refusals"][0], &json["refused"]), (&first, &json!(25)));
}

#[tokio::test]
async fn a_dry_run_says_what_would_become_of_a_file_and_stores_nothing() {
    let stall = Stall::open().await;
    let file = stall.file("used.csv", &csv(&[("u1", "1", "2026-03-01T11:00:00Z")]));
    let out = stall.run(&format!("usage import {file} --dry-run")).await;
    assert_eq!(row(&out, "1"), ["1", "0", "0", "0", "0"]);
    assert!(out.ends_with("nothing is stored: this was a dry run\n"), "{out}");
    assert_eq!(row(&stall.run(&format!("usage import {file}")).await, "1"), ["1", "0", "0", "0", "0"]);
}

#[tokio::test]
async fn json_lines_go_to_the_subscription_that_they_name() {
    let stall = Stall::open().await;
    let event = |id: &str, subscription: &str| {
        let event = json!({
            "id": id, "tenant": "acme", "product": "search", "dimension": "requests", "quantity": 1,
            "occurred_at": "2026-03-01T11:00:00Z", "subscription": subscription,
        });
        format!("{event}\n")
    };
    let text = event("u1", KEY) + &event("u2", "aws/prod1/customer/X02");
    let file = stall.file("used.jsonl", &text);
    let (out, ended) = stall.try_run(&format!("usage import {file}")).await;
    assert_eq!(row(&out, "1 "), ["1", "0", "0", "0", "1"]);
    assert!(
        ended.is_err() && out.contains("aws/prod1/customer/X02 is not one of this tenant and product"),
        "{out}"
    );
}

#[tokio::test]
async fn a_file_of_many_batches_is_taken_in_whole() {
    let stall = Stall::open().await;
    let ids: Vec<String> = (0..2_500).map(|number| format!("u{number}")).collect();
    let events: Vec<_> = ids.iter().map(|id| (id.as_str(), "0.01", "2026-03-01T11:00:00Z")).collect();
    let file = stall.file("used.csv", &csv(&events));
    assert_eq!(row(&stall.run(&format!("usage import {file}")).await, "2500")[0], "2500");
    assert_eq!(stall.run_json(&format!("usage totals {KEY} --json")).await["totals"][0]["recorded"], "25");
}

#[tokio::test]
async fn a_file_whose_form_is_not_known_is_refused() {
    let stall = Stall::open().await;
    let file = stall.file("used.txt", "");
    assert!(
        stall.refused(&format!("usage import {file}")).await.contains("give --format csv or --format jsonl")
    );
    assert!(
        stall.refused("usage import /nowhere/used.csv").await.contains("/nowhere/used.csv cannot be read")
    );
}
