use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::BillEntry;
use crate::control::error::{Asked, ControlError};
use crate::control::{Control, PAGE_DEFAULT, PAGE_MAX};
use crate::marketplace::to_millisecond;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// The number that the page before ended with.
    after: Option<u64>,
    limit: Option<usize>,
}

impl Page {
    pub(super) fn after(&self) -> u64 {
        self.after.unwrap_or_default()
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)
    }
}

pub(super) async fn list(State(control): State<Control>, Asked(page): Asked<Page>) -> Json<Value> {
    let as_of = to_millisecond(control.market.clock().now());
    let entries = control.metering.bill_after(page.after(), page.limit() + 1);
    let (entries, next) = cut(entries, page.limit());
    Json(json!({"as_of": as_of, "entries": entries, "next": next}))
}

pub(super) async fn of_buyer(
    State(control): State<Control>,
    Path(buyer): Path<String>,
    Asked(page): Asked<Page>,
) -> Result<Json<Value>, ControlError> {
    let as_of = to_millisecond(control.market.clock().now());
    if control.market.books_of(&buyer).is_empty() {
        return Err(ControlError::nobody(&buyer));
    }
    let mut entries = control.metering.bill_of_buyer(&buyer);
    entries.retain(|entry| entry.number > page.after());
    let (entries, next) = cut(entries, page.limit());
    let is_suspended = control.market.is_suspended(&buyer);
    Ok(Json(json!({"as_of": as_of, "suspended": is_suspended, "entries": entries, "next": next})))
}

/// One page, and the number that it ends with if there is more.
fn cut(mut entries: Vec<BillEntry>, limit: usize) -> (Vec<BillEntry>, Option<u64>) {
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| more).map(|last| last.number);
    (entries, next)
}
