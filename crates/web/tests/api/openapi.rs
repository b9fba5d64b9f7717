//! `/openapi.json` says what the routes do.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::{Value, json};
use stallkeeper_ledger::{Phase, Seal};
use stallkeeper_web::{Problem, Readiness, Scope, api_operations, internal_routes};

use crate::documented::{self, Operation, hold, resolved};
use crate::reads::busy_stage;
use crate::registrations::{CODE, REGISTRATION};
use crate::stage::{ACME, Failing, READER, Stage, WRITER, WRITES, bearing, meter};

/// Every operation, with a path that can be called.
pub(crate) fn operations() -> Vec<(Method, String, Scope)> {
    let fill = |path: &str| {
        let parts = [
            ("{marketplace}", "aws"),
            ("{product}", "prod-1"),
            ("{kind}", "customer"),
            ("{id}", "X01"),
            ("{tenant}", "acme"),
        ];
        parts.into_iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
    };
    api_operations().into_iter().map(|(method, path, scope)| (method, fill(path), scope)).collect()
}

pub(crate) fn call(method: &Method, path: &str, token: &str) -> Request<Body> {
    bearing(Request::builder().method(method.clone()).uri(path), token).body(Body::empty()).unwrap()
}

async fn document() -> Value {
    let answer = Stage::new().send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    answer.json
}

#[tokio::test]
async fn it_is_the_one_that_is_stored() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let document = document().await;
    if std::env::var_os("RENEW_OPENAPI").is_some() {
        fs::write(path, format!("{document:#}\n")).unwrap();
    }
    let stored: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(
        stored == document,
        "the API changed: renew openapi.json as the README says, and look at the changes"
    );
}

#[tokio::test]
async fn every_operation_is_in_it_with_its_scope_and_no_other() {
    let routed: BTreeSet<(String, String, String)> = api_operations()
        .into_iter()
        .map(|(method, path, scope)| {
            (method.as_str().to_ascii_lowercase(), path.to_owned(), scope.to_string())
        })
        .collect();
    let scope = |described: &Value| described["security"][0]["bearer"][0].as_str().unwrap().to_owned();
    let documented: BTreeSet<(String, String, String)> = documented::operations(&document().await)
        .into_iter()
        .map(|operation| (operation.method.to_owned(), operation.path.to_owned(), scope(operation.described)))
        .collect();
    assert_eq!(routed, documented);
}

