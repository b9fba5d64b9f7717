use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::super::Desk;
use super::super::visitor::Visitor;
use super::lines::HeldRow;
use super::shell::Shell;
use super::{Trouble, cut, page};

/// The store lists held usage without a cursor: what is decided on makes room for what comes behind it.
const HELD: u32 = 200;

#[derive(Template)]
#[template(path = "console/held.html")]
struct HeldPage {
    shell: Shell,
    here: &'static str,
    held: Vec<HeldRow>,
    more: bool,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Trouble> {
    let (lines, more) = cut(desk.api.held(None, HELD + 1).await?, HELD);
    let now = desk.api.now();
    Ok(page(&HeldPage {
        here: "/console/held",
        held: lines.iter().filter_map(|line| HeldRow::of(&line.event, now)).collect(),
        more,
        shell: Shell::new(&desk, &visitor, "held", "Held usage"),
    }))
}
