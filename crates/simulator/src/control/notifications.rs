use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::control::error::Asked;
use crate::control::{Control, PAGE_DEFAULT, PAGE_MAX};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// The number that the page before ended with.
    after: Option<u64>,
    limit: Option<usize>,
}

pub(super) async fn list(State(control): State<Control>, Asked(page): Asked<Page>) -> Json<Value> {
    let limit = page.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let mut notifications = control.market.notifications(page.after.unwrap_or_default(), limit + 1);
    let more = notifications.len() > limit;
    notifications.truncate(limit);
    let next = notifications.last().filter(|_| more).map(|last| last.number);
    Json(json!({"notifications": notifications, "next": next}))
}
