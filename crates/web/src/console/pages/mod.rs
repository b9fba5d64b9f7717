//! The console's pages: each reads what it shows, makes plain lines of it, and hands these to its template.

mod held;
mod jobs;
mod lines;
mod losses;
mod metering;
mod overview;
mod quarantine;
mod shell;
mod subscription;
mod subscriptions;
mod webhooks;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use stallkeeper_persistence::StoreError;
use stallkeeper_runtime::error_chain;

use super::{Desk, assets};

/// How many rows a page of a listing has.
const ROWS: u32 = 50;

/// The pages' routes, behind the gate.
pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/console", get(overview::show))
        .route("/console/subscriptions", get(subscriptions::show))
        .route("/console/subscription", get(subscription::show))
        .route("/console/held", get(held::show))
        .route("/console/losses", get(losses::show))
        .route("/console/metering", get(metering::show))
        .route("/console/quarantine", get(quarantine::list))
        .route("/console/quarantine/message", get(quarantine::show))
        .route("/console/jobs", get(jobs::show))
        .route("/console/webhooks", get(webhooks::show))
}

/// Why there is no page.
#[derive(Debug)]
enum Trouble {
    /// There is no such thing; what it is, in words.
    NotFound(&'static str),
    /// The address cannot be read; why, in words.
    Address(String),
    /// The database failed.
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound(words) => message(StatusCode::NOT_FOUND, "There is no such thing", words),
            Self::Address(words) => message(StatusCode::BAD_REQUEST, "The address cannot be read", &words),
            Self::Store(error @ (StoreError::Unavailable(_) | StoreError::Conflict(_))) => {
                tracing::warn!(error = %error_chain(&error), "the console cannot be shown");
                let words = "The database cannot be reached or is too busy. Try again in a moment.";
                message(StatusCode::SERVICE_UNAVAILABLE, "The database does not answer", words)
            }
            Self::Store(error) => {
                tracing::error!(error = %error_chain(&error), "a page of the console failed");
                let words = "What is stored cannot be read by this version. The worker's log says why.";
                message(StatusCode::INTERNAL_SERVER_ERROR, "This cannot be shown", words)
            }
        }
    }
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "console/message.html")]
struct MessagePage<'a> {
    assets: &'static str,
    title: &'a str,
    words: &'a str,
}

pub(super) fn message(status: StatusCode, title: &str, words: &str) -> Response {
    render(status, &MessagePage { assets: assets::version(), title, words })
}

#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct SignInPage<'a> {
    assets: &'static str,
    title: &'static str,
    problem: Option<&'a str>,
}

pub(super) fn sign_in_page(status: StatusCode, problem: Option<&str>) -> Response {
    render(status, &SignInPage { assets: assets::version(), title: "Sign in", problem })
}

#[derive(Template)]
#[template(path = "console/closed.html")]
struct ClosedPage {
    assets: &'static str,
    title: &'static str,
}

/// What the console says where nobody may use it.
pub(super) fn closed() -> Response {
    let page = ClosedPage { assets: assets::version(), title: "The console is closed" };
    render(StatusCode::FORBIDDEN, &page)
}

/// What stands where the console will be, while the worker waits for its database.
pub(crate) fn not_open() -> Response {
    let words = "The worker waits for its database. /readyz says what is wrong.";
    message(StatusCode::SERVICE_UNAVAILABLE, "Not open yet", words)
}

pub(super) async fn not_found() -> Response {
    Trouble::NotFound("No page of the console has this address.").into_response()
}

pub(super) async fn no_such_method() -> Response {
    message(
        StatusCode::METHOD_NOT_ALLOWED,
        "Not so",
        "Pages are read with GET, and acts are done by their forms.",
    )
}

fn page(page: &impl Template) -> Response {
    render(StatusCode::OK, page)
}

fn render(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page of the console cannot be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The rows of a page that was read with one row more than it shows; whether there are more.
fn cut<T>(mut rows: Vec<T>, limit: u32) -> (Vec<T>, bool) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    (rows, more)
}
