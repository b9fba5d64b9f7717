//! The shop: pages on which one plays the buyer, moves the clock, and sees what would be billed.

mod acts;
mod faults;
mod headers;
mod page;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use crate::control::{Control, refuse_sites};

/// Forms of the shop have a few short fields.
const BODY_BYTES_MAX: usize = 16 << 10;
const STYLESHEET: &str = include_str!("../../assets/shop.css");
const SCRIPT: &str = include_str!("../../assets/shop.js");

/// All routes below `/shop`, and the way there.
pub(crate) fn router(control: Control) -> Router {
    let policy = headers::Policy::of(&control.market.products());
    Router::new()
        .route("/", get(|| async { Redirect::to("/shop") }))
        .route("/shop", get(page::show))
        .route("/shop/act", post(acts::act))
        .route("/shop/set-up", post(acts::set_up))
        .route("/shop/clock", post(acts::move_clock))
        .route("/shop/faults", post(faults::switch))
        .route("/shop/assets/shop.css", get(|| async { asset("text/css; charset=utf-8", STYLESHEET) }))
        .route("/shop/assets/shop.js", get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(policy, headers::secure))
        .layer(from_fn_with_state(control.clone(), refuse_sites))
        .with_state(control)
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}

/// A page from its template.
fn html(status: StatusCode, template: &impl askama::Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a page of the shop was not written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
