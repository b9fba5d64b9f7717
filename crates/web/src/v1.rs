use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::{Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, any, get, on};

use crate::access::{self, AccessApi};
use crate::gate::{Gate, guard};
use crate::problem_document::ProblemDocument;
use crate::usage::{REQUEST_BYTES_MAX, UsageApi, usage_routes};
use crate::{ApiTokens, Scope};

/// What [`api_routes`] answers, for programs.
const OPENAPI: &str = include_str!("openapi.json");

/// One method of a path below `/v1`.
pub(crate) struct Route<S> {
    method: Method,
    path: &'static str,
    scope: Scope,
    handler: MethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    pub(crate) fn new<H: Handler<T, S>, T: 'static>(
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

/// The app's API about usage, to be merged into the routes of the internal listener.
pub fn api_routes(usage: Arc<dyn UsageApi>, tokens: &ApiTokens) -> Router {
    gated(usage_routes(), usage, tokens)
        .route("/openapi.json", get(openapi))
        .method_not_allowed_fallback(method_not_allowed)
        .route("/v1/{*rest}", any(not_found))
}

/// The app's API about who may use what, to be merged with [`api_routes`].
pub fn access_routes(access: Arc<AccessApi>, tokens: &ApiTokens) -> Router {
    gated(access::routes(), access, tokens).method_not_allowed_fallback(method_not_allowed)
}

/// Each route behind a token with its scope.
fn gated<S: Clone + Send + Sync + 'static>(routes: Vec<Route<S>>, state: S, tokens: &ApiTokens) -> Router {
    let mut served = Router::new();
    for Route { path, scope, handler, .. } in routes {
        let gate = from_fn_with_state(Gate { tokens: tokens.clone(), scope }, guard);
        served = served.route(path, handler.route_layer(gate));
    }
    served.layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX)).with_state(state)
}

/// The methods and paths of [`api_routes`] and [`access_routes`] that need a token, and the scope that it has to
/// have.
pub fn api_operations() -> Vec<(Method, &'static str, Scope)> {
    let mut operations = operations_of(usage_routes());
    operations.extend(operations_of(access::routes()));
    operations
}

fn operations_of<S>(routes: Vec<Route<S>>) -> Vec<(Method, &'static str, Scope)> {
    routes.into_iter().map(|route| (route.method, route.path, route.scope)).collect()
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
