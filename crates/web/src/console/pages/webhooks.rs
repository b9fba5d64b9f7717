use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::super::Desk;
use super::super::deliveries::EndpointLine;
use super::super::visitor::Visitor;
use super::super::words::Moment;
use super::lines::DeliveryRow;
use super::shell::Shell;
use super::{ROWS, Trouble, page};
use crate::safe;

#[derive(Template)]
#[template(path = "console/webhooks.html")]
struct WebhooksPage {
    shell: Shell,
    here: &'static str,
    endpoints: Vec<EndpointRow>,
    failed: Vec<DeliveryRow>,
}

struct EndpointRow {
    name: String,
    name_shown: String,
    address: String,
    succeeded: Option<Moment>,
    failed: Option<(Moment, String)>,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Trouble> {
    if !desk.deliveries.is_on() {
        return Err(Trouble::NotFound("No webhook is configured."));
    }
    let now = desk.api.now();
    let row = |line: &EndpointLine| EndpointRow {
        name: line.name.clone(),
        name_shown: safe(&line.name),
        address: safe(&line.address),
        succeeded: line.succeeded_at.map(|at| Moment::of(at, now)),
        failed: line.failed.as_ref().map(|(at, why)| (Moment::of(*at, now), safe(why))),
    };
    let failed = desk.deliveries.failed(ROWS).await?;
    Ok(page(&WebhooksPage {
        here: "/console/webhooks",
        endpoints: desk.deliveries.endpoints().await?.iter().map(row).collect(),
        failed: failed.iter().map(|line| DeliveryRow::of(line, now)).collect(),
        shell: Shell::new(&desk, &visitor, "webhooks", "Webhooks"),
    }))
}
