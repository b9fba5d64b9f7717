use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::Desk;
use super::pages::{closed, message, sign_in_page};
use super::visitor::is_foreign;

/// What the form of the sign-in page sends.
#[derive(Deserialize)]
pub(super) struct SignIn {
    token: SecretString,
}

pub(super) async fn show(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    if desk.access.is_closed() {
        return closed();
    }
    if desk.who(&headers).is_ok() {
        return Redirect::to("/console").into_response();
    }
    sign_in_page(StatusCode::OK, None)
}

pub(super) async fn sign_in(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    form: Result<Form<SignIn>, FormRejection>,
) -> Response {
    if desk.access.is_closed() {
        return closed();
    }
    if is_foreign(&headers) {
        return message(StatusCode::FORBIDDEN, "Not accepted", "Another site sent this. Nothing was done.");
    }
    if let Some(wait) = desk.failures.wait() {
        let seconds = wait.as_secs().max(1);
        let words = format!("Too many attempts failed. Try again in {seconds} s.");
        let mut response = sign_in_page(StatusCode::TOO_MANY_REQUESTS, Some(&words));
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return response;
    }
    let found = form.ok().and_then(|Form(form)| desk.access.operators.find(form.token.expose_secret()));
    let Some(operator) = found else {
        desk.failures.note();
        tracing::warn!("an attempt to sign in to the console failed");
        return sign_in_page(StatusCode::UNAUTHORIZED, Some("This token is not known."));
    };
    let Ok(random) = desk.entropy.bytes() else {
        return message(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not now",
            "The system has no random bytes to give.",
        );
    };
    tracing::info!(operator = operator.name(), "signed in to the console");
    with_cookie(&desk, "/console", &desk.sessions.open(operator.clone(), &random))
}

/// Ends the session; whom the proxy lets in is let in again.
pub(super) async fn sign_out(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    if let Some(cookie) = desk.access.cookie_of(&headers) {
        desk.sessions.close(cookie);
    }
    with_cookie(&desk, "/console/sign-in", "")
}

fn with_cookie(desk: &Desk, to: &str, text: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    // Digits and names only, which a header can carry.
    if let Ok(value) = HeaderValue::from_str(&desk.access.set_cookie(text)) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}
