//! The forms in which usage is sent, and their bounds.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::post::event;
use crate::stage::{Answer, Stage, WRITER, bearing};

fn statuses(answer: &Answer) -> Vec<&str> {
    let results = answer.json["results"].as_array();
    results.into_iter().flatten().filter_map(|result| result["status"].as_str()).collect()
}

fn cloud_event() -> Value {
    json!({
        "specversion": "1.0", "id": "ce-1", "source": "/app", "type": "com.example.used", "subject": "acme",
        "time": "2026-11-26T12:10:00Z", "datacontenttype": "application/json", "traceparent": "00-1",
        "data": { "product": "p", "dimension": "calls", "quantity": 0.5 },
    })
}

#[tokio::test]
async fn events_come_as_a_list_or_as_an_object_that_holds_one() {
    let list = json!([event("u-1"), event("u-2")]);
    for body in [list.clone(), json!({ "events": list })] {
        assert_eq!(statuses(&Stage::new().post(body.to_string()).await), ["counted", "counted"]);
    }
}

#[tokio::test]
async fn no_events_are_no_results() {
    let answer = Stage::new().post("[]").await;
    assert_eq!((answer.status.as_u16(), &answer.json), (200, &json!({ "results": [] })));
}

#[tokio::test]
async fn a_body_without_a_content_type_is_taken_for_json() {
    let request = bearing(Request::post("/v1/usage"), WRITER);
    let answer =
        Stage::new().send(request.body(Body::from(json!([event("u-1")]).to_string())).unwrap()).await;
    assert_eq!(statuses(&answer), ["counted"]);
}

#[tokio::test]
async fn a_content_type_that_is_not_understood_is_a_415() {
    let answer = Stage::new().post_as("text/csv", "id,tenant").await;
    assert!(answer.problem(415, "unsupported-media-type").contains("application/json"));
}

#[tokio::test]
async fn a_body_that_is_no_json_is_a_400() {
    for body in [&b"id=1"[..], b"", b"[", b"{\"events\": [}", b"{\"other\": tru", b"[\"\xff\"]", b"[] []"] {
        Stage::new().post(body).await.problem(400, "bad-request");
    }
}

#[tokio::test]
async fn json_of_another_form_is_a_422() {
    for body in
        ["5", "null", "\"x\"", "{}", r#"{"events": {}}"#, r#"{"event": []}"#, r#"{"events": [], "x": 1}"#]
    {
        Stage::new().post(body).await.problem(422, "unprocessable");
    }
}

#[tokio::test]
async fn a_thousand_events_are_taken_and_one_more_is_a_422() {
    let events = |count: usize| {
        let events: Vec<Value> = (0..count).map(|number| event(&format!("u-{number}"))).collect();
        Value::from(events).to_string()
    };
    let stage = Stage::new();
    assert_eq!(statuses(&stage.post(events(1_000)).await).len(), 1_000);
    let answer = stage.post(events(1_001)).await;
    assert!(answer.problem(422, "unprocessable").contains("1001 events"));
    assert_eq!(stage.worker.submitted.lock().unwrap().len(), 1_000, "nothing of the larger request is taken");
}

#[tokio::test]
async fn a_mebibyte_is_taken_and_one_byte_more_is_a_413() {
    let body = |bytes: usize| {
        format!("[{}{}]", event("u-1"), " ".repeat(bytes - 2 - event("u-1").to_string().len()))
    };
    let stage = Stage::new();
    assert_eq!(statuses(&stage.post(body(1 << 20)).await), ["counted"]);
    stage.post(body((1 << 20) + 1)).await.problem(413, "too-large");
}

#[tokio::test]
async fn a_cloud_event_gives_its_id_time_and_subject() {
    let stage = Stage::new();
    let answer =
        stage.post_as("application/cloudevents+json; charset=utf-8", cloud_event().to_string()).await;
    assert_eq!(
        answer.json["results"],
        json!([{ "index": 0, "id": "ce-1", "status": "counted", "hour": "2026-11-26T12:00:00Z" }])
    );
    let submitted = stage.worker.submitted.lock().unwrap();
    assert_eq!((submitted[0].tenant.as_str(), submitted[0].quantity.as_str()), ("acme", "0.5"));
}

#[tokio::test]
async fn a_cloud_event_whose_data_names_the_tenant_may_have_another_subject() {
    let stage = Stage::new();
    let mut named = cloud_event();
    named["subject"] = json!("invoice-7");
    named["data"]["tenant"] = json!("acme");
    let answer = stage.post_as("application/cloudevents+json", named.to_string()).await;
    assert_eq!(statuses(&answer), ["counted"]);
}

#[tokio::test]
async fn cloud_events_come_in_batches_of_which_the_good_ones_stand() {
    let without = |field: &str| {
        let mut event = cloud_event();
        event.as_object_mut().unwrap().remove(field);
        event
    };
    let batch = json!([
        cloud_event(),
        without("specversion"),
        without("data"),
        without("time"),
        without("subject"),
        without("id"),
        7,
        cloud_event(),
    ]);
    let answer = Stage::new().post_as("application/cloudevents-batch+json", batch.to_string()).await;
    assert_eq!(
        statuses(&answer),
        ["counted", "refused", "refused", "refused", "refused", "refused", "refused", "counted"]
    );
    let reasons: Vec<&Value> =
        answer.json["results"].as_array().unwrap().iter().map(|r| &r["reason"]).collect();
    let (malformed, missing, none) = (json!("malformed"), json!("missing_field"), Value::Null);
    assert_eq!(reasons, [&none, &malformed, &malformed, &missing, &missing, &missing, &malformed, &none]);
}

#[tokio::test]
async fn a_list_is_no_cloud_event() {
    let body = json!([cloud_event()]).to_string();
    Stage::new().post_as("application/cloudevents+json", body).await.problem(422, "unprocessable");
}
