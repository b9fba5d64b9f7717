use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;

use super::{html, page};
use crate::control::Control;
use crate::{Act, ClockMove, Whose};

/// What a button of a purchase or a product sends.
#[derive(Debug, Deserialize)]
pub(super) struct ActForm {
    act: String,
    buyer: String,
    product: String,
    /// Empty where the act is about no purchase.
    #[serde(default)]
    subscription: String,
    #[serde(default)]
    trial: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct SetUpForm {
    buyer: String,
    product: String,
    #[serde(default)]
    subscription: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ClockForm {
    buyer: String,
    advance_secs: u64,
}

#[derive(Template)]
#[template(path = "shop/set_up.html")]
struct SetUp<'a> {
    product: &'a str,
    address: &'a str,
    token: &'a str,
    expires_at: String,
}

/// Lets something happen, and shows the shop again.
pub(super) async fn act(State(control): State<Control>, Form(form): Form<ActForm>) -> Response {
    let done = match form.read() {
        Ok(act) => control.market.act(&act).await.map(drop).map_err(|error| error.to_string()),
        Err(words) => Err(words),
    };
    back(&control, &form.buyer, done)
}

/// Sends the buyer to the seller's registration page with a fresh token.
pub(super) async fn set_up(State(control): State<Control>, Form(form): Form<SetUpForm>) -> Response {
    let products = control.market.products();
    let product = products.iter().find(|product| product.key == form.product);
    let Some(address) = product.and_then(|product| product.fulfilment_url.as_deref()) else {
        let words = format!("the product `{}` has no fulfilment URL to go to", form.product);
        return back(&control, &form.buyer, Err(words));
    };
    let subscription = Some(form.subscription).filter(|id| !id.is_empty());
    let whose = Whose { buyer: form.buyer.clone(), product: form.product.clone(), subscription };
    match control.tokens.issue(&whose) {
        Ok(issued) => {
            let expires_at = page::moment(issued.expires_at);
            let page = SetUp { product: &form.product, address, token: &issued.token, expires_at };
            html(StatusCode::OK, &page)
        }
        Err(error) => back(&control, &form.buyer, Err(error.to_string())),
    }
}

/// Moves the clock, and shows the shop again once all that fell due was said.
pub(super) async fn move_clock(State(control): State<Control>, Form(form): Form<ClockForm>) -> Response {
    let moved = control.market.move_clock(ClockMove::AdvanceSecs(form.advance_secs)).await;
    back(&control, &form.buyer, moved.map(drop).map_err(|error| error.to_string()))
}

/// The shop again, so that reloading repeats nothing; or with what did not happen and why.
pub(super) fn back(control: &Control, buyer: &str, done: Result<(), String>) -> Response {
    match done {
        Ok(()) => {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("buyer", page::buyer_or_default(buyer))
                .finish();
            Redirect::to(&format!("/shop?{query}")).into_response()
        }
        Err(words) => html(StatusCode::CONFLICT, &page::Page::of(control, buyer, Some(words))),
    }
}

impl ActForm {
    /// The act, in the words of the control API.
    fn read(&self) -> Result<Act, String> {
        let Self { act, buyer, product, subscription, .. } = self;
        let act = if act == "subscribe" {
            json!({"act": act, "buyer": buyer, "product": product, "trial": self.trial})
        } else if subscription.is_empty() {
            json!({"act": act, "buyer": buyer, "product": product})
        } else {
            json!({"act": act, "buyer": buyer, "product": product, "subscription": subscription})
        };
        serde_json::from_value(act).map_err(|error| format!("there is no such act: {error}"))
    }
}
