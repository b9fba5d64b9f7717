use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use stallkeeper_lifecycle::SubscriptionKey;
use stallkeeper_persistence::Page;
use stallkeeper_persistence::usage::LossLine;

use super::super::Desk;
use super::super::visitor::Visitor;
use super::super::words::{KeyLink, href};
use super::lines::LossRow;
use super::shell::Shell;
use super::{ROWS, Trouble, cut, page};

#[derive(Deserialize)]
pub(super) struct Asked {
    /// Only this subscription's.
    key: Option<SubscriptionKey>,
    /// The list goes on before this line.
    before: Option<i64>,
}

#[derive(Template)]
#[template(path = "console/losses.html")]
struct LossesPage {
    shell: Shell,
    of: Option<KeyLink>,
    losses: Vec<LossRow>,
    next: Option<String>,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let (api, key) = (&*desk.api, asked.key.as_ref());
    let (lines, more) = cut(api.losses(key, &Page { after: asked.before, limit: ROWS + 1 }).await?, ROWS);
    let text = key.map(ToString::to_string).unwrap_or_default();
    let next = |number: i64| href("/console/losses", &[("key", &text), ("before", &number.to_string())]);
    let row =
        |line: &LossLine| LossRow::of(line, api.meter_terms(&line.loss.subscription).as_deref(), api.now());
    Ok(page(&LossesPage {
        of: key.map(KeyLink::of),
        next: lines.last().filter(|_| more).map(|last| next(last.number)),
        losses: lines.iter().map(row).collect(),
        shell: Shell::new(&desk, &visitor, "losses", "Losses"),
    }))
}
