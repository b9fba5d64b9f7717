use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stallkeeper_ledger::{Hour, MeterTerms};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::Page;
use stallkeeper_persistence::usage::RecordFilter;

use super::lines::{HourLine, TotalLine};
use super::listing::{HeldUsage, Losses, bounded, held, losses, next_of, parameters};
use crate::UsageApi;
use crate::openapi::{Cursor, Doc, Id, KeySegment, Limit, Moment};
use crate::problem_document::ProblemDocument;

/// How far back a listing goes where the caller does not say.
const LOOK_BACK: Duration = Duration::from_hours(31 * 24);

/// The kinds of holders, by which a key is told.
const HOLDER_KINDS: [&str; 5] = ["customer", "license", "agreement", "instance", "code"];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UsageQuery {
    /// The first hour is this time's; 31 days ago where it is left out.
    #[schemars(with = "Option<Moment>")]
    from: Option<String>,
    /// Hours before this time.
    #[schemars(with = "Option<Moment>")]
    to: Option<String>,
    #[schemars(with = "Option<Cursor>")]
    cursor: Option<String>,
    #[schemars(with = "Option<Limit>")]
    limit: Option<u32>,
}

/// The parts of a subscription's key.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct KeyParts {
    /// The marketplace's name in the configuration.
    #[schemars(with = "KeySegment")]
    marketplace: String,
    /// The listing's code.
    #[schemars(with = "KeySegment")]
    product: String,
    /// The kind of the holder's id.
    #[schemars(extend("enum" = HOLDER_KINDS))]
    kind: String,
    /// The holder's id; a slash in it is sent percent-encoded.
    #[schemars(with = "Id")]
    id: String,
}

/// A subscription's usage.
#[derive(Serialize, JsonSchema)]
pub(super) struct SubscriptionUsage {
    subscription: String,
    tenant: Option<String>,
    #[schemars(with = "Moment")]
    from: String,
    #[schemars(with = "Moment")]
    to: String,
    hours: Vec<HourLine>,
    /// The next part's cursor.
    next: Option<String>,
    /// Of all times, with the first part only.
    #[serde(flatten)]
    rest: Option<Whole>,
}

/// What is told of a subscription's usage besides its hours.
#[derive(Serialize, JsonSchema)]
struct Whole {
    totals: Vec<TotalLine>,
    held: HeldUsage,
    lost: Losses,
}

pub(super) fn usage_doc() -> Doc {
    let hour = json!({
        "hour": "2026-11-26T12:00:00Z", "dimension": "calls", "api_name": "api-calls", "state": "settled",
        "quantity": "12", "counted": "12.6", "carried_in": "0", "carried_out": "0.6",
        "stamp": "2026-11-26T12:00:00Z", "record_id": "fEaQ1xEXAMPLE", "attempts": 1,
        "sent_until": "2026-11-27T12:00:00Z", "reason": null,
    });
    let total = json!({
        "dimension": "calls", "api_name": "api-calls", "scale": 2, "recorded": "12.6", "billed": "12",
        "lost": "0",
    });
    let example = json!({
        "subscription": "aws/prod-1/customer/X01", "tenant": "acme",
        "from": "2026-11-26T00:00:00Z", "to": "2026-11-27T00:00:00Z", "hours": [hour], "next": null,
        "totals": [total], "held": { "held": [], "more": false }, "lost": { "losses": [], "next": null },
    });
    Doc::new("subscriptionUsage", "What became of a subscription's usage, hour by hour")
        .detail("`totals`, `held` and `lost` are of all times, and come with the first part only.")
        .path::<KeyParts>()
        .query::<UsageQuery>()
        .answer::<SubscriptionUsage>(StatusCode::OK, "A part of its hours.", example)
        .problem(StatusCode::NOT_FOUND, "not-found", "The subscription is not metered.")
}

pub(super) async fn get_subscription_usage(
    State(api): State<Arc<dyn UsageApi>>,
    path: Result<Path<KeyParts>, PathRejection>,
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

/// The key whose parts stand in the path; a slash inside the holder's id is sent percent-encoded.
pub(crate) fn key_of(
    path: Result<Path<KeyParts>, PathRejection>,
) -> Result<SubscriptionKey, ProblemDocument> {
    let parts = path.map_err(|rejection| ProblemDocument::bad_request(rejection.body_text()))?;
    let Path(KeyParts { marketplace, product, kind, id }) = parts;
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
