//! What operators do: each act is a form of their own pages, and answers with the page that it came from.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Extension, Form, Router};
use serde::Deserialize;
use stallkeeper_ledger::{Decision, EventKey};
use stallkeeper_lifecycle::{Binding, SubscriptionKey};
use stallkeeper_persistence::{JobKind, QuarantineKey};

use super::flash::Flash;
use super::visitor::Visitor;
use super::words::subscription_href;
use super::{ActError, Desk};

/// The acts' routes, behind the gate.
pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/console/acts/bind", post(bind))
        .route("/console/acts/unbind", post(unbind))
        .route("/console/acts/replay", post(replay))
        .route("/console/acts/discard", post(discard))
        .route("/console/acts/carry", post(carry))
        .route("/console/acts/write-off", post(write_off))
        .route("/console/acts/hold", post(hold))
        .route("/console/acts/release", post(release))
        .route("/console/acts/retry", post(retry))
        .route("/console/acts/test-endpoint", post(test_endpoint))
        .route("/console/acts/replay-delivery", post(replay_delivery))
}

type Sent<T> = Result<Form<T>, FormRejection>;

/// What an act came to.
type Did = Result<String, ActError>;

/// Leaves a message for the visitor's next page, and leads him there.
fn back(desk: &Desk, visitor: &Visitor, act: &'static str, did: Did, to: &str) -> Response {
    let operator = visitor.operator.name();
    let flash = match did {
        Ok(done) => {
            tracing::info!(operator, act, done, "an operator acted");
            Flash::Done(done)
        }
        Err(ActError::Refused(why)) => Flash::Refused(why),
        Err(error @ ActError::Store(_)) => {
            tracing::warn!(
                operator,
                act,
                error = &error as &dyn std::error::Error,
                "an operator's act failed"
            );
            Flash::Refused(
                "the database did not answer, so look whether it was done before you try again".to_owned(),
            )
        }
    };
    desk.flashes.put(&visitor.id, flash);
    Redirect::to(to).into_response()
}

fn form<T>(sent: Sent<T>) -> Result<T, ActError> {
    sent.map(|Form(form)| form).map_err(|rejection| ActError::Refused(rejection.body_text()))
}

/// A field's text as what it stands for.
fn read<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, ActError> {
    text.parse().map_err(|error| ActError::Refused(format!("{error}")))
}

/// Where an act leads back to: a page of the console, and nothing else that a form may name.
fn own_page(named: &str, otherwise: &str) -> String {
    let is_own = named == "/console" || named.starts_with("/console/");
    let is_plain = named.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_own && is_plain && !named.contains("//") && !named.contains("/..") { named } else { otherwise }
        .to_owned()
}

#[derive(Deserialize)]
struct Bind {
    key: String,
    tenant: String,
    #[serde(default)]
    user: String,
}

async fn bind(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    sent: Sent<Bind>,
) -> Response {
    let mut to = "/console/subscriptions".to_owned();
    let did = async {
        let form = form(sent)?;
        let key: SubscriptionKey = read(&form.key)?;
        to = subscription_href(&key);
        let user = Some(form.user.trim()).filter(|user| !user.is_empty()).map(read).transpose()?;
        let binding = Binding { tenant: read(&form.tenant)?, user };
        desk.api.bind(&visitor.operator, &key, Some(binding)).await
    }
    .await;
    back(&desk, &visitor, "bind", did, &to)
}

#[derive(Deserialize)]
struct Unbind {
    key: String,
}

async fn unbind(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    sent: Sent<Unbind>,
) -> Response {
    let mut to = "/console/subscriptions".to_owned();
    let did = async {
        let key: SubscriptionKey = read(&form(sent)?.key)?;
        to = subscription_href(&key);
        desk.api.bind(&visitor.operator, &key, None).await
    }
    .await;
    back(&desk, &visitor, "unbind", did, &to)
}

#[derive(Deserialize)]
struct Message {
    marketplace: String,
    hash: String,
}

impl Message {
    fn key(self) -> Result<QuarantineKey, ActError> {
        Ok(QuarantineKey { marketplace: read(&self.marketplace)?, hash: self.hash })
    }
}

