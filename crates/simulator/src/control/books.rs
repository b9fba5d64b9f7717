use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::control::error::{Asked, ControlError};
use crate::control::{Control, PAGE_DEFAULT, PAGE_MAX};
use crate::marketplace::to_millisecond;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// The id that the page before ended with.
    after: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn list(State(control): State<Control>, Asked(page): Asked<Page>) -> Json<Value> {
    let limit = page.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let as_of = control.market.clock().now();
    let mut entries = control.market.books_after(page.after.as_deref(), limit + 1);
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| more).map(|entry| entry.id.clone());
    Json(json!({"as_of": to_millisecond(as_of), "subscriptions": entries, "next": next}))
}

pub(super) async fn of_buyer(
    State(control): State<Control>,
    Path(buyer): Path<String>,
) -> Result<Json<Value>, ControlError> {
    let as_of = control.market.clock().now();
    let entries = control.market.books_of(&buyer);
    if entries.is_empty() {
        return Err(ControlError::nobody(&buyer));
    }
    Ok(Json(json!({"as_of": to_millisecond(as_of), "subscriptions": entries})))
}
