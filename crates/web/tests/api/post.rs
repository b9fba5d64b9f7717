//! `POST /v1/usage`: one result for each event, and the good ones stand.

use serde_json::{Value, json};
use stallkeeper_ledger::{ApiDimension, Hour, Phase};

use crate::stage::{ACME, Failing, Stage, meter};

pub(crate) fn event(id: &str) -> Value {
    json!({
        "id": id, "tenant": "acme", "product": "p", "dimension": "calls", "quantity": 1,
        "occurred_at": "2026-11-26T12:10:00Z",
    })
}

/// An event with one field set to something else.
fn with(field: &str, value: Value) -> Value {
    let mut event = event("u-1");
    event[field] = value;
    event
}

/// Posts one event; its result.
async fn result_of(stage: &Stage, event: Value) -> Value {
    let answer = stage.post(json!([event]).to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json["results"].as_array().unwrap().len(), 1);
    answer.json["results"][0].clone()
}

#[tokio::test]
async fn usage_is_counted_in_its_hour() {
    assert_eq!(
        result_of(&Stage::new(), event("u-1")).await,
        json!({ "index": 0, "id": "u-1", "status": "counted", "hour": "2026-11-26T12:00:00Z" })
    );
}

#[tokio::test]
async fn everything_that_the_app_says_arrives() {
    let stage = Stage::new();
    let mut event = event("u-1");
    event["user"] = json!("ann");
    event["tags"] = json!({ "team": "red" });
    event["subscription"] = json!(ACME);
    event["occurred_at"] = json!("2026-11-26T13:10:00.5+01:00");
    assert_eq!(result_of(&stage, event).await["status"], "counted");
    let submitted = stage.worker.submitted.lock().unwrap();
    let submission = &submitted[0];
    assert_eq!(submission.occurred_at, "2026-11-26T12:10:00.5Z".parse().unwrap());
    assert_eq!(submission.user, Some("ann".parse().unwrap()));
    assert_eq!(submission.tags, [("team".to_owned(), "red".to_owned())].into());
    assert_eq!(submission.subscription, Some(ACME.parse().unwrap()));
}

#[tokio::test]
async fn the_good_ones_stand_beside_those_that_are_refused_and_the_order_is_kept() {
    let stage = Stage::new();
    let events = json!([
        event("u-0"),
        "nonsense",
        event("u-2"),
        { "id": "u-3", "tenant": "acme" },
        with("tenant", json!("nobody")),
        event("u-5"),
    ]);
    let answer = stage.post(events.to_string()).await;
    let results = answer.json["results"].as_array().unwrap();
    let brief: Vec<Value> = results.iter().map(|r| json!([r["index"], r["id"], r["status"]])).collect();
    assert_eq!(
        brief,
        [
            json!([0, "u-0", "counted"]),
            json!([1, null, "refused"]),
            json!([2, "u-2", "counted"]),
            json!([3, "u-3", "refused"]),
            json!([4, "u-1", "refused"]),
            json!([5, "u-5", "counted"]),
        ]
    );
    assert_eq!(results[3]["reason"], "missing_field");
    assert_eq!(results[4]["reason"], "unknown_tenant");
}

#[tokio::test]
async fn what_the_ledger_refuses_is_refused_with_its_reason() {
    for (refused, reason) in [
        (with("tenant", json!("nobody")), "unknown_tenant"),
        (with("product", json!("q")), "unknown_product"),
        (with("dimension", json!("storage")), "unknown_dimension"),
        (with("subscription", json!("aws/prod-1/customer/X02")), "unknown_subscription"),
        (with("quantity", json!(-1)), "negative_quantity"),
        (with("quantity", json!("0.001")), "too_precise"),
        (with("quantity", json!(99_999_999_999_999_999_u64)), "too_large"),
        (with("quantity", json!("many")), "bad_quantity"),
        (with("occurred_at", json!("2026-11-26T12:36:00Z")), "in_the_future"),
        (with("occurred_at", json!("2026-11-24T12:00:00Z")), "too_old"),
        (with("tags", json!({ "a": "1", "b": "2", "c": "3", "d": "4", "e": "5", "f": "6" })), "bad_tags"),
    ] {
        let result = result_of(&Stage::new(), refused.clone()).await;
        assert_eq!((&result["status"], &result["reason"]), (&json!("refused"), &json!(reason)), "{refused}");
        assert!(result["message"].as_str().is_some_and(|message| !message.is_empty()), "{result}");
    }
}

