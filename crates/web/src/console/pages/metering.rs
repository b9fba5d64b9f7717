use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use stallkeeper_lifecycle::MarketplaceName;

use super::super::visitor::Visitor;
use super::super::words::{Left, Moment, Tone, count};
use super::super::{Desk, LaneLine};
use super::lines::Badge;
use super::shell::Shell;
use super::{Trouble, page};
use crate::safe;

#[derive(Template)]
#[template(path = "console/metering.html")]
struct MeteringPage {
    shell: Shell,
    unsent: String,
    urgent: Option<Left>,
    products: Vec<ProductRow>,
    lanes: Vec<LaneRow>,
}

struct ProductRow {
    key: String,
    key_shown: String,
    held: Option<(String, Moment)>,
}

struct LaneRow {
    name: String,
    marketplaces: String,
    calls_per_sec: u32,
    state: Badge,
    problem: String,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Trouble> {
    let (api, now) = (&*desk.api, desk.api.now());
    let health = api.ledger_health().await?;
    let products = api.metered().await?;
    let row = |product: &super::super::MeteredProduct| ProductRow {
        key: product.key.to_string(),
        key_shown: safe(product.key.as_str()),
        held: product.held.as_ref().map(|(actor, since)| (who(&actor.to_string()), Moment::of(*since, now))),
    };
    Ok(page(&MeteringPage {
        unsent: count(health.unsent),
        urgent: health.most_urgent.map(|(_, end)| Left::until(end, now)),
        products: products.iter().map(row).collect(),
        lanes: api.live().await.lanes.iter().map(lane).collect(),
        shell: Shell::new(&desk, &visitor, "metering", "Metering"),
    }))
}

fn who(actor: &str) -> String {
    safe(actor.strip_prefix("operator:").unwrap_or(actor))
}

fn lane(lane: &LaneLine) -> LaneRow {
    let names: Vec<&str> = lane.marketplaces.iter().map(MarketplaceName::as_str).collect();
    LaneRow {
        name: safe(&lane.name),
        marketplaces: names.join(", "),
        calls_per_sec: lane.calls_per_sec,
        state: match &lane.trouble {
            None => Badge::new("well", Tone::Good),
            Some(_) => Badge::new("trouble", Tone::Bad),
        },
        problem: lane
            .trouble
            .as_ref()
            .map(|(what, then)| safe(&format!("{what}: {then}")))
            .unwrap_or_default(),
    }
}
