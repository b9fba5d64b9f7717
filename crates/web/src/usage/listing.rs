use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stallkeeper_lifecycle::SubscriptionKey;
use stallkeeper_persistence::{Page, StoreError};

use super::lines::{HeldLine, LostLine};
use crate::UsageApi;
use crate::openapi::{Doc, Limit, SubscriptionText};
use crate::problem_document::ProblemDocument;

/// How many lines a listing has where the caller does not say.
pub(crate) const LIMIT_DEFAULT: u32 = 100;
/// How many it has at the most: below the store's bound, as one line more is read to see whether there is one.
pub(crate) const LIMIT_MAX: u32 = 500;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LossesQuery {
    /// Of this subscription only.
    #[schemars(with = "Option<SubscriptionText>")]
    subscription: Option<SubscriptionKey>,
    /// `next` of the part before.
    after: Option<i64>,
    #[schemars(with = "Option<Limit>")]
    limit: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HeldQuery {
    /// Of this subscription only.
    #[schemars(with = "Option<SubscriptionText>")]
    subscription: Option<SubscriptionKey>,
    #[schemars(with = "Option<Limit>")]
    limit: Option<u32>,
}

/// What is lost.
#[derive(Serialize, JsonSchema)]
pub(super) struct Losses {
    losses: Vec<LostLine>,
    /// Behind which number there is more.
    next: Option<i64>,
}

/// What is held, the first to run out first.
#[derive(Serialize, JsonSchema)]
pub(super) struct HeldUsage {
    held: Vec<HeldLine>,
    /// Whether more is held than is shown.
    more: bool,
}

pub(super) fn losses_doc() -> Doc {
    let example = json!({
        "losses": [{
            "number": 17, "subscription": "aws/prod-1/customer/X01", "dimension": "api-calls",
            "hour": "2026-11-26T11:00:00Z", "quantity": "3.5", "reason": "window_closed",
            "event": "req-7f3d", "tenant": "acme", "found_at": "2026-11-26T12:31:00Z", "recovered_at": null,
        }],
        "next": 17,
    });
    Doc::new("lostUsage", "What will not be billed, and why").query::<LossesQuery>().answer::<Losses>(
        StatusCode::OK,
        "Losses in the order in which they were found.",
        example,
    )
}

pub(super) fn held_doc() -> Doc {
    let example = json!({
        "held": [{
            "id": "req-7f3c", "product": "p", "tenant": "acme", "subscription": "aws/prod-1/customer/X01",
            "dimension": "calls", "quantity": "1", "occurred_at": "2026-11-26T10:10:00Z",
            "received_at": "2026-11-26T12:30:00Z", "reason": "late", "until": "2026-11-27T10:00:00Z",
        }],
        "more": false,
    });
    let description = "Held usage, the first to run out first.";
    Doc::new("heldUsage", "What waits, and until when").query::<HeldQuery>().answer::<HeldUsage>(
        StatusCode::OK,
        description,
        example,
    )
}

pub(super) async fn get_losses(
    State(api): State<Arc<dyn UsageApi>>,
    query: Result<Query<LossesQuery>, QueryRejection>,
) -> Result<Json<Losses>, ProblemDocument> {
    let LossesQuery { subscription, after, limit } = parameters(query)?;
    Ok(Json(losses(&*api, subscription.as_ref(), after, limit).await?))
}

pub(super) async fn get_held(
    State(api): State<Arc<dyn UsageApi>>,
    query: Result<Query<HeldQuery>, QueryRejection>,
) -> Result<Json<HeldUsage>, ProblemDocument> {
    let HeldQuery { subscription, limit } = parameters(query)?;
    Ok(Json(held(&*api, subscription.as_ref(), limit).await?))
}

pub(super) async fn losses(
    api: &dyn UsageApi,
    key: Option<&SubscriptionKey>,
    after: Option<i64>,
    limit: Option<u32>,
) -> Result<Losses, StoreError> {
    let limit = bounded(limit);
    let mut lines = api.losses(key, &Page { after, limit: limit + 1 }).await?;
    let next = next_of(&mut lines, limit).map(|last| last.number);
    Ok(Losses { losses: lines.iter().map(LostLine::from).collect(), next })
}

pub(super) async fn held(
    api: &dyn UsageApi,
    key: Option<&SubscriptionKey>,
    limit: Option<u32>,
) -> Result<HeldUsage, StoreError> {
    let limit = bounded(limit);
    let mut lines = api.held(key, limit + 1).await?;
    let more = next_of(&mut lines, limit).is_some();
    Ok(HeldUsage { held: lines.iter().map(HeldLine::from).collect(), more })
}

/// The last line to be shown, where there are more than that.
pub(crate) fn next_of<T>(lines: &mut Vec<T>, limit: u32) -> Option<&T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if lines.len() <= limit {
        return None;
    }
    lines.truncate(limit);
    lines.last()
}

/// How many lines are shown.
pub(crate) fn bounded(limit: Option<u32>) -> u32 {
    limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX)
}

/// A request's parameters.
pub(crate) fn parameters<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ProblemDocument> {
    match query {
        Ok(Query(parameters)) => Ok(parameters),
        Err(rejection) => Err(ProblemDocument::bad_request(rejection.body_text())),
    }
}
