use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use stallkeeper_ledger::{Hour, MeterTerms, RecordState};
use stallkeeper_lifecycle::{Anomaly, Standing, SubscriptionKey, Timestamp, View};
use stallkeeper_persistence::usage::{RecordFilter, RecordLine, UsageSum};
use stallkeeper_persistence::{HistoryRecord, PAGE_MAX, Page};

use super::super::plot::{HOURS, Plot, Span, plots};
use super::super::visitor::Visitor;
use super::super::words::{KeyLink, Left, Moment, Tone, hour, href};
use super::super::{ConsoleApi, Desk};
use super::lines::{Badge, DeliveryRow, HeldRow, JobRow, LossRow, access, deadline, product_of, tenant};
use super::shell::Shell;
use super::{ROWS, Trouble, cut, page};
use crate::safe;
use crate::usage::{name_of, record_id};

const PATH: &str = "/console/subscription";

/// How many details of a line of history are shown, and how long each may be.
const DETAILS_MAX: usize = 8;
const DETAIL_CHARS_MAX: usize = 120;

#[derive(Deserialize)]
pub(super) struct Asked {
    key: String,
    /// The first hour after those of the plot, by its number.
    to: Option<i64>,
    /// The history goes on before this line.
    before: Option<i64>,
}

#[derive(Template)]
#[template(path = "console/subscription.html")]
struct SubscriptionPage {
    shell: Shell,
    link: KeyLink,
    key: String,
    here: String,
    head: Head,
    plots: Vec<Plot>,
    earlier_hours: String,
    later_hours: Option<String>,
    records: Vec<RecordRow>,
    records_cut: bool,
    totals: Vec<TotalRow>,
    held: Vec<HeldRow>,
    losses: Vec<LossRow>,
    losses_more: bool,
    jobs: Vec<JobRow>,
    timeline: Vec<TimelineRow>,
    older: Option<String>,
    has_deliveries: bool,
    deliveries: Vec<DeliveryRow>,
}

/// How the subscription looks now.
struct Head {
    word: Badge,
    access: Badge,
    tenant: Option<String>,
    user: Option<String>,
    marketplace: String,
    product: Option<String>,
    listing: String,
    left: Option<Left>,
    deadline: Option<Moment>,
    period: Option<String>,
    offer: Option<String>,
    agreement: Option<String>,
    changed: Moment,
}

struct RecordRow {
    hour: String,
    dimension: String,
    quantity: String,
    state: Badge,
    record_id: String,
    attempts: usize,
    left: Option<Left>,
    why: String,
}

struct TotalRow {
    dimension: String,
    recorded: String,
    billed: String,
    lost: String,
}

