use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use url::form_urlencoded;

use super::Desk;
use super::pages::{closed, message};
use super::visitor::{Stranger, Visitor, is_foreign};

/// The largest form, in bytes.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// The field of each form that shows where it comes from.
const FIELD: &str = "csrf";

/// Lets operators through, and of what they send only what their own pages made.
pub(super) async fn guard(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    if desk.access.is_closed() {
        return closed();
    }
    let visitor = match desk.who(request.headers()) {
        Ok(visitor) => visitor,
        Err(stranger) => return turn_away(&stranger, request.method()),
    };
    let reads_only = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut request = if reads_only {
        request
    } else {
        match own_form(&desk, &visitor, request).await {
            Ok(request) => request,
            Err(refusal) => return refusal,
        }
    };
    request.extensions_mut().insert(visitor);
    next.run(request).await
}

fn turn_away(stranger: &Stranger, method: &Method) -> Response {
    let unauthorized = |title, words: &str| message(StatusCode::UNAUTHORIZED, title, words);
    match stranger {
        Stranger::SignedOut if *method == Method::GET => Redirect::to("/console/sign-in").into_response(),
        Stranger::SignedOut => unauthorized("You are signed out", "Nothing was done. Sign in and try again."),
        Stranger::NotByProxy => unauthorized(
            "Come through the proxy",
            "This console is open to those whom your proxy vouches for, and its header is missing.",
        ),
        Stranger::Unbelieved(why) => {
            tracing::warn!(%why, "the console's proxy sent a token that is not accepted");
            let words = format!("The proxy's word about you is not accepted: {why}.");
            unauthorized("Not let in", &words)
        }
    }
}

/// The request with its form, where that was made by one of this visitor's pages.
async fn own_form(desk: &Desk, visitor: &Visitor, request: Request) -> Result<Request, Response> {
    let forged = || {
        let words = "The form was not made by this console, or before you signed in. Nothing was done. \
                     Go back, reload the page and try again.";
        message(StatusCode::FORBIDDEN, "Not accepted", words)
    };
    if is_foreign(request.headers()) {
        return Err(forged());
    }
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, FORM_BYTES_MAX).await.map_err(|_| {
        message(StatusCode::PAYLOAD_TOO_LARGE, "Too large", "A form of this console is never so large.")
    })?;
    let carried = form_urlencoded::parse(&bytes).find(|(name, _)| name == FIELD).map(|(_, text)| text);
    if !carried.is_some_and(|carried| desk.seal.is_of(&visitor.id, &carried)) {
        return Err(forged());
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}
