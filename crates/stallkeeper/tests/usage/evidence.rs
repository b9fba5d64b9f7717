use serde_json::{Value, json};
use stallkeeper_ledger::Answer;

use crate::stall::{KEY, Stall, accepted};

/// The lines of one kind.
fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["line"] == kind).collect()
}

async fn export(stall: &Stall, month: &str) -> Vec<Value> {
    let text = stall.run(&format!("usage export {KEY} --month {month}")).await;
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn evidence_tells_from_the_apps_event_to_the_marketplaces_record() {
    let stall = Stall::open().await;
    stall.used("u1", "2.5", "2026-03-01T10:45:00Z").await;
    stall.closed_at("2026-03-01T12:30:00Z").await;
    stall.sent(accepted()).await;
    let lines = export(&stall, "2026-03").await;
    assert_eq!((&lines[0]["line"], &lines[0]["subscription"]), (&json!("export"), &json!(KEY)));
    let event = of_kind(&lines, "event")[0];
    assert_eq!(
        (&event["id"], &event["quantity"], &event["outcome"]["hour"]),
        (&json!("u1"), &json!("2.5"), &json!("2026-03-01T10:00:00Z"))
    );
    let record = of_kind(&lines, "record")[0];
    assert_eq!((&record["record_id"], &record["carried_out"]), (&json!("record-1"), &json!("0.5")));
    let report = json!({
        "who": {"product_code": "prod1", "customer": "X01"}, "dimension": "Requests", "quantity": 2,
        "timestamp": "2026-03-01T10:30:00Z", "allocations": [],
    });
    assert_eq!(record["report"], report);
    let frozen: Value = serde_json::from_str(record["frozen"].as_str().unwrap()).unwrap();
    assert_eq!(frozen["quantity"], 2);
    let attempt = of_kind(&lines, "attempt")[0];
    assert_eq!(
        (&attempt["request_id"], &attempt["records"]),
        (&json!("request-1"), &json!([record["number"]]))
    );
    assert_eq!(record["attempt_numbers"], json!([attempt["number"]]));
    let end = json!({"line": "end", "events": 1, "records": 1, "attempts": 1, "losses": 0});
    assert_eq!(lines.last(), Some(&end));
}

#[tokio::test]
async fn evidence_lists_what_is_lost_and_nothing_of_another_month() {
    let stall = Stall::open().await;
    stall.used("u1", "2", "2026-03-01T10:45:00Z").await;
    stall.closed_at("2026-03-01T12:30:00Z").await;
    stall.sent(Answer::Refused { code: "InvalidUsageDimension".to_owned() }).await;
    let lines = export(&stall, "2026-03").await;
    assert_eq!(of_kind(&lines, "loss")[0]["detail"], "refused: InvalidUsageDimension");
    let lines = export(&stall, "2026-02").await;
    assert_eq!(lines.len(), 2, "{lines:#?}");
}

#[tokio::test]
async fn evidence_is_never_written_over() {
    let stall = Stall::open().await;
    stall.used("u1", "2", "2026-03-01T10:45:00Z").await;
    let path = stall.path("march.jsonl").display().to_string();
    let line = format!("usage export {KEY} --month 2026-03 --out {path}");
    assert_eq!(stall.run(&line).await, format!("{path}: 1 events, 1 records, 0 attempts, 0 losses\n"));
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4);
    assert!(stall.refused(&line).await.ends_with("march.jsonl cannot be made"));
}
