use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use stallkeeper_ledger::{Hour, MeterTerms};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::Page;
use stallkeeper_persistence::usage::RecordFilter;

use super::lines::{HourLine, TotalLine};
use super::listing::{HeldUsage, Losses, bounded, held, losses, next_of, parameters};
use crate::UsageApi;
use crate::problem_document::ProblemDocument;

/// How far back a listing goes where the caller does not say.
const LOOK_BACK: Duration = Duration::from_hours(31 * 24);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UsageQuery {
    from: Option<String>,
    to: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// A subscription's usage.
#[derive(Serialize)]
pub(super) struct SubscriptionUsage {
    subscription: String,
    tenant: Option<String>,
    from: String,
    to: String,
    hours: Vec<HourLine>,
    /// The next part's cursor.
    next: Option<String>,
    /// Of all times, with the first part only.
    #[serde(flatten)]
    rest: Option<Whole>,
}

/// What is told of a subscription's usage besides its hours.
#[derive(Serialize)]
struct Whole {
    totals: Vec<TotalLine>,
    held: HeldUsage,
    lost: Losses,
}

pub(super) async fn get_subscription_usage(
    State(api): State<Arc<dyn UsageApi>>,
    path: Result<Path<(String, String, String, String)>, PathRejection>,
    query: Result<Query<UsageQuery>, QueryRejection>,
) -> Result<Json<SubscriptionUsage>, ProblemDocument> {
    let key = key_of(path)?;
    let query = parameters(query)?;
    let meter = api.meter(&key).await?;
    let meter = meter.ok_or_else(|| ProblemDocument::not_found(format!("{key} is not metered")))?;
    let terms = api.meter_terms(&key);
    let limit = bounded(query.limit);
    let after = query.cursor.as_deref().map(position).transpose()?;
    let filter = filter(key, &query, api.now())?;
    let mut lines = api.records(&filter, &Page { after, limit: limit + 1 }).await?;
    let next = next_of(&mut lines, limit).map(|line| cursor(line.record.key.hour, line.number));
    let rest = match after {
        None => Some(whole(&*api, &filter.subscription, terms.as_deref()).await?),
        Some(_) => None,
    };
    Ok(Json(SubscriptionUsage {
        subscription: filter.subscription.to_string(),
        tenant: meter.tenant.map(String::from),
        from: filter.from.to_string(),
        to: filter.to.to_string(),
        hours: lines.iter().map(|line| HourLine::of(line, terms.as_deref())).collect(),
        next,
        rest,
    }))
}

async fn whole(
    api: &dyn UsageApi,
    key: &SubscriptionKey,
    terms: Option<&MeterTerms>,
) -> Result<Whole, ProblemDocument> {
    let sums = api.sums(key).await?;
    Ok(Whole {
        totals: sums.iter().map(|sum| TotalLine::of(sum, terms)).collect(),
        held: held(api, Some(key), None).await?,
        lost: losses(api, Some(key), None, None).await?,
    })
}

pub(crate) type KeyParts = Path<(String, String, String, String)>;

/// The key whose parts stand in the path; a slash inside the holder's id is sent percent-encoded.
pub(crate) fn key_of(path: Result<KeyParts, PathRejection>) -> Result<SubscriptionKey, ProblemDocument> {
    let parts = path.map_err(|rejection| ProblemDocument::bad_request(rejection.body_text()))?;
    let Path((marketplace, product, kind, id)) = parts;
    let key = format!("{marketplace}/{product}/{kind}/{id}");
    let is_one_part = |part: &String| !part.contains('/');
    if ![&marketplace, &product, &kind].into_iter().all(is_one_part) {
        return Err(ProblemDocument::bad_request("only the holder's id can have a slash in it"));
    }
    key.parse()
        .map_err(|error: stallkeeper_lifecycle::IdError| ProblemDocument::bad_request(error.to_string()))
}

fn filter(
    subscription: SubscriptionKey,
    query: &UsageQuery,
    now: Timestamp,
) -> Result<RecordFilter, ProblemDocument> {
    let from = time("from", query.from.as_deref())?.unwrap_or_else(|| now.minus(LOOK_BACK));
    // The hour after the one at hand may have a record: of a final-usage window.
    let to = match time("to", query.to.as_deref())? {
        None => Hour::of(now).next().next(),
        Some(to) if Hour::of(to).start() == to => Hour::of(to),
        Some(to) => Hour::of(to).next(),
    };
    Ok(RecordFilter { subscription, from: Hour::of(from), to })
}

fn time(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, ProblemDocument> {
    let parsed = text.map(str::parse::<Timestamp>).transpose();
    parsed.map_err(|error| ProblemDocument::bad_request(format!("{name}: {error}")))
}

fn cursor(hour: Hour, number: i64) -> String {
    format!("{}.{number}", hour.number())
}

fn position(cursor: &str) -> Result<(i64, i64), ProblemDocument> {
    let parts =
        cursor.split_once('.').and_then(|(hour, number)| Some((hour.parse().ok()?, number.parse().ok()?)));
    parts.ok_or_else(|| ProblemDocument::bad_request("cursor: expected one that an answer named as `next`"))
}