/// A line of history.
struct TimelineRow {
    received: Moment,
    happened: Option<Moment>,
    what: String,
    details: Vec<(String, String)>,
    outcome: Badge,
    word: Badge,
    actor: String,
    is_person: bool,
    odd: Option<String>,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let api = &*desk.api;
    let key: SubscriptionKey = asked
        .key
        .parse()
        .map_err(|error: stallkeeper_lifecycle::IdError| Trouble::Address(error.to_string()))?;
    let record = api.subscription(&key).await?;
    let record = record.ok_or(Trouble::NotFound("No subscription has this key."))?;
    let (now, terms) = (api.now(), api.meter_terms(&key));
    let view = api.view(&record);
    let usage = Usage::read(api, &key, asked.to, now).await?;
    let history = api.history(&key, &Page { after: asked.before, limit: ROWS + 1 }).await?;
    let (history, older) = cut(history, ROWS);
    let (losses, losses_more) = cut(usage.losses.clone(), ROWS);
    let deliveries = desk.deliveries.deliveries_of(&key, ROWS).await?;
    let text = key.to_string();
    let at_hour = |to: i64| href(PATH, &[("key", &text), ("to", &to.to_string())]);
    let newest = Hour::of(now).next().next();
    Ok(page(&SubscriptionPage {
        here: href(PATH, &[("key", &text)]),
        head: head(api, &key, &view, record.updated_at),
        plots: plots(usage.span, &usage.records, &usage.losses, terms.as_deref()),
        earlier_hours: at_hour(usage.span.from.number()),
        later_hours: (usage.span.to < newest)
            .then(|| at_hour(newest.number().min(usage.span.to.number().saturating_add(HOURS)))),
        records: usage.records.iter().rev().map(|line| record_row(line, terms.as_deref(), now)).collect(),
        records_cut: usage.is_cut,
        totals: api.sums(&key).await?.iter().map(|sum| total(sum, terms.as_deref())).collect(),
        held: api
            .held(Some(&key), ROWS)
            .await?
            .iter()
            .filter_map(|line| HeldRow::of(&line.event, now))
            .collect(),
        losses: losses.iter().map(|line| LossRow::of(line, terms.as_deref(), now)).collect(),
        losses_more,
        jobs: api.jobs_of(&key).await?.iter().map(|job| JobRow::of(job, now)).collect(),
        older: history
            .last()
            .filter(|_| older)
            .map(|last| href(PATH, &[("key", &text), ("before", &last.number.to_string())]) + "#timeline"),
        timeline: history.iter().map(|line| timeline_row(line, now)).collect(),
        has_deliveries: desk.deliveries.is_on(),
        deliveries: deliveries.iter().map(|line| DeliveryRow::of(line, now)).collect(),
        link: KeyLink::of(&key),
        shell: Shell::new(&desk, &visitor, "subscriptions", key.holder.id()),
        key: text,
    }))
}

/// What is drawn and listed of a subscription's usage.
struct Usage {
    span: Span,
    records: Vec<RecordLine>,
    /// Whether there are more records in these hours.
    is_cut: bool,
    losses: Vec<stallkeeper_persistence::usage::LossLine>,
}

impl Usage {
    async fn read(
        api: &dyn ConsoleApi,
        key: &SubscriptionKey,
        to: Option<i64>,
        now: Timestamp,
    ) -> Result<Self, Trouble> {
        // The hour after the one at hand may have a record: of a final-usage window.
        let newest = Hour::of(now).next().next();
        let span = Span::until(to.map_or(newest, |to| Hour::new(to.min(newest.number()))));
        let filter = RecordFilter { subscription: key.clone(), from: span.from, to: span.to };
        let records = api.records(&filter, &Page::first(PAGE_MAX)).await?;
        let is_cut = records.len() >= usize::try_from(PAGE_MAX).unwrap_or(usize::MAX);
        Ok(Self { span, records, is_cut, losses: api.losses(Some(key), &Page::first(PAGE_MAX)).await? })
    }
}

fn head(api: &dyn ConsoleApi, key: &SubscriptionKey, view: &View, changed: Timestamp) -> Head {
    let now = api.now();
    let period = view.standing.period();
    let since = |period: &stallkeeper_lifecycle::Period| match period.started_at {
        Some(at) => format!("{}, since {}", period.number, Moment::of(at, now).text),
        None => format!("{}, its beginning was never heard of", period.number),
    };
    let end = deadline(view);
    Head {
        word: Badge::of_word(view.word),
        access: access(view.access),
        tenant: tenant(view),
        user: view.binding.as_ref().and_then(|binding| binding.user.as_ref()).map(|user| safe(user.as_str())),
        marketplace: safe(key.marketplace.as_str()),
        product: product_of(&api.listings(), key),
        listing: safe(key.product.as_str()),
        left: end.map(|end| Left::until(end, now)),
        deadline: match &view.standing {
            Standing::Ended { at, .. } => Some(Moment::of(*at, now)),
            _ => end.map(|end| Moment::of(end, now)),
        },
        period: period.map(since),
        offer: period.and_then(|period| period.offer.as_ref()).map(|offer| safe(offer.as_str())),
        agreement: view.agreement.as_ref().map(|agreement| safe(agreement.as_str())),
        changed: Moment::of(changed, now),
    }
}

