use axum::Json;
use axum::extract::State;
use serde_json::Value;

use crate::control::Control;
use crate::control::error::{Body, ControlError};
use crate::{Act, Done};

pub(super) async fn act(
    State(control): State<Control>,
    Body(act): Body<Value>,
) -> Result<Json<Done>, ControlError> {
    let act: Act = serde_json::from_value(act).map_err(|error| {
        let acts = Act::NAMES.join(", ");
        ControlError::bad_request(format!(
            "the act does not fit: {error}; it is {{\"act\", \"buyer\", \"product\"}} with `trial` for \
             subscribe, `quantities` for change-entitlements and `subscription` for one of several licenses; the acts are: {acts}"
        ))
    })?;
    Ok(Json(control.market.act(&act).await?))
}
