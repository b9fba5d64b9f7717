use axum::Json;
use axum::extract::State;

use crate::control::Control;
use crate::control::error::{Body, ControlError};
use crate::{EntitlementFaultSettings, FaultSettings, MeteringFaultSettings, RegistrationFaultSettings};

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
    control.faults.set_metering(None)?;
    control.faults.set_registration(None)?;
    control.faults.set_entitlement(None)?;
    Ok(Json(control.faults.settings()))
}

pub(super) async fn show_metering(State(control): State<Control>) -> Json<MeteringFaultSettings> {
    Json(control.faults.metering_settings())
}

pub(super) async fn set_metering(
    State(control): State<Control>,
    Body(settings): Body<MeteringFaultSettings>,
) -> Result<Json<MeteringFaultSettings>, ControlError> {
    control.faults.set_metering(Some(settings))?;
    Ok(Json(control.faults.metering_settings()))
}

pub(super) async fn clear_metering(
    State(control): State<Control>,
) -> Result<Json<MeteringFaultSettings>, ControlError> {
    control.faults.set_metering(None)?;
    Ok(Json(control.faults.metering_settings()))
}

pub(super) async fn show_registration(State(control): State<Control>) -> Json<RegistrationFaultSettings> {
    Json(control.faults.registration_settings())
}

pub(super) async fn set_registration(
    State(control): State<Control>,
    Body(settings): Body<RegistrationFaultSettings>,
) -> Result<Json<RegistrationFaultSettings>, ControlError> {
    control.faults.set_registration(Some(settings))?;
    Ok(Json(control.faults.registration_settings()))
}

pub(super) async fn clear_registration(
    State(control): State<Control>,
) -> Result<Json<RegistrationFaultSettings>, ControlError> {
    control.faults.set_registration(None)?;
    Ok(Json(control.faults.registration_settings()))
}

pub(super) async fn show_entitlement(State(control): State<Control>) -> Json<EntitlementFaultSettings> {
    Json(control.faults.entitlement_settings())
}

pub(super) async fn set_entitlement(
    State(control): State<Control>,
    Body(settings): Body<EntitlementFaultSettings>,
) -> Result<Json<EntitlementFaultSettings>, ControlError> {
    control.faults.set_entitlement(Some(settings))?;
    Ok(Json(control.faults.entitlement_settings()))
}

pub(super) async fn clear_entitlement(
    State(control): State<Control>,
) -> Result<Json<EntitlementFaultSettings>, ControlError> {
    control.faults.set_entitlement(None)?;
    Ok(Json(control.faults.entitlement_settings()))
}
