//! What the internal listener's routes answer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use stallkeeper_web::{Problem, Readiness, internal_routes};
use tower::ServiceExt;

struct Fixed(Vec<Problem>);

#[async_trait]
impl Readiness for Fixed {
    async fn problems(&self) -> Vec<Problem> {
        self.0.clone()
    }
}

async fn get(path: &str, problems: Vec<Problem>) -> (StatusCode, String) {
    let routes = internal_routes(Arc::new(Fixed(problems)), Arc::new(|| "stallkeeper_up 1\n".to_owned()));
    let answer = routes.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn database_down() -> Problem {
    Problem { part: "database".into(), problem: "does not answer".into(), remedy: "start it".into() }
}

#[tokio::test]
async fn a_worker_without_problems_is_ready() {
    let (status, body) = get("/readyz", Vec::new()).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, r#"{"ready":true,"problems":[]}"#));
}

#[tokio::test]
async fn a_problem_makes_it_unready_and_is_named_with_its_remedy() {
    let (status, body) = get("/readyz", vec![database_down()]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["problems"][0]["part"], "database");
    assert_eq!(body["problems"][0]["remedy"], "start it");
}

#[tokio::test]
async fn it_stays_healthy_while_it_is_unready() {
    let (status, _) = get("/healthz", vec![database_down()]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_text() {
    let (status, body) = get("/metrics", Vec::new()).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "stallkeeper_up 1\n"));
}
