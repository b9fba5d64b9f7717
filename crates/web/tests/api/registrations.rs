//! Buyers on their way to a tenant, over a real store.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{Details, NewRegistration, NewVisit, Store, VisitId};

use crate::stage::{ACME, Answer, Stage, WRITER, bearing};

/// The registration of [`ACME`], whose tenant is named, and whose buyer said who he is.
pub(crate) const REGISTRATION: &str = "5f0c3b7de2a14d0f9c1b8a7766554433";
/// That of a subscription that nobody claimed.
const PENDING: &str = "6f0c3b7de2a14d0f9c1b8a7766554433";
/// What the first one's buyer takes to the app.
pub(crate) const CODE: &str = "the-code-of-the-buyer-of-acme";

/// Two buyers come, and each says who he is.
pub(crate) async fn register(store: &dyn Store, now: Timestamp) {
    for (id, subscription) in [(REGISTRATION, ACME), (PENDING, "aws/prod-1/customer/X02")] {
        let registration = NewRegistration {
            id: id.parse().unwrap(),
            subscription: subscription.parse().unwrap(),
            account: Some("111122223333".parse().unwrap()),
            license_arn: None,
            agreement: None,
        };
        let ends_at = now.plus(Duration::from_hours(24));
        let visit = NewVisit { id: id.parse().unwrap(), browser: [7; 32], ends_at };
        store.register(&registration, &visit, now).await.unwrap();
        let details = Details {
            company: "Example Ltd".parse().unwrap(),
            contact: "A buyer".parse().unwrap(),
            email: "buyer@example.com".parse().unwrap(),
        };
        store.put_details(&registration.id, &details, now).await.unwrap();
    }
    let code = digest(&SHA256, CODE.as_bytes()).as_ref().try_into().unwrap();
    let visit: VisitId = REGISTRATION.parse().unwrap();
    store.put_code(&visit, &code, now.plus(Duration::from_mins(30))).await.unwrap();
}

async fn exchange(stage: &Stage, body: Value) -> Answer {
    let request = bearing(Request::post("/v1/registrations/exchange"), WRITER);
    stage.send(request.body(body.to_string().into()).unwrap()).await
}

async fn name_tenant(stage: &Stage, id: &str, body: Value) -> Answer {
    let request = bearing(Request::put(format!("/v1/registrations/{id}/tenant")), WRITER);
    stage.send(request.body(body.to_string().into()).unwrap()).await
}

#[tokio::test]
async fn registrations_are_listed_and_those_that_wait_for_a_tenant_by_themselves() {
    let stage = Stage::new();
    let ids = |answer: &Answer| {
        let lines = answer.json["registrations"].as_array().unwrap();
        lines.iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&stage.get("/v1/registrations").await), [REGISTRATION, PENDING]);
    assert_eq!(ids(&stage.get("/v1/registrations?state=pending").await), [PENDING]);
    let first = stage.get("/v1/registrations?limit=1").await;
    let next = first.json["next"].as_str().unwrap();
    assert_eq!(ids(&stage.get(&format!("/v1/registrations?limit=1&cursor={next}")).await), [PENDING]);
    stage.get("/v1/registrations?state=lost").await.problem(400, "bad-request");
    stage.get("/v1/registrations?cursor=nonsense").await.problem(400, "bad-request");
}

#[tokio::test]
async fn one_registration_tells_the_buyer_and_how_his_subscription_looks() {
    let stage = Stage::new();
    let one = stage.get(&format!("/v1/registrations/{REGISTRATION}")).await.json;
    assert_eq!((&one["email"], &one["word"]), (&json!("buyer@example.com"), &json!("active")));
    stage.get(&format!("/v1/registrations/{}", "0".repeat(32))).await.problem(404, "not-found");
    stage.get("/v1/registrations/1").await.problem(400, "bad-request");
}

#[tokio::test]
async fn a_code_is_changed_for_its_registration_once() {
    let stage = Stage::new();
    let first = exchange(&stage, json!({ "code": CODE })).await;
    assert_eq!((first.status.as_u16(), &first.json["id"]), (200, &json!(REGISTRATION)));
    exchange(&stage, json!({ "code": CODE })).await.problem(404, "not-found");
    exchange(&stage, json!({ "code": CODE, "tenant": "acme" })).await.problem(422, "unprocessable");
}

#[tokio::test]
async fn a_registration_s_tenant_is_named_and_not_taken_from_another() {
    let stage = Stage::new();
    let named = name_tenant(&stage, PENDING, json!({ "tenant": "bolt" })).await;
    assert_eq!((named.status.as_u16(), &named.json["tenant"]), (200, &json!("bolt")));
    assert_eq!(name_tenant(&stage, PENDING, json!({ "tenant": "bolt" })).await.status, 200);
    name_tenant(&stage, PENDING, json!({ "tenant": "acme" })).await.problem(409, "conflict");
    name_tenant(&stage, &"0".repeat(32), json!({ "tenant": "acme" })).await.problem(404, "not-found");
    name_tenant(&stage, PENDING, json!({ "tenant": "" })).await.problem(422, "unprocessable");
    let path = format!("/v1/registrations/{PENDING}/tenant");
    let request = bearing(Request::put(path), WRITER).body(Body::from("no json")).unwrap();
    stage.send(request).await.problem(400, "bad-request");
}