fn record_row(line: &RecordLine, terms: Option<&MeterTerms>, now: Timestamp) -> RecordRow {
    let record = &line.record;
    let (words, tone) = match record.state {
        RecordState::Open => ("open", Tone::Quiet),
        RecordState::Frozen { .. } => ("waits to be sent", Tone::Warn),
        RecordState::Settled { .. } => ("billed", Tone::Good),
        RecordState::SettledAssumed { .. } => ("billed, as assumed", Tone::Good),
        RecordState::Ended { .. } => (record.state.word(), Tone::Bad),
    };
    RecordRow {
        hour: hour(record.key.hour.start()),
        dimension: safe(&name_of(&record.key.dimension, terms)),
        quantity: record.parts_reported().display(record.scale),
        state: Badge::new(words, tone),
        record_id: record_id(record).as_deref().map(safe).unwrap_or_default(),
        attempts: record.sending.attempts.len(),
        left: record.expires_at.filter(|_| record.is_frozen()).map(|end| Left::until(end, now)),
        why: match &record.state {
            RecordState::Ended { why, .. } => safe(why),
            _ => String::new(),
        },
    }
}

fn total(sum: &UsageSum, terms: Option<&MeterTerms>) -> TotalRow {
    let scale = terms.and_then(|terms| terms.by_api_name(&sum.dimension)).map(|(_, terms)| terms.scale);
    let text = |parts: stallkeeper_ledger::SubUnits| match scale {
        Some(scale) => parts.display(scale),
        // The configuration does not name the dimension any more.
        None => format!("{} (smallest parts)", parts.parts()),
    };
    TotalRow {
        dimension: safe(&name_of(&sum.dimension, terms)),
        recorded: text(sum.recorded),
        billed: text(sum.billed),
        lost: text(sum.lost),
    }
}

fn timeline_row(line: &HistoryRecord, now: Timestamp) -> TimelineRow {
    let entry = &line.entry;
    let tone = if entry.outcome == "applied" { Tone::Good } else { Tone::Quiet };
    let actor = entry.actor.to_string();
    let person = actor.strip_prefix("operator:").map(safe);
    let odd =
        |code: &str| Anomaly::named(code).map_or_else(|| safe(code), |known| known.in_words().to_owned());
    TimelineRow {
        received: Moment::of(entry.at, now),
        happened: entry.happened_at.map(|at| Moment::of(at, now)),
        what: safe(&entry.what.replace('-', " ")),
        details: details(&entry.detail),
        outcome: Badge::new(safe(&entry.outcome), tone),
        word: Badge::of_stored_word(&entry.word),
        is_person: person.is_some(),
        actor: person.unwrap_or_else(|| safe(&actor)),
        odd: entry.anomaly.as_deref().map(odd),
    }
}

/// The plain values among a line's details, bounded, as anybody may have written them.
fn details(json: &str) -> Vec<(String, String)> {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(json) else { return Vec::new() };
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let short = |text: &str| safe(&text.chars().take(DETAIL_CHARS_MAX).collect::<String>());
    let pairs = fields.iter().filter_map(|(name, value)| Some((short(name), short(&text(value)?))));
    pairs.take(DETAILS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_plain_values_and_bounded() {
        let json = format!(
            r#"{{"tenant":"acme","n":3,"deep":{{"a":1}},"long":"{}","bidi":"a\u202eb"}}"#,
            "x".repeat(500)
        );
        let found = details(&json);
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), 4, "{found:?}");
        assert!(
            found
                .iter()
                .all(|(_, text)| text.chars().count() <= DETAIL_CHARS_MAX + 8 && !text.contains('\u{202e}'))
        );
        assert_eq!(details("no json"), []);
    }
}
