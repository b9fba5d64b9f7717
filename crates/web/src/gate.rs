use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::access::Caller;
use crate::problem_document::ProblemDocument;
use crate::tokens::{Admission, ApiTokens, Scope};

/// Lets calls through whose token has a scope.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) tokens: ApiTokens,
    pub(crate) scope: Scope,
}

/// Answers calls without a token that has the scope, before their body is read.
pub(crate) async fn guard(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    match gate.tokens.admit(bearer(request.headers()), gate.scope) {
        Admission::Admitted(name) => {
            // Who only reads is named in no history.
            if !request.method().is_safe() {
                request.extensions_mut().insert(Caller(name.clone()));
            }
            next.run(request).await
        }
        Admission::Closed => unauthorized("no API token is configured, so that nobody may call /v1"),
        Admission::Unknown => unauthorized("send a token that is configured, as `Authorization: Bearer …`"),
        Admission::OutOfScope => out_of_scope(gate.scope),
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
