use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::MeteringSettings;
use crate::control::Control;
use crate::control::bill::Page;
use crate::control::error::{Asked, Body};

pub(super) async fn show(State(control): State<Control>) -> Json<MeteringSettings> {
    Json(control.metering.settings())
}

pub(super) async fn set(
    State(control): State<Control>,
    Body(settings): Body<MeteringSettings>,
) -> Json<MeteringSettings> {
    control.metering.set_settings(settings);
    Json(control.metering.settings())
}

pub(super) async fn reset(State(control): State<Control>) -> Json<MeteringSettings> {
    control.metering.set_settings(MeteringSettings::default());
    Json(control.metering.settings())
}

pub(super) async fn calls(State(control): State<Control>, Asked(page): Asked<Page>) -> Json<Value> {
    let limit = page.limit();
    let mut calls = control.metering.calls_after(page.after(), limit + 1);
    let more = calls.len() > limit;
    calls.truncate(limit);
    let next = calls.last().filter(|_| more).map(|last| last.number);
    Json(json!({"counts": control.metering.counts(), "calls": calls, "next": next}))
}