#[tokio::test]
async fn an_event_that_is_malformed_says_which_field_and_how() {
    let long = "x".repeat(300);
    let many_tags: serde_json::Map<String, Value> = (0..65).map(|n| (format!("t{n}"), json!("v"))).collect();
    for (malformed, reason, word) in [
        (json!(5), "malformed", "object"),
        (
            json!(["u-1", "acme", "p", "calls", 1, "2026-11-26T12:10:00Z", null, null, null]),
            "malformed",
            "object",
        ),
        (with("tag", json!({})), "malformed", "unknown field `tag`"),
        (with("id", Value::Null), "missing_field", "id"),
        (with("quantity", Value::Null), "missing_field", "quantity"),
        (with("id", json!(7)), "bad_id", "id"),
        (with("id", json!("x".repeat(129))), "bad_id", "128"),
        (with("id", json!("a\0b")), "bad_id", "id"),
        (with("tenant", json!(long)), "bad_tenant", "256"),
        (with("tenant", json!(" ")), "bad_tenant", "tenant"),
        (with("product", json!("a b")), "bad_product", "product"),
        (with("dimension", json!(long)), "bad_dimension", "dimension"),
        (with("occurred_at", json!("yesterday")), "bad_time", "RFC 3339"),
        (with("occurred_at", json!(1_764_158_400)), "bad_time", "occurred_at"),
        (with("user", json!(long)), "bad_user", "user"),
        (with("quantity", json!(true)), "bad_quantity", "quantity"),
        (with("quantity", json!("1".repeat(65))), "bad_quantity", "64"),
        (with("tags", json!({ "team": 1 })), "bad_tags", "texts"),
        (with("tags", Value::Object(many_tags)), "bad_tags", "64"),
        (with("subscription", json!("aws")), "bad_subscription", "marketplace/product/kind/id"),
    ] {
        let stage = Stage::new();
        let result = result_of(&stage, malformed.clone()).await;
        assert_eq!(
            (&result["status"], &result["reason"]),
            (&json!("refused"), &json!(reason)),
            "{malformed}"
        );
        assert!(result["message"].as_str().unwrap().contains(word), "{result}");
        assert!(stage.worker.submitted.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_number_is_read_digit_by_digit_and_never_by_way_of_a_float() {
    let stage = Stage::new();
    let of = |quantity: &str| {
        event("u-1").to_string().replace("\"quantity\":1", &format!("\"quantity\":{quantity}"))
    };
    for quantity in ["0.1", "0.10", "9007199254740993", "\"0.1\"", "1e3", "0.30000000000000004"] {
        let answer = stage.post(format!("[{}]", of(quantity))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let submitted = stage.worker.submitted.lock().unwrap();
    let quantities: Vec<&str> = submitted.iter().map(|submission| submission.quantity.as_str()).collect();
    assert_eq!(quantities, ["0.1", "0.10", "9007199254740993", "0.1", "1e3", "0.30000000000000004"]);
}

#[tokio::test]
async fn usage_before_the_activation_is_held_until_it_is_too_old() {
    let stage = Stage::new().and(meter(ACME, "acme", Phase::Waiting));
    let result = result_of(&stage, event("u-1")).await;
    assert_eq!(
        result,
        json!({
            "index": 0, "id": "u-1", "status": "held", "reason": "before_activation",
            "until": "2026-11-27T12:00:00Z",
        })
    );
}

#[tokio::test]
async fn usage_for_a_frozen_hour_is_held_as_late() {
    let mut frozen = meter(ACME, "acme", Phase::Running);
    let calls: ApiDimension = "api-calls".parse().unwrap();
    frozen.taken.insert(calls, Hour::of("2026-11-26T12:00:00Z".parse().unwrap()));
    let result = result_of(&Stage::new().and(frozen), event("u-1")).await;
    assert_eq!((&result["status"], &result["reason"]), (&json!("held"), &json!("late")));
}

#[tokio::test]
async fn usage_from_before_the_end_is_lost_with_its_reason_when_it_comes_after_it() {
    let over = Phase::Over { at: "2026-11-26T12:20:00Z".parse().unwrap(), until: None };
    let result = result_of(&Stage::new().and(meter(ACME, "acme", over)), event("u-1")).await;
    assert_eq!((&result["status"], &result["reason"]), (&json!("lost"), &json!("window_closed")));
}

#[tokio::test]
async fn a_tenant_with_several_subscriptions_has_to_name_one() {
    let stage = Stage::new().and(meter("aws/prod-1/customer/X02", "acme", Phase::Running));
    let result = result_of(&stage, event("u-1")).await;
    assert_eq!(result["reason"], "ambiguous_subscription");
    assert!(result["message"].as_str().unwrap().contains("aws/prod-1/customer/X02"));
    assert_eq!(result_of(&stage, with("subscription", json!(ACME))).await["status"], "counted");
}

#[tokio::test]
async fn a_busy_worker_says_when_to_come_again() {
    let answer = Stage::new().failing(Failing::Busy).post(json!([event("u-1")]).to_string()).await;
    answer.problem(429, "busy");
    assert_eq!(answer.header("retry-after"), "7");
}

#[tokio::test]
async fn a_database_that_is_down_is_a_503_that_tells_nothing_of_its_cause() {
    let answer = Stage::new().failing(Failing::Database).post(json!([event("u-1")]).to_string()).await;
    let detail = answer.problem(503, "unavailable");
    assert!(!detail.contains("hunter2"));
    assert_ne!(answer.header("retry-after"), "");
}

#[tokio::test]
async fn what_the_database_refuses_is_not_to_be_tried_again() {
    let answer = Stage::new().failing(Failing::Refused).post(json!([event("u-1")]).to_string()).await;
    assert!(!answer.problem(500, "refused-by-store").contains("hunter2"));
    assert_eq!(answer.header("retry-after"), "");
}
