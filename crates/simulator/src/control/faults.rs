use axum::Json;
use axum::extract::State;

use crate::FaultSettings;
use crate::control::Control;
use crate::control::error::{Body, ControlError};

pub(super) async fn show(State(control): State<Control>) -> Json<FaultSettings> {
    Json(control.faults.settings())
}

pub(super) async fn set(
    State(control): State<Control>,
    Body(settings): Body<FaultSettings>,
) -> Result<Json<FaultSettings>, ControlError> {
    control.faults.set(settings)?;
    Ok(Json(control.faults.settings()))
}

pub(super) async fn clear(State(control): State<Control>) -> Result<Json<FaultSettings>, ControlError> {
    control.faults.set(FaultSettings::default())?;
    Ok(Json(control.faults.settings()))
}
