//! What became of usage: by hour, what is held, what is lost.

use serde_json::{Value, json};
use stallkeeper_ledger::{
    EventKey, EventState, HeldReason, Hour, Loss, LossReason, Phase, Record, RecordEnd, RecordKey,
    RecordState, Report, Scale, SubUnits, TagSet, UsageEvent, Who,
};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::usage::{EventLine, LossLine, RecordLine, UsageSum};

use crate::stage::{ACME, Failing, Stage, meter};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn parts(parts: i64) -> SubUnits {
    SubUnits::new(parts).unwrap()
}

fn scale() -> Scale {
    Scale::new(2).unwrap()
}

/// A record of `calls` that counted 12.6 in the hour of a moment.
fn record(number: i64, moment: &str) -> RecordLine {
    let key = RecordKey {
        subscription: ACME.parse().unwrap(),
        hour: Hour::of(at(moment)),
        dimension: "api-calls".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    };
    let mut record = Record::open(key, &meter(ACME, "acme", Phase::Running), scale());
    record.counted = parts(1_260);
    RecordLine { number, record }
}

fn settled(number: i64, moment: &str) -> RecordLine {
    let mut line = record(number, moment);
    let who = Who::Customer { product: "prod-1".parse().unwrap(), customer: "X01".parse().unwrap() };
    line.record.report = Some(Report {
        who,
        dimension: "api-calls".parse().unwrap(),
        quantity: 12,
        stamp: line.record.key.hour.start(),
        allocations: Vec::new(),
    });
    line.record.carried_in = parts(5);
    line.record.carried_out = parts(65);
    line.record.expires_at = Some(at("2026-11-27T10:00:00Z"));
    line.record.sending.attempts = vec![4, 9];
    line.record.state =
        RecordState::Settled { at: at("2026-11-26T12:20:00Z"), record_id: "rec-1".to_owned() };
    line
}

fn held(number: i64, tenant: &str, key: &str) -> EventLine {
    let event = UsageEvent {
        key: EventKey {
            product: "p".parse().unwrap(),
            tenant: tenant.parse().unwrap(),
            id: format!("u-{number}").parse().unwrap(),
        },
        subscription: key.parse().unwrap(),
        dimension: "calls".parse().unwrap(),
        api_name: "api-calls".parse().unwrap(),
        scale: scale(),
        occurred_at: at("2026-11-26T08:00:00Z"),
        received_at: at("2026-11-26T12:00:00Z"),
        quantity: parts(150),
        counted: parts(150),
        user: None,
        tags: TagSet::default(),
        state: EventState::Held { reason: HeldReason::Late, until: at("2026-11-27T08:00:00Z") },
    };
    EventLine { number, event }
}

fn loss(number: i64, key: &str) -> LossLine {
    let loss = Loss {
        subscription: key.parse().unwrap(),
        dimension: "api-calls".parse().unwrap(),
        hour: Hour::of(at("2026-11-26T08:00:00Z")),
        parts: parts(350),
        scale: scale(),
        reason: LossReason::WindowClosed,
        at: at("2026-11-26T12:00:00Z"),
        event: None,
        detail: String::new(),
    };
    LossLine { number, loss, recovered_at: None }
}

/// One subscription with an hour of each kind, held and lost usage; another with some of the latter.
pub(crate) fn busy_stage() -> Stage {
    let stage = Stage::new();
    let mut ended = record(3, "2026-11-26T11:00:00Z");
    ended.record.state = RecordState::Ended {
        at: at("2026-11-26T12:20:00Z"),
        end: RecordEnd::Rejected,
        why: "refused: InvalidUsageDimension".to_owned(),
    };
    let worker = &stage.worker;
    *worker.records.lock().unwrap() =
        vec![settled(2, "2026-11-26T10:00:00Z"), ended, record(7, "2026-11-26T12:00:00Z")];
    *worker.sums.lock().unwrap() = vec![
        UsageSum {
            dimension: "api-calls".parse().unwrap(),
            recorded: parts(3_780),
            billed: parts(1_200),
            lost: parts(1_260),
        },
        UsageSum {
            dimension: "retired".parse().unwrap(),
            recorded: parts(7),
            billed: parts(7),
            lost: SubUnits::ZERO,
        },
    ];
    *worker.held.lock().unwrap() =
        vec![held(1, "acme", ACME), held(2, "other", "aws/prod-1/customer/X02"), held(3, "acme", ACME)];
    *worker.losses.lock().unwrap() =
        vec![loss(10, ACME), loss(11, "aws/prod-1/customer/X02"), loss(12, ACME)];
    stage
}

