use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::control::Control;
use crate::server::RULE_ARN;

/// What the control API takes.
pub(super) const PATHS: [&str; 20] = [
    "GET /control/",
    "GET /control/clock",
    "POST /control/clock",
    "POST /control/acts",
    "GET /control/books",
    "GET /control/books/{buyer}",
    "GET /control/bill",
    "GET /control/bill/{buyer}",
    "GET|PUT|DELETE /control/metering",
    "GET /control/metering/calls",
    "GET /control/notifications",
    "GET|PUT|DELETE /control/faults",
    "GET|PUT|DELETE /control/faults/metering",
    "GET|PUT|DELETE /control/faults/registration",
    "POST /control/tokens",
    "GET /control/queues",
    "POST /control/crowd",
    "GET /control/crowd",
    "GET /shop",
    "GET /root.pem",
];

/// What there is.
pub(super) async fn show(State(control): State<Control>) -> Json<Value> {
    let products = control.market.products();
    let products: Vec<Value> = products
        .iter()
        .map(|product| {
            json!({
                "key": product.key,
                "code": product.code,
                "id": product.id,
                "feed": product.feed,
                "pricing": product.pricing,
                "topics": product.topics(),
                "dimensions": product.dimensions,
            })
        })
        .collect();
    let queues: Vec<Value> = control
        .queues
        .all()
        .iter()
        .map(|queue| json!({"name": queue.name(), "url": queue.url(), "arn": queue.arn()}))
        .collect();
    Json(json!({
        "url": &*control.base_url,
        "products": products,
        "queues": queues,
        "rule_arn": RULE_ARN,
        "metering": control.metering.counts(),
        "root_certificate": "/root.pem",
        "paths": PATHS,
    }))
}
