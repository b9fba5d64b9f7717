use axum::Json;
use axum::extract::State;

use crate::control::Control;
use crate::control::error::{Body, ControlError};
use crate::{CrowdPlan, CrowdProgress};

pub(super) async fn start(
    State(control): State<Control>,
    Body(plan): Body<CrowdPlan>,
) -> Result<Json<CrowdProgress>, ControlError> {
    Ok(Json(control.market.start_crowd(plan)?))
}

pub(super) async fn show(State(control): State<Control>) -> Result<Json<CrowdProgress>, ControlError> {
    let none = "no crowd came yet; POST /control/crowd {\"notifications\": 1000, \"seed\": 1} first";
    control.market.crowd().map(Json).ok_or_else(|| ControlError::not_found(none.to_owned()))
}