async fn replay(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    sent: Sent<Message>,
) -> Response {
    let did = async { desk.api.replay(&visitor.operator, &form(sent)?.key()?).await }.await;
    back(&desk, &visitor, "replay", did, "/console/quarantine")
}

async fn discard(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    sent: Sent<Message>,
) -> Response {
    let did = async { desk.api.discard(&visitor.operator, &form(sent)?.key()?).await }.await;
    back(&desk, &visitor, "discard", did, "/console/quarantine")
}

#[derive(Deserialize)]
struct Event {
    product: String,
    tenant: String,
    id: String,
    #[serde(default)]
    back: String,
}

async fn carry(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    sent: Sent<Event>,
) -> Response {
    decide(&desk, &visitor, sent, Decision::Carry).await
}

async fn write_off(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    sent: Sent<Event>,
) -> Response {
    decide(&desk, &visitor, sent, Decision::WriteOff).await
}

async fn decide(desk: &Desk, visitor: &Visitor, sent: Sent<Event>, decision: Decision) -> Response {
    let mut to = "/console/held".to_owned();
    let did = async {
        let Event { product, tenant, id, back } = form(sent)?;
        to = own_page(&back, &to);
        let event = EventKey { product: read(&product)?, tenant: read(&tenant)?, id: read(&id)? };
        desk.api.decide(&visitor.operator, &event, decision).await
    }
    .await;
    let act = match decision {
        Decision::Carry => "carry",
        Decision::WriteOff => "write-off",
    };
    back(desk, visitor, act, did, &to)
}

#[derive(Deserialize)]
struct Product {
    product: String,
}

async fn hold(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    sent: Sent<Product>,
) -> Response {
    let did = async { desk.api.hold(&visitor.operator, &read(&form(sent)?.product)?).await }.await;
    back(&desk, &visitor, "hold", did, "/console/metering")
}

async fn release(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    sent: Sent<Product>,
) -> Response {
    let did = async { desk.api.release(&visitor.operator, &read(&form(sent)?.product)?).await }.await;
    back(&desk, &visitor, "release", did, "/console/metering")
}

#[derive(Deserialize)]
struct Retry {
    key: String,
    kind: String,
    #[serde(default)]
    back: String,
}

async fn retry(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    sent: Sent<Retry>,
) -> Response {
    let mut to = "/console/jobs".to_owned();
    let did = async {
        let Retry { key, kind, back } = form(sent)?;
        to = own_page(&back, &to);
        let kind: JobKind = read(&kind)?;
        desk.api.retry_job(&visitor.operator, &read(&key)?, kind).await
    }
    .await;
    back(&desk, &visitor, "retry", did, &to)
}

#[derive(Deserialize)]
struct Endpoint {
    endpoint: String,
}

async fn test_endpoint(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    sent: Sent<Endpoint>,
) -> Response {
    let did = async { desk.deliveries.test(&visitor.operator, &form(sent)?.endpoint).await }.await;
    back(&desk, &visitor, "test-endpoint", did, "/console/webhooks")
}

#[derive(Deserialize)]
struct Delivery {
    delivery: String,
    #[serde(default)]
    back: String,
}

async fn replay_delivery(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    sent: Sent<Delivery>,
) -> Response {
    let mut to = "/console/webhooks".to_owned();
    let did = async {
        let Delivery { delivery, back } = form(sent)?;
        to = own_page(&back, &to);
        desk.deliveries.replay(&visitor.operator, &delivery).await
    }
    .await;
    back(&desk, &visitor, "replay-delivery", did, &to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_leads_back_to_pages_of_the_console_only() {
        let to = |named| own_page(named, "/console/held");
        assert_eq!(to("/console/subscription?key=aws%2Fp"), "/console/subscription?key=aws%2Fp");
        for elsewhere in [
            "",
            "//evil.example",
            "https://evil.example",
            "/consoles",
            "/console//evil",
            "/console/\r\nx",
            "/v1",
        ] {
            assert_eq!(to(elsewhere), "/console/held", "{elsewhere}");
        }
    }
}
