use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::{Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, any, get, on};

use crate::gate::{Gate, guard};
use crate::problem_document::ProblemDocument;
use crate::usage::{REQUEST_BYTES_MAX, UsageApi, usage_routes};
use crate::{ApiTokens, Scope};

/// What [`api_routes`] answers, for programs.
const OPENAPI: &str = include_str!("openapi.json");

/// One method of a path below `/v1`.
pub(crate) struct Route {
    method: Method,
    path: &'static str,
    scope: Scope,
    handler: MethodRouter<Arc<dyn UsageApi>>,
}

impl Route {
    pub(crate) fn new<H: Handler<T, Arc<dyn UsageApi>>, T: 'static>(
        method: Method,
        path: &'static str,
        scope: Scope,
        handler: H,
    ) -> Self {
        // Methods of HTTP's own all have a filter; any other would answer to GET and show in the API's tests.
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        Self { method, path, scope, handler: on(filter, handler) }
    }
}

/// The app's API, to be merged into the routes of the internal listener.
pub fn api_routes(usage: Arc<dyn UsageApi>, tokens: &ApiTokens) -> Router {
    let mut routes = Router::new();
    for Route { path, scope, handler, .. } in usage_routes() {
        let gate = from_fn_with_state(Gate { tokens: tokens.clone(), scope }, guard);
        routes = routes.route(path, handler.route_layer(gate));
    }
    routes
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(usage)
        .route("/openapi.json", get(openapi))
        .method_not_allowed_fallback(method_not_allowed)
        .route("/v1/{*rest}", any(not_found))
}

/// The methods and paths of [`api_routes`] that need a token, and the scope that it has to have.
pub fn api_operations() -> Vec<(Method, &'static str, Scope)> {
    usage_routes().into_iter().map(|route| (route.method, route.path, route.scope)).collect()
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

async fn not_found() -> ProblemDocument {
    ProblemDocument::not_found("no such path; /openapi.json lists them")
}

async fn method_not_allowed() -> ProblemDocument {
    let title = "The path has no such method";
    let detail = "/openapi.json lists each path's methods";
    ProblemDocument::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", title, detail)
}