#[tokio::test]
async fn every_operation_has_an_id_of_its_own_and_the_parameters_of_its_path() {
    let document = document().await;
    let mut ids = BTreeSet::new();
    for operation in documented::operations(&document) {
        assert!(ids.insert(operation.described["operationId"].as_str().unwrap()), "{}", operation.path);
        let of_template =
            operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let parameters = operation.described["parameters"].as_array().into_iter().flatten();
        let of_path = parameters.filter(|parameter| parameter["in"] == "path");
        let of_path: Vec<&str> = of_path.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(of_path, of_template.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn no_two_types_share_a_name() {
    // Of two that do, the second one's name gets a number.
    let document = document().await;
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let numbered = schemas.keys().find(|name| name.ends_with(|last: char| last.is_ascii_digit()));
    assert_eq!(numbered, None);
}

#[tokio::test]
async fn every_example_is_as_its_schema_says() {
    let document = document().await;
    let mut examples = 0;
    for operation in documented::operations(&document) {
        let responses = operation.described["responses"].as_object().unwrap().values();
        let responses = responses.map(|response| resolved(&document, response));
        for content in responses.chain([&operation.described["requestBody"]]) {
            for media in content["content"].as_object().into_iter().flat_map(|content| content.values()) {
                hold(&document, &media["schema"], &media["example"]);
                examples += 1;
            }
        }
    }
    assert!(examples > 10, "{examples}");
}

#[tokio::test]
async fn every_request_s_example_is_taken() {
    for Operation { method, path, described, .. } in documented::operations(&document().await) {
        let Some(content) = described["requestBody"]["content"].as_object() else { continue };
        for (content_type, media) in content {
            let scope = described["security"][0]["bearer"][0].as_str().unwrap().parse::<Scope>().unwrap();
            let token = if WRITES.contains(&scope) { WRITER } else { READER };
            let id = if path.starts_with("/v1/registrations/") { REGISTRATION } else { "pilot-1" };
            let method = method.to_ascii_uppercase();
            let request = Request::builder().method(method.as_str()).uri(path.replace("{id}", id));
            let request = bearing(request, token);
            let request = request.header(header::CONTENT_TYPE, content_type);
            // A code is a secret of one buyer's, which no example can know.
            let example = media["example"].to_string().replace("what-the-buyer-brought", CODE);
            let answer = Stage::new().send(request.body(example.into()).unwrap()).await;
            assert!(answer.status.is_success(), "{answer:?}");
            let refused = |result: &&Value| result["status"] == "refused";
            let results = answer.json["results"].as_array();
            assert_eq!(results.into_iter().flatten().find(refused), None, "{content_type}");
        }
    }
}

/// What is answered is held against the document by [`Stage::send`], here and in every other test.
#[tokio::test]
async fn answers_of_every_kind_are_as_their_schemas_say() {
    let stage = busy_stage();
    for path in [&format!("/v1/subscriptions/{ACME}/usage"), "/v1/usage/losses", "/v1/usage/held"] {
        assert_eq!(stage.get(path).await.status, 200);
    }
    assert_eq!(stage.get(&format!("/v1/subscriptions/{ACME}/usage?cursor=0.0")).await.status, 200);
    let deadline = "2026-11-26T13:00:00Z".parse().unwrap();
    let since = "2026-11-26T12:00:00Z".parse().unwrap();
    let ending = Phase::Ending { since, deadline, until: deadline, seal: Seal::Open };
    assert_eq!(Stage::new().and(meter(ACME, "acme", ending)).get("/v1/windows").await.status, 200);
    let events = json!([crate::post::event("u-1"), 5, crate::post::event("u-2")]).to_string();
    for phase in [Phase::Running, Phase::Waiting, Phase::Failed] {
        assert_eq!(Stage::new().and(meter(ACME, "acme", phase)).post(events.clone()).await.status, 200);
    }
    let grant = json!({ "tenant": "bolt", "product": "p", "why": "pilot" }).to_string();
    assert_eq!(stage.put("/v1/grants/pilot-1", grant).await.status, 201);
    let history = format!("/v1/subscriptions/{ACME}/history");
    let registration = format!("/v1/registrations/{REGISTRATION}");
    let subscription = format!("/v1/subscriptions/{ACME}");
    for path in [
        "/v1/entitlements?tenant=acme&product=p",
        "/v1/entitlements?tenant=acme&product=vault",
        "/v1/tenants/acme/entitlements?user=111",
        "/v1/grants",
        "/v1/subscriptions",
        &subscription,
        &history,
        "/v1/changes",
        "/v1/registrations",
        &registration,
    ] {
        assert_eq!(stage.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn what_every_route_about_usage_answers_when_the_database_fails_is_in_it() {
    let about_usage =
        |(_, _, scope): &(Method, String, Scope)| matches!(scope, Scope::UsageWrite | Scope::UsageRead);
    for (method, path, scope) in operations().into_iter().filter(about_usage) {
        let token = if scope == Scope::UsageWrite { WRITER } else { READER };
        let body = match path.as_str() {
            "/v1/watermarks" => {
                json!({ "product": "p", "source": "app", "complete_through": "2026-11-26T12:00:00Z" })
            }
            _ => json!([crate::post::event("u-1")]),
        };
        for (failing, status) in [(Failing::Database, 503), (Failing::Refused, 500)] {
            let request = bearing(Request::builder().method(method.clone()).uri(&path), token);
            let request = request.body(body.to_string().into()).unwrap();
            let answer = Stage::new().failing(failing).send(request).await;
            assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_path_or_method_that_it_does_not_have_is_a_problem_document() {
    let stage = Stage::new();
    for path in ["/v1/nothing", "/v1", "/v1/"] {
        stage.get(path).await.problem(404, "not-found");
    }
    stage.send(call(&Method::DELETE, "/v1/usage", READER)).await.problem(405, "method-not-allowed");
}

#[tokio::test]
async fn the_api_stands_beside_the_plain_routes_of_the_internal_listener() {
    let plain = internal_routes(Arc::new(Ready), Arc::new(String::new));
    let routes = Stage::new().beside(plain);
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/nothing", 404)] {
        let answer = routes.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
    }
    assert_eq!(routes.get("/v1/windows").await.status, 200);
}

struct Ready;

#[async_trait]
impl Readiness for Ready {
    async fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}
