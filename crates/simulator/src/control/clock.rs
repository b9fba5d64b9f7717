use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use crate::control::Control;
use crate::control::error::{Asked, Body, ControlError};
use crate::{ClockMove, ClockMoved, ClockReading};

const WAIT_SECS_MAX: u64 = 60;
const WAIT_SECS_DEFAULT: u64 = 20;
const NAME_BYTES_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// Answer when the clock was moved more often; at once where it is left out.
    after: Option<u64>,
    wait_secs: Option<u64>,
    /// Who asks, if their own clock follows.
    follower: Option<String>,
}

pub(super) async fn show(
    State(control): State<Control>,
    Asked(question): Asked<Question>,
) -> Result<Json<ClockReading>, ControlError> {
    let follower = question.follower.as_deref();
    if follower.is_some_and(|name| name.is_empty() || name.len() > NAME_BYTES_MAX) {
        return Err(ControlError::bad_request(format!("`follower` is 1 to {NAME_BYTES_MAX} bytes")));
    }
    let wait_secs = match question.after {
        Some(_) => question.wait_secs.unwrap_or(WAIT_SECS_DEFAULT).min(WAIT_SECS_MAX),
        None => 0,
    };
    let after = question.after.unwrap_or_default();
    let reading = control.market.clock_after(after, follower, Duration::from_secs(wait_secs)).await;
    Ok(Json(reading))
}

pub(super) async fn set(
    State(control): State<Control>,
    Body(to): Body<ClockMove>,
) -> Result<Json<ClockMoved>, ControlError> {
    Ok(Json(control.market.move_clock(to).await?))
}
