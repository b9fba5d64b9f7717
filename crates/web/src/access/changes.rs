use std::cmp::Ordering;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{ChangePosition, ChangeRange, Changed, GrantRecord, SubscriptionRecord};

use super::grants::GrantLine;
use super::line::SubscriptionLine;
use super::{AccessApi, cursor, examples};
use crate::openapi::{Cursor, Doc, Limit};
use crate::problem_document::ProblemDocument;
use crate::usage::{bounded, parameters};

const CURSOR: &str = "changes";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangesQuery {
    /// `next` of the answer before; everything where it is left out.
    #[schemars(with = "Option<Cursor>")]
    after: Option<String>,
    #[schemars(with = "Option<Limit>")]
    limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Changes")]
pub(super) struct ChangesBody {
    changes: Vec<ChangeLine>,
    /// Where to go on, now or later.
    next: String,
    /// Whether more is there already.
    more: bool,
}

/// Something that changed, as it is now; what this version of the worker cannot read has its id only.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Change")]
struct ChangeLine {
    #[schemars(extend("enum" = ["grant", "subscription"]))]
    kind: &'static str,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SubscriptionLine")]
    subscription: Option<SubscriptionLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "GrantLine")]
    grant: Option<GrantLine>,
}

/// Which table a row is of; within one transaction grants stand first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Grant,
    Subscription,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Subscription => "subscription",
        }
    }
}

/// Behind which row the caller goes on: its transaction, its table, its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    number: i64,
    kind: Kind,
    key: String,
}

impl Place {
    const fn start() -> Self {
        Self { number: i64::MIN, kind: Kind::Grant, key: String::new() }
    }

    fn encode(&self) -> String {
        cursor::encode(CURSOR, &format!("{}:{}:{}", self.number, self.kind.as_str(), self.key))
    }

    fn decode(text: &str) -> Result<Self, ProblemDocument> {
        let position = cursor::decode(CURSOR, text)?;
        let parts = position.split_once(':').and_then(|(number, rest)| {
            let (kind, key) = rest.split_once(':')?;
            let kind = [Kind::Grant, Kind::Subscription].into_iter().find(|known| known.as_str() == kind)?;
            Some(Self { number: number.parse().ok()?, kind, key: key.to_owned() })
        });
        parts.ok_or_else(cursor::unknown)
    }

    /// The same place among the rows of one table.
    fn within(&self, kind: Kind) -> ChangePosition {
        match kind.cmp(&self.kind) {
            Ordering::Equal => ChangePosition { number: self.number, key: self.key.clone() },
            Ordering::Less => ChangePosition::before(self.number.saturating_add(1)),
            Ordering::Greater => ChangePosition::before(self.number),
        }
    }
}

pub(super) fn changes_doc() -> Doc {
    let change = json!({
        "kind": "subscription", "id": "aws/prod-1/customer/X01", "subscription": examples::subscription(),
    });
    let example = json!({ "changes": [change], "next": "Y2hhbmdlczo3", "more": false });
    Doc::new("changes", "What changed, as it is now")
        .detail("What changes twice between two calls is told once.")
        .query::<ChangesQuery>()
        .answer::<ChangesBody>(StatusCode::OK, "Changes in their order.", example)
        .problem(StatusCode::GONE, "gone", "The database was restored since: begin again, without `after`.")
}

pub(super) async fn get_changes(
    State(api): State<Arc<AccessApi>>,
    query: Result<Query<ChangesQuery>, QueryRejection>,
) -> Result<Json<ChangesBody>, ProblemDocument> {
    let ChangesQuery { after, limit } = parameters(query)?;
    let after = after.as_deref().map_or_else(|| Ok(Place::start()), Place::decode)?;
    let limit = bounded(limit);
    let horizon = api.store.change_horizon().await?;
    if after.number > horizon {
        return Err(counted_anew());
    }
    let range = |kind| ChangeRange { after: after.within(kind), below: Some(horizon), limit: limit + 1 };
    let grants = api.store.changed_grants(&range(Kind::Grant)).await?;
    let subscriptions = api.store.changed_subscriptions(&range(Kind::Subscription)).await?;
    let now = api.now();
    let mut found: Vec<(Place, ChangeLine)> = grants.iter().map(of_grant).collect();
    found.extend(subscriptions.iter().map(|row| of_subscription(row, &api, now)));
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map_or(&after, |(place, _)| place).encode();
    Ok(Json(ChangesBody { changes: found.into_iter().map(|(_, line)| line).collect(), next, more }))
}

/// A row that cannot be read is named alone.
fn of_grant(row: &Changed<GrantRecord>) -> (Place, ChangeLine) {
    let grant = row.record.as_ref().ok().map(GrantLine::of);
    line(Kind::Grant, &row.position, None, grant)
}

fn of_subscription(
    row: &Changed<SubscriptionRecord>,
    api: &AccessApi,
    now: Timestamp,
) -> (Place, ChangeLine) {
    let subscription = row.record.as_ref().ok().map(|record| SubscriptionLine::of(record, api, now));
    line(Kind::Subscription, &row.position, subscription, None)
}

fn line(
    kind: Kind,
    position: &ChangePosition,
    subscription: Option<SubscriptionLine>,
    grant: Option<GrantLine>,
) -> (Place, ChangeLine) {
    let place = Place { number: position.number, kind, key: position.key.clone() };
    (place, ChangeLine { kind: kind.as_str(), id: position.key.clone(), subscription, grant })
}

/// A cursor of a time that the database knows nothing of: it was restored elsewhere, or to an earlier state.
fn counted_anew() -> ProblemDocument {
    let title = "The cursor is of another time";
    let detail = "the database was restored since; begin again, without `after`";
    ProblemDocument::new(StatusCode::GONE, "gone", title, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: i64, kind: Kind, key: &str) -> Place {
        Place { number, kind, key: key.to_owned() }
    }

    #[test]
    fn a_cursor_reads_back_as_what_it_was() {
        for place in
            [Place::start(), place(7, Kind::Grant, "a:b"), place(7, Kind::Subscription, "aws/p/code/ü:1")]
        {
            assert_eq!(Place::decode(&place.encode()).unwrap(), place);
        }
        for text in ["", "x", "Y2hhbmdlczo3", &cursor::encode("grants", "7:grant:a")] {
            assert!(Place::decode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_place_between_tables_is_before_or_behind_all_rows_of_its_transaction() {
        let behind_grant = place(7, Kind::Grant, "g");
        assert_eq!(behind_grant.within(Kind::Subscription), ChangePosition::before(7));
        let behind_subscription = place(7, Kind::Subscription, "s");
        assert_eq!(behind_subscription.within(Kind::Grant), ChangePosition::before(8));
    }
}
