use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use stallkeeper_ledger::{Meter, Phase, Seal};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::Page;

use super::listing::{bounded, next_of, parameters};
use crate::UsageApi;
use crate::problem_document::ProblemDocument;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowsQuery {
    after: Option<SubscriptionKey>,
    limit: Option<u32>,
}

/// Final-usage windows that are open.
#[derive(Serialize)]
pub(super) struct Windows {
    windows: Vec<Window>,
    /// Behind which subscription there may be more, also where none is shown here.
    next: Option<String>,
}

#[derive(Serialize)]
struct Window {
    subscription: String,
    product: Option<String>,
    tenant: Option<String>,
    /// Since when the buyer leaves.
    since: String,
    /// The first instant at which it is too late.
    deadline: String,
    /// Whole minutes until then.
    minutes_left: u64,
    /// `open` while usage goes to its own hour, `sealed` once the final usage was frozen.
    state: &'static str,
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
