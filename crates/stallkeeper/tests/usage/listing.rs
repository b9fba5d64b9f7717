use serde_json::{Value, json};
use stallkeeper_ledger::Answer;

use crate::stall::{KEY, Stall, accepted, row};

#[tokio::test]
async fn an_hour_is_listed_as_it_stands_from_counting_to_billed() {
    let stall = Stall::open().await;
    stall.used("u1", "2.5", "2026-03-01T11:10:00Z").await;
    let text = stall.run(&format!("usage list {KEY}")).await;
    assert_eq!(row(&text, "2026-03-01T11"), ["2026-03-01T11:00:00Z", "Requests", "open", "2.5"]);
    stall.closed_at("2026-03-01T13:00:00Z").await;
    let text = stall.run(&format!("usage list {KEY}")).await;
    let cells = row(&text, "2026-03-01T11");
    assert_eq!(cells[2..5], ["frozen", "2", "0.5 out"]);
    assert!(cells[5].starts_with("to be sent; too late in 2"), "{text}");
    stall.sent(accepted()).await;
    let text = stall.run(&format!("usage list {KEY}")).await;
    assert_eq!(row(&text, "2026-03-01T11")[2..], ["settled", "2", "0.5 out", "record-1"]);
}

#[tokio::test]
async fn a_list_of_records_goes_on_where_the_page_before_ended() {
    let stall = Stall::open().await;
    stall.used("u1", "1", "2026-03-01T10:45:00Z").await;
    stall.used("u2", "2", "2026-03-01T11:10:00Z").await;
    let first = stall.run_json(&format!("usage list {KEY} --limit 1 --json")).await;
    assert_eq!(first["records"][0]["quantity"], "1");
    let after = first["next_after"].as_str().unwrap();
    let rest = stall.run_json(&format!("usage list {KEY} --after {after} --json")).await;
    assert_eq!((&rest["records"][0]["quantity"], &rest["next_after"]), (&json!("2"), &Value::Null));
    let later = stall.run_json(&format!("usage list {KEY} --from 2026-03-01T11:00:00Z --json")).await;
    assert_eq!(later["records"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_subscription_that_is_not_there_is_no_empty_list() {
    let stall = Stall::open().await;
    for line in ["list", "held", "lost", "totals"] {
        let words = stall.refused(&format!("usage {line} aws/prod1/customer/nobody")).await;
        assert!(words.starts_with("there is no subscription aws/prod1/customer/nobody"), "{line}: {words}");
    }
    assert!(stall.run(&format!("usage list {KEY}")).await.starts_with("nothing is metered from "));
    assert_eq!(stall.run("usage held").await, "no usage is held\n");
    assert_eq!(stall.run("usage lost").await, "nothing is lost\n");
    assert_eq!(stall.run(&format!("usage totals {KEY}")).await, "no usage was reported\n");
}

#[tokio::test]
async fn totals_tell_what_is_billed_what_is_pending_and_what_is_lost() {
    let stall = Stall::open().await;
    stall.used("u1", "2.5", "2026-03-01T10:45:00Z").await;
    stall.closed_at("2026-03-01T12:30:00Z").await;
    stall.sent(accepted()).await;
    stall.used("u2", "3", "2026-03-01T11:45:00Z").await;
    stall.closed_at("2026-03-01T13:30:00Z").await;
    stall.sent(Answer::Refused { code: "InvalidUsageDimension".to_owned() }).await;
    stall.used("u3", "4.25", "2026-03-01T13:15:00Z").await;
    let text = stall.run(&format!("usage totals {KEY}")).await;
    assert_eq!(row(&text, "requests"), ["requests", "9.75", "2", "4.75", "3"]);
}

#[tokio::test]
async fn what_is_lost_is_listed_with_its_reason() {
    let stall = Stall::open().await;
    stall.used("u1", "2", "2026-03-01T10:45:00Z").await;
    stall.closed_at("2026-03-01T12:30:00Z").await;
    stall.sent(Answer::Refused { code: "InvalidUsageDimension".to_owned() }).await;
    let text = stall.run(&format!("usage lost {KEY}")).await;
    let cells = row(&text, "2026-03-01T10");
    assert_eq!(cells[1..5], [KEY, "Requests", "2", "rejected"]);
    assert_eq!(cells[6], "refused: InvalidUsageDimension");
    let json = stall.run_json("usage lost --limit 1 --json").await;
    assert_eq!(
        (&json["losses"][0]["reason"], &json["next_after"]),
        (&json!("rejected"), &json["losses"][0]["number"])
    );
    let text = stall.run(&format!("usage list {KEY}")).await;
    assert_eq!(row(&text, "2026-03-01T10")[2..], ["rejected", "2", "refused: InvalidUsageDimension"]);
}
