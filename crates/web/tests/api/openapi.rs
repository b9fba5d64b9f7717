//! `/openapi.json` says what the routes do.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::{Value, json};
use stallkeeper_ledger::{Phase, Seal};
use stallkeeper_web::{Problem, Readiness, Scope, api_operations, internal_routes};

use crate::access::REGISTRATION;
use crate::reads::busy_stage;
use crate::stage::{ACME, Answer, Failing, READER, Stage, WRITER, WRITES, bearing, meter};

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

/// The operations of the document: method, path, operation.
fn documented(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        let of_method = move |(method, operation): (&String, &Value)| {
            (method.to_ascii_uppercase(), path.clone(), operation.clone())
        };
        methods.as_object().unwrap().iter().map(of_method)
    });
    operations.collect()
}

/// Holds that a value is as a schema of the document says.
fn hold(document: &Value, schema: &Value, value: &Value) {
    let schema = json!({ "allOf": [schema], "components": document["components"] });
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?} in {value:#}");
}

/// A response as the document has it, where it is kept among the components, too.
fn resolved<'a>(document: &'a Value, response: &'a Value) -> &'a Value {
    match response["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => response,
    }
}

#[tokio::test]
async fn every_operation_is_in_it_with_its_scope_and_no_other() {
    let routed: BTreeSet<(String, String, String)> = api_operations()
        .into_iter()
        .map(|(method, path, scope)| (method.to_string(), path.to_owned(), scope.to_string()))
        .collect();
    let scope = |operation: &Value| operation["security"][0]["bearer"][0].as_str().unwrap().to_owned();
    let documented: BTreeSet<(String, String, String)> = documented(&document().await)
        .into_iter()
        .map(|(method, path, operation)| (method, path, scope(&operation)))
        .collect();
    assert_eq!(routed, documented);
}

#[tokio::test]
async fn every_example_is_as_its_schema_says() {
    let document = document().await;
    let mut examples = 0;
    for (_, _, operation) in documented(&document) {
        let responses = operation["responses"].as_object().unwrap().values();
        let responses = responses.map(|response| resolved(&document, response));
        for content in responses.chain([&operation["requestBody"]]) {
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
    for (method, path, operation) in documented(&document().await) {
        let Some(content) = operation["requestBody"]["content"].as_object() else { continue };
        for (content_type, media) in content {
            let token = operation["security"][0]["bearer"][0].as_str().unwrap().parse::<Scope>().unwrap();
            let token = if WRITES.contains(&token) { WRITER } else { READER };
            let id = if path.starts_with("/v1/registrations") { REGISTRATION } else { "pilot-1" };
            let path = path.replace("{id}", id);
            let request = bearing(Request::builder().method(method.as_str()).uri(path), token);
            let request = request.header(header::CONTENT_TYPE, content_type);
            let answer = Stage::new().send(request.body(media["example"].to_string().into()).unwrap()).await;
            assert!(answer.status.is_success(), "{answer:?}");
            let refused = |result: &&Value| result["status"] == "refused";
            let results = answer.json["results"].as_array();
            assert_eq!(results.into_iter().flatten().find(refused), None, "{content_type}");
        }
    }
}

#[tokio::test]
async fn real_answers_are_as_their_schemas_say() {
    let document = document().await;
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let hold = |name: &str, answer: &Answer| {
        assert!(answer.status.is_success() != (name == "Problem"), "{answer:?}");
        hold(&document, &schema(name), &answer.json);
    };
    let stage = busy_stage();
    hold("SubscriptionUsage", &stage.get(&format!("/v1/subscriptions/{ACME}/usage")).await);
    hold("SubscriptionUsage", &stage.get(&format!("/v1/subscriptions/{ACME}/usage?cursor=0.0")).await);
    hold("Losses", &stage.get("/v1/usage/losses").await);
    hold("HeldUsage", &stage.get("/v1/usage/held").await);
    let deadline = "2026-11-26T13:00:00Z".parse().unwrap();
    let since = "2026-11-26T12:00:00Z".parse().unwrap();
    let ending = Phase::Ending { since, deadline, until: deadline, seal: Seal::Open };
    hold("Windows", &Stage::new().and(meter(ACME, "acme", ending)).get("/v1/windows").await);
    let events = json!([crate::post::event("u-1"), 5, crate::post::event("u-2")]).to_string();
    for phase in [Phase::Running, Phase::Waiting, Phase::Failed] {
        hold("Results", &Stage::new().and(meter(ACME, "acme", phase)).post(events.clone()).await);
    }
    hold("Entitlement", &stage.get("/v1/entitlements?tenant=acme&product=p").await);
    hold("Entitlement", &stage.get("/v1/entitlements?tenant=acme&product=vault").await);
    hold("TenantEntitlements", &stage.get("/v1/tenants/acme/entitlements?user=111").await);
    let grant = json!({ "tenant": "bolt", "product": "p", "why": "pilot" }).to_string();
    hold("Grant", &stage.put("/v1/grants/pilot-1", grant).await);
    hold("Grants", &stage.get("/v1/grants").await);
    hold("Subscriptions", &stage.get("/v1/subscriptions").await);
    hold("Subscription", &stage.get(&format!("/v1/subscriptions/{ACME}")).await);
    hold("History", &stage.get(&format!("/v1/subscriptions/{ACME}/history")).await);
    hold("Registrations", &stage.get("/v1/registrations?state=pending").await);
    hold("RegistrationClaim", &stage.get(&format!("/v1/registrations/{REGISTRATION}")).await);
    let tenant = format!("/v1/registrations/{REGISTRATION}/tenant");
    hold("RegistrationClaim", &stage.put(&tenant, json!({ "tenant": "acme" }).to_string()).await);
    hold("Problem", &stage.put(&tenant, json!({ "tenant": "bolt" }).to_string()).await);
    hold("Changes", &stage.get("/v1/changes").await);
    hold("Problem", &stage.get("/v1/changes?after=x").await);
    hold("Problem", &Stage::new().post("no json").await);
    hold("Problem", &Stage::new().failing(Failing::Busy).post("[]").await);
    hold("Problem", &stage.send(call(&Method::GET, "/v1/windows", "wrong")).await);
}

#[tokio::test]
async fn a_path_or_method_that_it_does_not_have_is_a_problem_document() {
    let stage = Stage::new();
    stage.get("/v1/nothing").await.problem(404, "not-found");
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
