//! The built worker answers as its own description says, whatever it is asked: schemathesis makes the calls.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken set-up fails the test")]

use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use stallkeeper_tests::{Database, Installation, Known, MeteredStall, Schemathesis, Texts, Visitor, Worker};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const LIMIT: Duration = Duration::from_mins(5);
/// All that a token can be for, so that every operation is reached.
const SCOPES: &str = "usage:write,usage:read,entitlements:read,grants:write,subscriptions:read,registrations:read,\
     registrations:write";

/// A worker with one buyer whose usage is metered.
struct Scene {
    _stall: MeteredStall,
    _database: Database,
    _installation: Installation,
    worker: Worker,
    buyer: String,
    registration: String,
}

impl Scene {
    async fn open(database: Database) -> Self {
        let stall = MeteredStall::open(11).await;
        let installation = stall.installation(&database).variable("STALLKEEPER_API_TOKEN_0_SCOPES", SCOPES);
        let worker = installation.start_ready().await;
        let ada = stall.admit(&installation, &database, "ada", "search").await;
        let now = stall.market.now().await;
        stall.app().report_all(&worker, &[ada.event("first", "hits", "3", &now)]).await;
        let buyer = ada.key.rsplit_once('/').unwrap().1.to_owned();
        let registration = register(&stall, &worker).await;
        Self { _stall: stall, _database: database, _installation: installation, worker, buyer, registration }
    }

    /// Calls of every operation, half of which reach what there is.
    fn schemathesis(&self, texts: Texts, seed: u64) -> Schemathesis {
        let known = match texts {
            Texts::Ascii => self.known(),
            Texts::Any => Vec::new(),
        };
        let (url, token) = (self.worker.internal_url(), MeteredStall::TOKEN.to_owned());
        Schemathesis { url, token, seed, examples: 20, limit: LIMIT, texts, known }
    }

    fn known(&self) -> Vec<Known> {
        let known = |of, parameter, value: &str| Known { of, parameter, value: value.to_owned() };
        vec![
            known(&[], "path.marketplace", "aws"),
            known(&[], "path.product", "simsearch"),
            known(&[], "path.kind", "customer"),
            known(&[], "path.id", &self.buyer),
            known(&["registration", "nameTenant"], "path.id", &self.registration),
            known(&["grant", "putGrant", "revokeGrant"], "path.id", "pilot-1"),
        ]
    }
}

/// Somebody else who waits for a tenant; answers the registration's id.
async fn register(stall: &MeteredStall, worker: &Worker) -> String {
    let mut visitor = Visitor::new(worker);
    visitor.register("aws", &stall.market.token("bob", "search").await).await;
    assert_eq!(visitor.submit("Example Buyer", "Bob", "bob@example.com").await.status, 303);
    let pending = stall.app().get(worker, "/v1/registrations?state=pending").await.ok();
    pending["registrations"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_the_description_allows_is_taken_and_all_else_is_refused_as_it_says() {
    let scene = Scene::open(Database::sqlite()).await;
    scene.schemathesis(Texts::Ascii, 1).run().await.expect_success();
}

#[tokio::test]
async fn whatever_texts_are_sent_no_answer_is_a_500_or_not_described() {
    let scene = Scene::open(Database::postgres().await).await;
    scene.schemathesis(Texts::Any, 2).run().await.expect_success();
}

#[tokio::test]
async fn an_answer_that_is_not_described_is_found_and_told() {
    let described = json!({
        "openapi": "3.1.0", "info": { "title": "a liar", "version": "1" },
        "paths": { "/told": { "get": { "responses": { "200": { "description": "All is well." } } } } },
    });
    let routes = Router::new()
        .route("/openapi.json", get(async || Json(described)))
        .route("/told", get(async || StatusCode::IM_A_TEAPOT));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(async { axum::serve(listener, routes).await });
    let (token, known) = ("none".to_owned(), Vec::new());
    let liar = Schemathesis { url, token, seed: 3, examples: 1, limit: LIMIT, texts: Texts::Any, known };
    let told = liar.run().await;
    assert_eq!(told.status, Some(1), "{told:?}");
    assert!(told.stdout.contains("418") && told.stdout.contains("/told"), "{}", told.stdout);
}
