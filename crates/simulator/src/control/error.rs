use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::control::overview::PATHS;
use crate::{ActError, CrowdError, FaultError, MoveError};

/// A refusal, in words that say what to do.
#[derive(Debug)]
pub(crate) struct ControlError {
    status: StatusCode,
    words: String,
}

impl ControlError {
    pub(super) fn bad_request(words: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, words }
    }

    pub(super) fn not_found(words: String) -> Self {
        Self { status: StatusCode::NOT_FOUND, words }
    }

    /// Nobody of that name is in the books.
    pub(super) fn nobody(buyer: &str) -> Self {
        Self::not_found(format!(
            "no buyer `{buyer}` bought anything yet; POST /control/acts {{\"act\": \"subscribe\", …}} first, \
             or see GET /control/books for those who did"
        ))
    }

    pub(super) fn forbidden(words: String) -> Self {
        Self { status: StatusCode::FORBIDDEN, words }
    }

    fn new(status: StatusCode, error: &dyn std::error::Error) -> Self {
        Self { status, words: error.to_string() }
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.words}))).into_response()
    }
}

impl From<ActError> for ControlError {
    fn from(error: ActError) -> Self {
        let status = match &error {
            ActError::UnknownProduct { .. } | ActError::UnknownSubscription { .. } => StatusCode::NOT_FOUND,
            ActError::BadName => StatusCode::BAD_REQUEST,
            ActError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            ActError::NothingBought { .. }
            | ActError::SeveralLicenses { .. }
            | ActError::NotOffered { .. }
            | ActError::Impossible { .. }
            | ActError::AheadOfClock { .. }
            | ActError::Full { .. } => StatusCode::CONFLICT,
        };
        Self::new(status, &error)
    }
}

impl From<MoveError> for ControlError {
    fn from(error: MoveError) -> Self {
        let status = match error {
            MoveError::CrowdMovesIt => StatusCode::CONFLICT,
            MoveError::OutOfBounds => StatusCode::BAD_REQUEST,
            MoveError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, &error)
    }
}

impl From<CrowdError> for ControlError {
    fn from(error: CrowdError) -> Self {
        let status = match &error {
            CrowdError::Running { .. } => StatusCode::CONFLICT,
            CrowdError::BadPlan(_) => StatusCode::BAD_REQUEST,
        };
        Self::new(status, &error)
    }
}

impl From<FaultError> for ControlError {
    fn from(error: FaultError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, &error)
    }
}

impl From<QueryRejection> for ControlError {
    fn from(rejection: QueryRejection) -> Self {
        Self { status: rejection.status(), words: rejection.body_text() }
    }
}

impl From<BytesRejection> for ControlError {
    fn from(rejection: BytesRejection) -> Self {
        Self { status: rejection.status(), words: rejection.body_text() }
    }
}

/// A body in JSON, whatever its `Content-Type` says.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ControlError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let bytes = Bytes::from_request(request, state).await?;
        let body = serde_json::from_slice(&bytes);
        body.map(Self).map_err(|error| ControlError::bad_request(format!("the body does not fit: {error}")))
    }
}

/// What follows the question mark.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = ControlError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Query(asked) = Query::from_request_parts(parts, state).await?;
        Ok(Self(asked))
    }
}

pub(super) async fn no_such_path(uri: Uri) -> ControlError {
    ControlError::not_found(format!("there is no {}; there are: {}", uri.path(), PATHS.join(", ")))
}

pub(super) async fn no_such_method(method: Method, uri: Uri) -> ControlError {
    let words = format!("{} does not take {method}; there are: {}", uri.path(), PATHS.join(", "));
    ControlError { status: StatusCode::METHOD_NOT_ALLOWED, words }
}
