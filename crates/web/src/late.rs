use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tower::ServiceExt;

use crate::console::not_open;
use crate::problem_document::ProblemDocument;

/// Routes of the app's API and of the console that are served before what they need is open; clones share them.
///
/// Until then every call is answered with 503, as a listener that is not there yet tells nobody what is wrong.
#[derive(Clone, Debug, Default)]
pub struct LateRoutes(Arc<OnceLock<Router>>);

impl LateRoutes {
    /// Serves these from now on; others that come later do not count.
    pub fn open(&self, routes: Router) {
        let _first_counts = self.0.set(routes);
    }

    /// What the listener serves.
    pub fn routes(&self) -> Router {
        let handler = any(hand_on).with_state(self.clone());
        Router::new()
            .route("/v1/{*rest}", handler.clone())
            .route("/openapi.json", handler.clone())
            .route("/console", handler.clone())
            .route("/console/{*rest}", handler)
    }
}

async fn hand_on(State(late): State<LateRoutes>, mut request: Request) -> Response {
    // What the listener's own route matched would count among the parameters of the one behind it.
    request.extensions_mut().clear();
    let Some(routes) = late.0.get() else {
        if request.uri().path().starts_with("/console") {
            return not_open();
        }
        let (title, detail) = ("Not open yet", "the database is not open; /readyz says why");
        return ProblemDocument::new(StatusCode::SERVICE_UNAVAILABLE, "not-open", title, detail)
            .into_response();
    };
    // A router never fails.
    routes.clone().oneshot(request).await.into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::extract::Path;
    use axum::routing::get;

    use super::*;

    async fn call(late: &LateRoutes, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = late.routes().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 1_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn routes_that_come_late_have_the_parameters_of_their_own_paths_only() {
        let late = LateRoutes::default();
        let echo = async |Path((first, second)): Path<(String, String)>| format!("{first} {second}");
        late.open(Router::new().route("/v1/{first}/{second}", get(echo)));
        assert_eq!(call(&late, "/v1/one/two").await, (StatusCode::OK, "one two".to_owned()));
    }

    #[tokio::test]
    async fn until_they_come_every_call_is_told_to_wait() {
        assert_eq!(call(&LateRoutes::default(), "/v1/usage").await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
