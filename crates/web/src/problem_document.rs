use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use stallkeeper_persistence::StoreError;
use stallkeeper_runtime::error_chain;

/// When a caller may try again whom the database could not serve.
const STORE_RETRY_SECS: u64 = 5;

/// An error as RFC 9457 has it: `application/problem+json`.
#[derive(Clone, Debug)]
pub(crate) struct ProblemDocument {
    status: StatusCode,
    /// The last part of the type, by which programs tell problems apart.
    kind: &'static str,
    title: &'static str,
    detail: Cow<'static, str>,
    hint: Hint,
}

/// What a header tells the caller besides.
#[derive(Clone, Copy, Debug)]
enum Hint {
    None,
    /// `Retry-After`, in seconds.
    RetryAfter(u64),
    /// `WWW-Authenticate`.
    Authenticate(&'static str),
}

/// What a problem document says.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct ProblemBody<'a> {
    /// The word for programs.
    #[schemars(extend("pattern" = "^urn:stallkeeper:problem:[a-z-]+$"))]
    r#type: String,
    /// The problem in general.
    title: &'a str,
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// The problem of this request.
    detail: &'a str,
}

impl ProblemDocument {
    pub(crate) fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, kind, title, detail: detail.into(), hint: Hint::None }
    }

    pub(crate) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request cannot be read", detail)
    }

    pub(crate) fn unprocessable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "The request cannot be followed", detail)
    }

    pub(crate) fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "It stands against what is so", detail)
    }

    pub(crate) fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }

    /// The database or the worker cannot serve now.
    pub(crate) fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        let title = "The worker cannot serve this now";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", title, detail).retry_after(STORE_RETRY_SECS)
    }

    /// What a store's failure is to a caller; the cause stands in the log only.
    pub(crate) fn of_store(error: &StoreError) -> Self {
        let cause = error_chain(error);
        match error {
            StoreError::Unavailable(_) | StoreError::Conflict(_) => {
                tracing::warn!(error = %cause, "a call could not be served");
                Self::unavailable("the database cannot be reached or is too busy; try again later")
            }
            StoreError::Data(_) | StoreError::Unreadable { .. } => {
                tracing::error!(error = %cause, "a call failed");
                let title = "The database refuses this";
                let detail = "trying again does not help; the worker's log says why";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "refused-by-store", title, detail)
            }
        }
    }

    pub(crate) fn retry_after(mut self, secs: u64) -> Self {
        self.hint = Hint::RetryAfter(secs);
        self
    }

    pub(crate) fn authenticate(mut self, challenge: &'static str) -> Self {
        self.hint = Hint::Authenticate(challenge);
        self
    }
}

impl From<StoreError> for ProblemDocument {
    fn from(error: StoreError) -> Self {
        Self::of_store(&error)
    }
}

impl IntoResponse for ProblemDocument {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            r#type: format!("urn:stallkeeper:problem:{}", self.kind),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.hint {
            Hint::None => None,
            Hint::RetryAfter(secs) => headers.insert(header::RETRY_AFTER, HeaderValue::from(secs)),
            Hint::Authenticate(challenge) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
            }
        };
        response
    }
}
