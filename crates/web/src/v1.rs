use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, header};
use axum::routing::{any, get};

use crate::access::{self, AccessApi};
use crate::openapi::document;
use crate::problem_document::ProblemDocument;
use crate::route::{Operation, Route};
use crate::usage::{REQUEST_BYTES_MAX, UsageApi, usage_routes};
use crate::{ApiTokens, Scope};

/// The app's API about usage, and the description of all of the API, to be merged into the routes of the internal
/// listener.
pub fn api_routes(usage: Arc<dyn UsageApi>, tokens: &ApiTokens) -> Router {
    let description = document(operations().iter()).to_string();
    gated(usage_routes(), usage, tokens)
        .merge(openapi(description.into()))
        .method_not_allowed_fallback(method_not_allowed)
        .route("/v1", any(not_found))
        .route("/v1/", any(not_found))
        .route("/v1/{*rest}", any(not_found))
}

/// The app's API about who may use what, to be merged with [`api_routes`].
pub fn access_routes(access: Arc<AccessApi>, tokens: &ApiTokens) -> Router {
    gated(access::routes(), access, tokens).method_not_allowed_fallback(method_not_allowed)
}

/// Each route behind a token with its scope.
fn gated<S: Clone + Send + Sync + 'static>(routes: Vec<Route<S>>, state: S, tokens: &ApiTokens) -> Router {
    let mut served = Router::new();
    for route in routes {
        let (path, answering) = route.gated(tokens);
        served = served.route(path, answering);
    }
    served.layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX)).with_state(state)
}

/// The methods and paths of [`api_routes`] and [`access_routes`] that need a token, and the scope that it has to
/// have.
pub fn api_operations() -> Vec<(Method, &'static str, Scope)> {
    operations().into_iter().map(|operation| (operation.method, operation.path, operation.scope)).collect()
}

/// Every route of the API, whatever it is over.
fn operations() -> Vec<Operation> {
    let usage = usage_routes().into_iter().map(Route::into_operation);
    usage.chain(access::routes().into_iter().map(Route::into_operation)).collect()
}

/// Answers with the description of the API.
fn openapi(description: Bytes) -> Router {
    let answer = ([(header::CONTENT_TYPE, "application/json")], description);
    Router::new().route("/openapi.json", get(async || answer))
}

async fn not_found() -> ProblemDocument {
    ProblemDocument::not_found("no such path; /openapi.json lists them")
}

async fn method_not_allowed() -> ProblemDocument {
    let title = "The path has no such method";
    let detail = "/openapi.json lists each path's methods";
    ProblemDocument::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", title, detail)
}
