use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::Either;
use tower::{Layer, Service};

use crate::access::Caller;
use crate::problem_document::ProblemDocument;
use crate::tokens::{Admission, ApiTokens, Scope};

/// Lets calls through whose token has a scope; others are answered before their body is read.
///
/// A service of its own and no function between others, as it is passed at every call and need not wait for anything.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) tokens: ApiTokens,
    pub(crate) scope: Scope,
}

/// What stands behind the gate.
#[derive(Clone, Debug)]
pub(crate) struct Gated<S> {
    gate: Gate,
    inner: S,
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { gate: self.clone(), inner }
    }
}

impl<S: Service<Request, Response = Response>> Service<Request> for Gated<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        match self.gate.refused(&mut request) {
            None => Either::Left(self.inner.call(request)),
            Some(refused) => Either::Right(ready(Ok(refused))),
        }
    }
}

impl Gate {
    /// What a call is answered that is not let through.
    fn refused(&self, request: &mut Request) -> Option<Response> {
        match self.tokens.admit(bearer(request.headers()), self.scope) {
            Admission::Admitted(name) => {
                // Who only reads is named in no history.
                if !request.method().is_safe() {
                    request.extensions_mut().insert(Caller(name.clone()));
                }
                None
            }
            Admission::Closed => {
                Some(unauthorized("no API token is configured, so that nobody may call /v1"))
            }
            Admission::Unknown => {
                Some(unauthorized("send a token that is configured, as `Authorization: Bearer …`"))
            }
            Admission::OutOfScope => Some(out_of_scope(self.scope)),
        }
    }
}

/// The token of `Authorization: Bearer …`; the scheme's case does not matter (RFC 9110).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unauthorized(detail: &'static str) -> Response {
    let title = "A token is needed";
    ProblemDocument::new(StatusCode::UNAUTHORIZED, "unauthorized", title, detail)
        .authenticate("Bearer")
        .into_response()
}

fn out_of_scope(scope: Scope) -> Response {
    let detail = format!("the token has not the scope {scope}");
    let title = "The token does not allow this";
    ProblemDocument::new(StatusCode::FORBIDDEN, "out-of-scope", title, detail)
        .authenticate("Bearer error=\"insufficient_scope\"")
        .into_response()
}
