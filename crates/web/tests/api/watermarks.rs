//! `PUT /v1/watermarks`: a source's word that usage is complete.

use serde_json::{Value, json};

use crate::stage::{Failing, Stage};

fn watermark() -> Value {
    json!({ "product": "p", "tenant": "acme", "source": "app", "complete_through": "2026-11-26T12:00:00Z" })
}

fn with(field: &str, value: Value) -> String {
    let mut watermark = watermark();
    watermark[field] = value;
    watermark.to_string()
}

#[tokio::test]
async fn a_watermark_is_stored_for_a_tenant_or_for_all() {
    let stage = Stage::new();
    for body in [watermark().to_string(), with("tenant", Value::Null)] {
        assert_eq!(stage.put("/v1/watermarks", body).await.status, 204);
    }
    let stored = stage.worker.watermarks.lock().unwrap();
    assert_eq!(stored[0].tenant, Some("acme".parse().unwrap()));
    assert_eq!(stored[1].tenant, None);
    assert_eq!(stored[0].complete_through, "2026-11-26T12:00:00Z".parse().unwrap());
}

#[tokio::test]
async fn an_unknown_product_or_tenant_is_a_404() {
    for body in [with("product", json!("q")), with("tenant", json!("nobody"))] {
        Stage::new().put("/v1/watermarks", body).await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn the_future_an_unknown_source_and_a_field_that_is_wrong_are_a_422_that_says_which() {
    for (body, word) in [
        (with("complete_through", json!("2026-11-26T13:00:00Z")), "future"),
        (with("source", json!("cron")), "usage_sources"),
        (with("source", json!("a b")), "source"),
        (with("complete_through", json!("noon")), "complete_through"),
        (with("product", json!("")), "product"),
        (with("tenant", json!(" ")), "tenant"),
        (with("until", json!("noon")), "until"),
        ("{}".to_owned(), "product"),
    ] {
        let answer = Stage::new().put("/v1/watermarks", body).await;
        assert!(answer.problem(422, "unprocessable").contains(word), "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_a_400() {
    Stage::new().put("/v1/watermarks", "p app").await.problem(400, "bad-request");
}

#[tokio::test]
async fn a_database_that_is_down_is_a_503() {
    let stage = Stage::new().failing(Failing::Database);
    stage.put("/v1/watermarks", watermark().to_string()).await.problem(503, "unavailable");
}
