use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use time::OffsetDateTime;

use super::faults::{EXPIRED, SWITCHES};
use super::html;
use crate::control::Control;
use crate::marketplace::to_second;
use crate::{BillEntry, Entry, Feed, Pricing, Product, Standing};

const BUYER_DEFAULT: &str = "ada";
/// How many lines of the bill, and of what was said, a page shows: the newest.
const LINES_MAX: usize = 24;

#[derive(Deserialize)]
pub(super) struct Question {
    #[serde(default)]
    buyer: String,
}

/// The shop as one buyer sees it.
#[derive(Template)]
#[template(path = "shop/page.html")]
pub(super) struct Page {
    buyer: String,
    now: String,
    /// What did not happen, and why.
    refusal: Option<String>,
    products: Vec<ProductLine>,
    purchases: Vec<PurchaseLine>,
    totals: Vec<TotalLine>,
    hours: Vec<HourLine>,
    said: Vec<SaidLine>,
    switches: Vec<SwitchLine>,
}

struct ProductLine {
    key: String,
    code: String,
    pricing: &'static str,
    says: &'static str,
    has_trial: bool,
    can_fail: bool,
}

struct PurchaseLine {
    id: String,
    product: String,
    standing: &'static str,
    until: Option<String>,
    since: Option<String>,
    offer: String,
    has_page: bool,
    buttons: Vec<Button>,
}

struct Button {
    act: &'static str,
    label: &'static str,
}

struct TotalLine {
    code: String,
    dimension: String,
    quantity: i64,
    hours: usize,
}

struct HourLine {
    hour: String,
    code: String,
    dimension: String,
    quantity: i64,
}

struct SaidLine {
    at: String,
    what: &'static str,
    subscription: String,
    copies: usize,
}

struct SwitchLine {
    name: &'static str,
    label: &'static str,
    is_on: bool,
}

pub(super) async fn show(State(control): State<Control>, Query(question): Query<Question>) -> Response {
    html(StatusCode::OK, &Page::of(&control, &question.buyer, None))
}

/// A moment as pages write it, in UTC.
pub(super) fn moment(moment: OffsetDateTime) -> String {
    to_second(moment).replace('T', " ").replace('Z', "")
}

pub(super) fn buyer_or_default(buyer: &str) -> &str {
    if buyer.is_empty() { BUYER_DEFAULT } else { buyer }
}

impl Page {
    pub(super) fn of(control: &Control, buyer: &str, refusal: Option<String>) -> Self {
        let buyer = buyer_or_default(buyer);
        let products = control.market.products();
        let bill = control.metering.bill_of_buyer(buyer);
        let has_page =
            |key: &str| products.iter().any(|product| product.key == key && product.fulfilment_url.is_some());
        let purchases = control.market.books_of(buyer);
        let now = control.market.clock().now();
        Self {
            buyer: buyer.to_owned(),
            now: moment(now),
            refusal,
            purchases: purchases
                .iter()
                .map(|entry| {
                    let pricing = products.iter().find(|product| product.key == entry.product);
                    PurchaseLine::of(entry, pricing, has_page(&entry.product), now)
                })
                .collect(),
            products: products.iter().map(ProductLine::of).collect(),
            totals: totals(&bill),
            hours: bill.iter().rev().take(LINES_MAX).map(HourLine::of).collect(),
            said: said(control),
            switches: switches(control),
        }
    }
}

impl ProductLine {
    fn of(product: &Product) -> Self {
        Self {
            key: product.key.clone(),
            code: product.code.clone(),
            pricing: match product.pricing {
                Pricing::Subscription => "by use",
                Pricing::Contract => "contract",
            },
            says: match product.feed {
                Feed::Sns => "topics",
                Feed::EventBridge => "events",
            },
            has_trial: product.feed == Feed::Sns,
            can_fail: product.feed == Feed::Sns,
        }
    }
}

impl PurchaseLine {
    fn of(entry: &Entry, product: Option<&Product>, has_page: bool, now: OffsetDateTime) -> Self {
        let standing = entry.standing.at(now);
        Self {
            id: entry.id.to_string(),
            product: entry.product.clone(),
            standing: standing.as_str(),
            until: match standing {
                Standing::Ending { deadline } => Some(moment(deadline)),
                _ => None,
            },
            since: entry.periods.last().map(|period| moment(period.from)),
            offer: entry.offer_id.clone(),
            has_page,
            buttons: product.map(|product| buttons(standing, product)).unwrap_or_default(),
        }
    }
}

/// What can happen with a purchase as it stands.
fn buttons(standing: Standing, product: &Product) -> Vec<Button> {
    if standing != Standing::Subscribed {
        return Vec::new();
    }
    let mut buttons = vec![Button { act: "amend", label: "Accept a new offer" }];
    match (product.feed, product.pricing) {
        (Feed::EventBridge, _) => buttons.push(Button { act: "renew", label: "Renew" }),
        (Feed::Sns, Pricing::Contract) => {
            buttons.push(Button { act: "change-entitlements", label: "Change entitlements" });
        }
        (Feed::Sns, Pricing::Subscription) => {}
    }
    buttons.push(Button { act: "unsubscribe", label: "Unsubscribe" });
    buttons
}

fn totals(bill: &[BillEntry]) -> Vec<TotalLine> {
    let mut totals: BTreeMap<(&str, &str), (i64, usize)> = BTreeMap::new();
    for entry in bill {
        let (quantity, hours) = totals.entry((&entry.code, &entry.dimension)).or_default();
        *quantity = quantity.saturating_add(entry.quantity);
        *hours += 1;
    }
    let line = |((code, dimension), (quantity, hours)): ((&str, &str), (i64, usize))| TotalLine {
        code: code.to_owned(),
        dimension: dimension.to_owned(),
        quantity,
        hours,
    };
    totals.into_iter().map(line).collect()
}

impl HourLine {
    fn of(entry: &BillEntry) -> Self {
        Self {
            hour: moment(entry.hour),
            code: entry.code.clone(),
            dimension: entry.dimension.clone(),
            quantity: entry.quantity,
        }
    }
}

/// What was said last, of whomever, newest first.
fn said(control: &Control) -> Vec<SaidLine> {
    let lines = u64::try_from(LINES_MAX).unwrap_or_default();
    let last = control.market.notifications(control.market.published().saturating_sub(lines), LINES_MAX);
    let line = |one: &crate::Notification| SaidLine {
        at: moment(one.at),
        what: one.what,
        subscription: one.subscription.to_string(),
        copies: one.copies,
    };
    last.iter().rev().map(line).collect()
}

fn switches(control: &Control) -> Vec<SwitchLine> {
    let settings = control.faults.settings();
    let line = |switch: super::faults::Switch| SwitchLine {
        name: switch.name,
        label: switch.label,
        is_on: (switch.is_on)(&settings),
    };
    let expired = SwitchLine {
        name: EXPIRED,
        label: "Every registration token is called expired",
        is_on: control.faults.registration_settings().expired > 0.0,
    };
    SWITCHES.into_iter().map(line).chain([expired]).collect()
}
