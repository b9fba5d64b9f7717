use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use crate::{Problem, Readiness};

/// Renders the metrics in the Prometheus text format.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// The routes of the internal listener.
pub fn internal_routes(readiness: Arc<dyn Readiness>, metrics: MetricsText) -> Router {
    let readyz = get(readyz).with_state(readiness);
    let metrics = get(metrics_text).with_state(metrics);
    Router::new().route("/healthz", get(healthz)).route("/readyz", readyz).route("/metrics", metrics)
}

async fn healthz() -> &'static str {
    "ok\n"
}

/// The body of `/readyz`.
#[derive(Serialize)]
struct ReadyReport {
    ready: bool,
    problems: Vec<Problem>,
}

async fn readyz(State(readiness): State<Arc<dyn Readiness>>) -> Response {
    let problems = readiness.problems().await;
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ReadyReport { ready: problems.is_empty(), problems })).into_response()
}

async fn metrics_text(State(metrics): State<MetricsText>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics())
}
