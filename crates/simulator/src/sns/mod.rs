//! Topics as SNS has them, and their query protocol.
//!
//! Nobody is refused for want of a permission: every caller is the owner of every topic.

mod actions;
mod envelope;
mod error;
mod form;
mod message;
mod publishing;
mod sha1;
mod signer;
mod subscription;
mod topic;
mod topics;
mod xml;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::MarketClock;

pub use signer::{SignatureVersion, Signer, SignerError};
pub use topics::{Published, Topics};

/// The largest body of a call: ten messages of 256 KiB together, with attributes, escaped.
pub(crate) const CALL_BYTES_MAX: usize = 2 << 20;

/// What SNS' calls work on; clones share it.
#[derive(Clone, Debug)]
pub struct SnsState {
    topics: Topics,
    /// Where what is published by a call takes its time from.
    clock: MarketClock,
}

impl SnsState {
    /// Calls on these topics, by this clock.
    pub fn new(topics: Topics, clock: MarketClock) -> Self {
        Self { topics, clock }
    }

    /// SNS alone, as a router: calls and certificates.
    pub fn router(self) -> Router {
        let certificates = certificates(self.topics.signer());
        Router::new()
            .route("/", post(serve))
            .layer(DefaultBodyLimit::max(CALL_BYTES_MAX))
            .with_state(self)
            .merge(certificates)
    }
}

/// The certificate that signatures are checked with, where envelopes say that it is, and its root.
pub(crate) fn certificates(signer: &Signer) -> Router {
    let serve = |pem: &str| {
        let pem = pem.to_owned();
        get(move || async move { ([(header::CONTENT_TYPE, "application/x-pem-file")], pem) })
    };
    Router::new()
        .route(signer.certificate_path(), serve(signer.certificate_pem()))
        .route("/root.pem", serve(signer.root_pem()))
}

async fn serve(State(state): State<SnsState>, form: Bytes) -> Response {
    answer(&state, form).await
}

/// Answers one call of the query protocol, from its form.
///
/// Signing takes half a millisecond and more, so it happens where nobody else waits.
pub(crate) async fn answer(state: &SnsState, form: Bytes) -> Response {
    let state = state.clone();
    let answered = tokio::task::spawn_blocking(move || actions::answer(&state, &form)).await;
    answered.unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "a call to SNS was not answered");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}
