//! `GET /v1/windows`: whom the app is asked for final usage.

use serde_json::json;
use stallkeeper_ledger::{Phase, Seal};

use crate::stage::{ACME, Failing, Stage, meter};

fn ending(since: &str, deadline: &str, seal: Seal) -> Phase {
    let deadline = deadline.parse().unwrap();
    Phase::Ending { since: since.parse().unwrap(), deadline, until: deadline, seal }
}

#[tokio::test]
async fn an_open_window_says_whose_it_is_and_how_long_it_lasts() {
    let phase = ending("2026-11-26T12:00:30Z", "2026-11-26T13:00:30Z", Seal::Open);
    let answer = Stage::new().and(meter(ACME, "acme", phase)).get("/v1/windows").await;
    assert_eq!(
        answer.json,
        json!({
            "windows": [{
                "subscription": ACME, "product": "p", "tenant": "acme", "since": "2026-11-26T12:00:30Z",
                "deadline": "2026-11-26T13:00:30Z", "minutes_left": 30, "state": "open",
            }],
            "next": null,
        })
    );
}

#[tokio::test]
async fn a_window_whose_final_usage_is_frozen_is_sealed() {
    let phase = ending("2026-11-26T12:00:00Z", "2026-11-26T13:00:00Z", Seal::Sealed);
    let answer = Stage::new().and(meter(ACME, "acme", phase)).get("/v1/windows").await;
    assert_eq!(answer.json["windows"][0]["state"], "sealed");
}

#[tokio::test]
async fn a_window_that_is_over_and_a_subscription_that_runs_are_not_listed() {
    let phase = ending("2026-11-26T11:30:00Z", "2026-11-26T12:30:00Z", Seal::Open);
    let stage = Stage::new().and(meter("aws/prod-1/customer/X02", "b", phase));
    assert_eq!(stage.get("/v1/windows").await.json, json!({ "windows": [], "next": null }));
}

#[tokio::test]
async fn windows_are_listed_in_parts() {
    let phase = ending("2026-11-26T12:00:00Z", "2026-11-26T13:00:00Z", Seal::Open);
    let stage = Stage::new().and(meter("aws/prod-1/customer/X02", "b", phase)).and(meter(
        "aws/prod-1/customer/X03",
        "c",
        phase,
    ));
    // The first part holds the subscription that runs, and so none that is listed.
    let first = stage.get("/v1/windows?limit=1").await;
    assert_eq!(first.json, json!({ "windows": [], "next": ACME }));
    let second = stage.get(&format!("/v1/windows?limit=1&after={ACME}")).await;
    assert_eq!(second.json["windows"][0]["tenant"], "b");
    let third = stage.get("/v1/windows?limit=1&after=aws/prod-1/customer/X02").await;
    assert_eq!((&third.json["windows"][0]["tenant"], &third.json["next"]), (&json!("c"), &json!(null)));
}

#[tokio::test]
async fn a_database_that_is_down_is_a_503() {
    Stage::new().failing(Failing::Database).get("/v1/windows").await.problem(503, "unavailable");
}