async fn usage(stage: &Stage, query: &str) -> Value {
    let answer = stage.get(&format!("/v1/subscriptions/{ACME}/usage{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json
}

fn hours(usage: &Value) -> Vec<&str> {
    usage["hours"].as_array().unwrap().iter().map(|line| line["hour"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_settled_hour_says_what_was_billed_and_what_was_carried() {
    let usage = usage(&busy_stage(), "").await;
    assert_eq!(
        usage["hours"][0],
        json!({
            "hour": "2026-11-26T10:00:00Z", "dimension": "calls", "api_name": "api-calls", "state": "settled",
            "quantity": "12", "counted": "12.6", "carried_in": "0.05", "carried_out": "0.65",
            "stamp": "2026-11-26T10:00:00Z", "record_id": "rec-1", "attempts": 2,
            "sent_until": "2026-11-27T10:00:00Z", "reason": null,
        })
    );
}

#[tokio::test]
async fn an_hour_that_is_not_billed_says_why_and_an_open_one_what_was_counted() {
    let usage = usage(&busy_stage(), "").await;
    let (ended, open) = (&usage["hours"][1], &usage["hours"][2]);
    assert_eq!(
        (&ended["state"], &ended["reason"]),
        (&json!("rejected"), &json!("refused: InvalidUsageDimension"))
    );
    assert_eq!(
        (&open["state"], &open["quantity"], &open["stamp"]),
        (&json!("open"), &json!("12.6"), &json!(null))
    );
}

#[tokio::test]
async fn totals_held_and_lost_usage_come_with_the_first_part() {
    let stage = busy_stage();
    let first = usage(&stage, "?limit=2").await;
    assert_eq!(first["tenant"], "acme");
    assert_eq!(
        first["totals"][0],
        json!({
            "dimension": "calls", "api_name": "api-calls", "scale": 2, "recorded": "37.8", "billed": "12",
            "lost": "12.6",
        })
    );
    assert_eq!(first["held"]["held"].as_array().unwrap().len(), 2, "of this subscription only");
    assert_eq!(first["lost"]["losses"].as_array().unwrap().len(), 2, "of this subscription only");
    let second = usage(&stage, &format!("?limit=2&cursor={}", first["next"].as_str().unwrap())).await;
    assert_eq!(
        (&second["totals"], &second["held"], &second["lost"]),
        (&json!(null), &json!(null), &json!(null))
    );
}

#[tokio::test]
async fn a_total_of_a_dimension_that_is_configured_no_more_is_in_its_smallest_parts() {
    let usage = usage(&busy_stage(), "").await;
    assert_eq!(usage["totals"][1]["scale"], json!(null));
    assert_eq!(usage["totals"][1]["recorded"], "7");
}

#[tokio::test]
async fn hours_come_in_parts_and_each_once() {
    let stage = busy_stage();
    let first = usage(&stage, "?limit=2").await;
    assert_eq!(hours(&first), ["2026-11-26T10:00:00Z", "2026-11-26T11:00:00Z"]);
    let second = usage(&stage, &format!("?limit=2&cursor={}", first["next"].as_str().unwrap())).await;
    assert_eq!(hours(&second), ["2026-11-26T12:00:00Z"]);
    assert_eq!(second["next"], json!(null));
}

#[tokio::test]
async fn hours_are_those_that_were_asked_for() {
    let stage = busy_stage();
    for (query, wanted) in [
        ("?from=2026-11-26T11:59:59Z", &["2026-11-26T11:00:00Z", "2026-11-26T12:00:00Z"][..]),
        ("?to=2026-11-26T12:00:00Z", &["2026-11-26T10:00:00Z", "2026-11-26T11:00:00Z"]),
        ("?to=2026-11-26T12:00:01Z&from=2026-11-26T12:00:00Z", &["2026-11-26T12:00:00Z"]),
        ("?from=2026-11-26T13:00:00Z&to=2026-11-26T10:00:00Z", &[]),
    ] {
        assert_eq!(hours(&usage(&stage, query).await), wanted, "{query}");
    }
}

#[tokio::test]
async fn a_slash_in_an_id_is_sent_percent_encoded() {
    let stage = Stage::new().and(meter("aws/prod-1/customer/X/01", "b", Phase::Running));
    let answer = stage.get("/v1/subscriptions/aws/prod-1/customer/X%2F01/usage").await;
    assert_eq!(answer.json["subscription"], "aws/prod-1/customer/X/01");
}

#[tokio::test]
async fn a_subscription_that_is_not_metered_is_a_404() {
    let answer = Stage::new().get("/v1/subscriptions/aws/prod-1/customer/X09/usage").await;
    assert!(answer.problem(404, "not-found").contains("aws/prod-1/customer/X09"));
}

#[tokio::test]
async fn parameters_that_cannot_be_read_are_a_400() {
    let stage = busy_stage();
    for path in [
        &format!("/v1/subscriptions/{ACME}/usage?from=yesterday"),
        &format!("/v1/subscriptions/{ACME}/usage?to=1"),
        &format!("/v1/subscriptions/{ACME}/usage?cursor=last"),
        &format!("/v1/subscriptions/{ACME}/usage?limit=-1"),
        &format!("/v1/subscriptions/{ACME}/usage?form=2026-11-26T10:00:00Z"),
        "/v1/subscriptions/aws/prod-1/nobody/X01/usage",
        "/v1/subscriptions/aws%2Fprod-1/customer/X01/a/usage",
        "/v1/subscriptions/aws/prod-1/customer/%ff/usage",
        "/v1/usage/losses?after=x",
        "/v1/usage/losses?subscription=aws",
        "/v1/usage/held?limit=many",
        "/v1/windows?after=aws",
    ] {
        stage.get(path).await.problem(400, "bad-request");
    }
}

#[tokio::test]
async fn losses_come_in_the_order_of_storing_and_in_parts() {
    let stage = busy_stage();
    let first = stage.get("/v1/usage/losses?limit=2").await;
    assert_eq!(first.json["next"], 11);
    assert_eq!(
        first.json["losses"][0],
        json!({
            "number": 10, "subscription": ACME, "dimension": "api-calls", "hour": "2026-11-26T08:00:00Z",
            "quantity": "3.5", "reason": "window_closed", "found_at": "2026-11-26T12:00:00Z",
            "recovered_at": null,
        })
    );
    let second = stage.get("/v1/usage/losses?limit=2&after=11").await;
    assert_eq!((&second.json["losses"][0]["number"], &second.json["next"]), (&json!(12), &json!(null)));
}

#[tokio::test]
async fn losses_and_held_usage_can_be_one_subscription_s() {
    let stage = busy_stage();
    let losses = stage.get(&format!("/v1/usage/losses?subscription={ACME}")).await;
    assert_eq!(losses.json["losses"].as_array().unwrap().len(), 2);
    let held = stage.get(&format!("/v1/usage/held?subscription={ACME}")).await;
    assert_eq!(held.json["held"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn held_usage_says_for_what_it_waits_and_until_when() {
    let answer = busy_stage().get("/v1/usage/held?limit=2").await;
    assert_eq!(answer.json["more"], true);
    assert_eq!(
        answer.json["held"][0],
        json!({
            "id": "u-1", "product": "p", "tenant": "acme", "subscription": ACME, "dimension": "calls",
            "quantity": "1.5", "occurred_at": "2026-11-26T08:00:00Z", "received_at": "2026-11-26T12:00:00Z",
            "reason": "late", "until": "2026-11-27T08:00:00Z",
        })
    );
}

#[tokio::test]
async fn a_part_never_exceeds_its_bound() {
    let stage = Stage::new();
    *stage.worker.losses.lock().unwrap() = (0..600).map(|number| loss(number, ACME)).collect();
    let answer = stage.get("/v1/usage/losses?limit=100000").await;
    assert_eq!((answer.json["losses"].as_array().unwrap().len(), &answer.json["next"]), (500, &json!(499)));
}

#[tokio::test]
async fn a_database_that_is_down_is_a_503() {
    let stage = Stage::new().failing(Failing::Database);
    for path in [&format!("/v1/subscriptions/{ACME}/usage"), "/v1/usage/losses", "/v1/usage/held"] {
        stage.get(path).await.problem(503, "unavailable");
    }
}
