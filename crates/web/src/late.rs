use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tower::Service;

use crate::console::not_open;
use crate::problem_document::ProblemDocument;

/// When a caller may look again whether the routes are open.
const RETRY_SECS: u64 = 5;

/// What the internal listener serves: some routes at once, and those of the app's API and of the console as soon as
/// what they need is open. Clones share it.
///
/// Until then each call of them is answered with 503, as a listener that is not there yet tells nobody what is wrong.
#[derive(Clone, Debug)]
pub struct LateRoutes {
    early: Router,
    waiting: Router,
    opened: Arc<OnceLock<Router>>,
}

impl LateRoutes {
    /// Serves `early` at once.
    pub fn new(early: Router) -> Self {
        let waiting = early
            .clone()
            .route("/v1", any(api_not_open))
            .route("/v1/", any(api_not_open))
            .route("/v1/{*rest}", any(api_not_open))
            .route("/openapi.json", any(api_not_open))
            .route("/console", any(async || not_open()))
            .route("/console/", any(async || not_open()))
            .route("/console/{*rest}", any(async || not_open()));
        Self { early, waiting, opened: Arc::default() }
    }

    /// Serves these from now on, too; others that come later do not count.
    pub fn open(&self, routes: Router) {
        let _first_counts = self.opened.set(self.early.clone().merge(routes));
    }
}

/// One look decides which routes answer, so that a call is routed once.
impl Service<Request> for LateRoutes {
    type Response = Response;
    type Error = Infallible;
    type Future = <Router as Service<Request>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.waiting, context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.opened.get().unwrap_or(&self.waiting).clone().call(request)
    }
}

async fn api_not_open() -> Response {
    let (title, detail) = ("Not open yet", "the database is not open; /readyz says why");
    ProblemDocument::new(StatusCode::SERVICE_UNAVAILABLE, "not-open", title, detail)
        .retry_after(RETRY_SECS)
        .into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::extract::Path;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    async fn call(late: &LateRoutes, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = late.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 1_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn late() -> LateRoutes {
        LateRoutes::new(Router::new().route("/healthz", get(async || "ok")))
    }

    #[tokio::test]
    async fn routes_that_come_late_stand_beside_the_early_ones() {
        let late = late();
        let echo = async |Path((first, second)): Path<(String, String)>| format!("{first} {second}");
        late.clone().open(Router::new().route("/v1/{first}/{second}", get(echo)));
        assert_eq!(call(&late, "/v1/one/two").await, (StatusCode::OK, "one two".to_owned()));
        assert_eq!(call(&late, "/healthz").await, (StatusCode::OK, "ok".to_owned()));
    }

    #[tokio::test]
    async fn until_they_come_every_call_is_told_to_wait() {
        for path in ["/v1", "/v1/usage", "/openapi.json", "/console", "/console/jobs"] {
            assert_eq!(call(&late(), path).await.0, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        }
        assert_eq!(call(&late(), "/healthz").await.0, StatusCode::OK);
    }
}
