use axum::Json;
use axum::extract::State;

use crate::control::Control;
use crate::control::error::{Body, ControlError};
use crate::{RegistrationToken, Whose};

/// Issues what a buyer would bring to the seller's registration page.
pub(super) async fn issue(
    State(control): State<Control>,
    Body(whose): Body<Whose>,
) -> Result<Json<RegistrationToken>, ControlError> {
    Ok(Json(control.tokens.issue(&whose)?))
}
