use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stallkeeper_ledger::{Meter, Phase, Seal};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::Page;

use super::listing::{bounded, next_of, parameters};
use crate::UsageApi;
use crate::openapi::{Doc, Limit, Moment, SubscriptionText};
use crate::problem_document::ProblemDocument;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowsQuery {
    /// `next` of the part before.
    #[schemars(with = "Option<SubscriptionText>")]
    after: Option<SubscriptionKey>,
    #[schemars(with = "Option<Limit>")]
    limit: Option<u32>,
}

/// Final-usage windows that are open.
#[derive(Serialize, JsonSchema)]
pub(super) struct Windows {
    windows: Vec<Window>,
    /// Behind which subscription there may be more, also where none is shown here.
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Window {
    subscription: String,
    product: Option<String>,
    tenant: Option<String>,
    /// Since when the buyer leaves.
    #[schemars(with = "Moment")]
    since: String,
    /// The first instant at which it is too late.
    #[schemars(with = "Moment")]
    deadline: String,
    /// Whole minutes until then.
    minutes_left: u64,
    /// open: usage goes to its own hour; sealed: what was reported until then is frozen, and what comes now goes to
    /// the next hour, where that begins in time.
    #[schemars(extend("enum" = ["open", "sealed"]))]
    state: &'static str,
}

pub(super) fn windows_doc() -> Doc {
    let example = json!({
        "windows": [{
            "subscription": "aws/prod-1/customer/X01", "product": "p", "tenant": "acme",
            "since": "2026-11-26T12:00:00Z", "deadline": "2026-11-26T13:00:00Z", "minutes_left": 30,
            "state": "open",
        }],
        "next": null,
    });
    Doc::new("openWindows", "Which final-usage windows are open")
        .detail(
            "The buyer leaves: report what is left of the usage, and say by a watermark when it is complete.",
        )
        .query::<WindowsQuery>()
        .answer::<Windows>(
            StatusCode::OK,
            "Open windows. A part may be empty and have a next one all the same.",
            example,
        )
}

pub(super) async fn get_windows(
    State(api): State<Arc<dyn UsageApi>>,
    query: Result<Query<WindowsQuery>, QueryRejection>,
) -> Result<Json<Windows>, ProblemDocument> {
    let WindowsQuery { after, limit } = parameters(query)?;
    let limit = bounded(limit);
    let mut leaving = api.leaving(&Page { after, limit: limit + 1 }).await?;
    let next = next_of(&mut leaving, limit).map(|last| last.key.to_string());
    let now = api.now();
    let mut windows = Vec::new();
    for subscription in leaving {
        // A subscription without a meter has no usage that anybody would ask for.
        let meter = api.meter(&subscription.key).await?;
        windows.extend(meter.and_then(|meter| window(&*api, meter, now)));
    }
    Ok(Json(Windows { windows, next }))
}

/// The window while it is open.
fn window(api: &dyn UsageApi, meter: Meter, now: Timestamp) -> Option<Window> {
    let Phase::Ending { since, deadline, seal, .. } = meter.phase else { return None };
    (now < deadline).then(|| Window {
        product: api.meter_terms(&meter.key).map(|terms| terms.product.to_string()),
        subscription: meter.key.to_string(),
        tenant: meter.tenant.map(String::from),
        since: since.to_string(),
        deadline: deadline.to_string(),
        minutes_left: deadline.since(now).as_secs() / 60,
        state: match seal {
            Seal::Open => "open",
            Seal::Sealed => "sealed",
        },
    })
}
