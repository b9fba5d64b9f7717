use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use stallkeeper_lifecycle::{MarketplaceName, Timestamp};
use stallkeeper_persistence::{Page, QuarantineKey, QuarantineRecord, QuarantineState};

use super::super::Desk;
use super::super::visitor::Visitor;
use super::super::words::{Moment, Tone, href};
use super::lines::Badge;
use super::shell::Shell;
use super::{ROWS, Trouble, cut, page};
use crate::{head, safe, safe_lines};

/// How much of a message is shown, in bytes.
const BODY_BYTES_MAX: usize = 32 * 1024;

/// How much of a hash listings show.
const SHOWN_DIGITS: usize = 12;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ListAsked {
    state: String,
    /// `marketplace/hash`
    after: String,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    marketplace: MarketplaceName,
    hash: String,
}

#[derive(Template)]
#[template(path = "console/quarantine.html")]
struct QuarantinePage {
    shell: Shell,
    state: &'static str,
    states: [&'static str; 3],
    rows: Vec<Row>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "console/quarantine_message.html")]
struct MessagePage {
    shell: Shell,
    row: Row,
    bytes: usize,
    left_out: usize,
    lines: Vec<String>,
}

/// A message without its body.
struct Row {
    marketplace: String,
    hash: String,
    short: String,
    href: String,
    message_id: String,
    state: Badge,
    is_held: bool,
    reason: String,
    detail: String,
    seen: i64,
    first: Moment,
    last: Moment,
    settled: Option<(String, Moment)>,
}

impl Row {
    fn of(record: &QuarantineRecord, now: Timestamp) -> Self {
        let entry = &record.entry;
        let (marketplace, hash) = (entry.key.marketplace.to_string(), entry.key.hash.clone());
        let tone = if record.state == QuarantineState::Held { Tone::Warn } else { Tone::Quiet };
        let who = |actor: &str| safe(actor.strip_prefix("operator:").unwrap_or(actor));
        Self {
            short: hash.chars().take(SHOWN_DIGITS).collect(),
            href: href("/console/quarantine/message", &[("marketplace", &marketplace), ("hash", &hash)]),
            marketplace,
            hash,
            message_id: safe(&entry.message_id),
            state: Badge::new(record.state.as_str(), tone),
            is_held: record.state == QuarantineState::Held,
            reason: safe(&entry.reason.replace('-', " ")),
            detail: safe(&entry.detail),
            seen: record.seen,
            first: Moment::of(entry.at, now),
            last: Moment::of(record.last_seen_at, now),
            settled: record.settled.as_ref().map(|(actor, at)| (who(actor), Moment::of(*at, now))),
        }
    }
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<ListAsked>,
) -> Result<Response, Trouble> {
    let state = if asked.state.is_empty() { "held" } else { &asked.state };
    let state: QuarantineState =
        state.parse().map_err(|_| Trouble::Address("a message is held, replayed or discarded".to_owned()))?;
    let after = Some(asked.after.as_str()).filter(|after| !after.is_empty()).map(key).transpose()?;
    let records = desk.api.quarantine(state, &Page { after, limit: ROWS + 1 }).await?;
    let (records, more) = cut(records, ROWS);
    let now = desk.api.now();
    let name = |key: &QuarantineKey| format!("{}/{}", key.marketplace, key.hash);
    Ok(page(&QuarantinePage {
        state: state.as_str(),
        states: QuarantineState::ALL.map(QuarantineState::as_str),
        next: records.last().filter(|_| more).map(|last| {
            href("/console/quarantine", &[("state", state.as_str()), ("after", &name(&last.entry.key))])
        }),
        rows: records.iter().map(|record| Row::of(record, now)).collect(),
        shell: Shell::new(&desk, &visitor, "quarantine", "Quarantine"),
    }))
}

fn key(text: &str) -> Result<QuarantineKey, Trouble> {
    let parts =
        text.split_once('/').ok_or_else(|| Trouble::Address("expected marketplace/hash".to_owned()))?;
    let marketplace = parts.0.parse().map_err(|error| Trouble::Address(format!("{error}")))?;
    Ok(QuarantineKey { marketplace, hash: parts.1.to_owned() })
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let key = QuarantineKey { marketplace: asked.marketplace, hash: asked.hash };
    let record = desk.api.quarantined(&key).await?;
    let record = record.ok_or(Trouble::NotFound("No message in quarantine has this hash."))?;
    let body = &record.entry.body;
    let (shown, _) = head(body, BODY_BYTES_MAX);
    let row = Row::of(&record, desk.api.now());
    Ok(page(&MessagePage {
        bytes: body.len(),
        left_out: body.len() - shown.len(),
        lines: safe_lines(shown),
        shell: Shell::new(&desk, &visitor, "quarantine", &format!("Message {}", row.short)),
        row,
    }))
}
