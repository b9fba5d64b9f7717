use std::collections::BTreeMap;

use stallkeeper_ledger::{ApiDimension, SubUnits};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::usage::{EventLine, LossLine, RecordFilter, RecordLine, UsageSum};
use stallkeeper_persistence::{Page, StoreError};

use crate::SqliteStore;
use crate::error::store_error;
use crate::usage::{decode, event, record};

/// A subscription's records in the order of hours, then of numbers.
pub(super) async fn records(
    store: &SqliteStore,
    filter: &RecordFilter,
    page: &Page<(i64, i64)>,
) -> Result<Vec<RecordLine>, StoreError> {
    let (hour, number) = page.after.unwrap_or((i64::MIN, 0));
    let (from, to) = (filter.from.number().max(hour), filter.to.number());
    let (subscription, limit) = (filter.subscription.to_string(), page.rows());
    let rows = sqlx::query_as!(
        record::Row,
        r#"
        SELECT number, record FROM usage_records
        WHERE subscription = $1 AND hour >= $2 AND hour < $3 AND (hour, number) > ($4, $5)
        ORDER BY hour, number LIMIT $6
        "#,
        subscription,
        from,
        to,
        hour,
        number,
        limit,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(|row| row.read().map(|(number, record)| RecordLine { number, record })).collect()
}

struct EventRow {
    number: i64,
    event: String,
}

impl EventRow {
    fn read(self) -> Result<EventLine, StoreError> {
        Ok(EventLine { number: self.number, event: event::read(self.number, &self.event)? })
    }
}

/// A subscription's events that happened in these hours, in the order of storing.
pub(super) async fn events(
    store: &SqliteStore,
    filter: &RecordFilter,
    page: &Page<i64>,
) -> Result<Vec<EventLine>, StoreError> {
    let (from, to) = (filter.from.number(), filter.to.number());
    let (subscription, after, limit) =
        (filter.subscription.to_string(), page.after.unwrap_or(0), page.rows());
    let rows = sqlx::query_as!(
        EventRow,
        r#"
        SELECT number, event FROM usage_events
        WHERE subscription = $1 AND hour >= $2 AND hour < $3 AND number > $4
        ORDER BY number LIMIT $5
        "#,
        subscription,
        from,
        to,
        after,
        limit,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(EventRow::read).collect()
}

/// Held events, in the order in which they run out.
pub(super) async fn held(
    store: &SqliteStore,
    subscription: Option<&SubscriptionKey>,
    limit: u32,
) -> Result<Vec<EventLine>, StoreError> {
    let limit = i64::from(limit);
    let rows = match subscription {
        Some(subscription) => held_of(store, &subscription.to_string(), limit).await,
        None => all_held(store, limit).await,
    };
    rows.map_err(store_error)?.into_iter().map(EventRow::read).collect()
}

async fn held_of(store: &SqliteStore, subscription: &str, limit: i64) -> Result<Vec<EventRow>, sqlx::Error> {
    sqlx::query_as!(
        EventRow,
        r#"
        SELECT number, event FROM usage_events WHERE state = 'held' AND subscription = $1
        ORDER BY held_until, number LIMIT $2
        "#,
        subscription,
        limit,
    )
    .fetch_all(&store.readers)
    .await
}

async fn all_held(store: &SqliteStore, limit: i64) -> Result<Vec<EventRow>, sqlx::Error> {
    sqlx::query_as!(
        EventRow,
        r#"
        SELECT number, event FROM usage_events WHERE state = 'held'
        ORDER BY held_until, number LIMIT $1
        "#,
        limit,
    )
    .fetch_all(&store.readers)
    .await
}

pub(super) struct LossRow {
    pub(super) number: i64,
    pub(super) loss: String,
    pub(super) recovered_at: Option<i64>,
}

impl LossRow {
    pub(super) fn read(self) -> Result<LossLine, StoreError> {
        Ok(LossLine {
            number: self.number,
            loss: decode(&self.loss, || format!("usage_losses.loss {}", self.number))?,
            recovered_at: self.recovered_at.map(Timestamp::from_micros),
        })
    }
}

/// Losses in the order of storing.
pub(super) async fn losses(
    store: &SqliteStore,
    subscription: Option<&SubscriptionKey>,
    page: &Page<i64>,
) -> Result<Vec<LossLine>, StoreError> {
    let (after, limit) = (page.after.unwrap_or(0), page.rows());
    let rows = match subscription {
        Some(subscription) => losses_of(store, &subscription.to_string(), after, limit).await,
        None => all_losses(store, after, limit).await,
    };
    rows.map_err(store_error)?.into_iter().map(LossRow::read).collect()
}

async fn losses_of(
    store: &SqliteStore,
    subscription: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<LossRow>, sqlx::Error> {
    sqlx::query_as!(
        LossRow,
        r#"
        SELECT number, loss, recovered_at FROM usage_losses WHERE subscription = $1 AND number > $2
        ORDER BY number LIMIT $3
        "#,
        subscription,
        after,
        limit,
    )
    .fetch_all(&store.readers)
    .await
}

async fn all_losses(store: &SqliteStore, after: i64, limit: i64) -> Result<Vec<LossRow>, sqlx::Error> {
    sqlx::query_as!(
        LossRow,
        "SELECT number, loss, recovered_at FROM usage_losses WHERE number > $1 ORDER BY number LIMIT $2",
        after,
        limit,
    )
    .fetch_all(&store.readers)
    .await
}

/// By what sums are split, so that none of their parts is more than the database can add.
const BILLION: i64 = 1_000_000_000;

/// What all of a kind comes to.
struct SumRow {
    what: String,
    dimension: String,
    billions: i64,
    rest: i64,
}

impl SumRow {
    fn add_to(&self, sums: &mut BTreeMap<ApiDimension, UsageSum>) -> Result<(), StoreError> {
        let dimension: ApiDimension =
            self.dimension.parse().map_err(|error| StoreError::unreadable("a dimension", error))?;
        let parts = SubUnits::new(self.billions.saturating_mul(BILLION).saturating_add(self.rest));
        let parts = parts.ok_or_else(|| StoreError::unreadable("a sum of usage", "it is below nothing"))?;
        let sum = sums.entry(dimension.clone()).or_insert_with(|| UsageSum {
            dimension,
            recorded: SubUnits::ZERO,
            billed: SubUnits::ZERO,
            lost: SubUnits::ZERO,
        });
        match self.what.as_str() {
            "recorded" => sum.recorded = parts,
            "billed" => sum.billed = parts,
            _ => sum.lost = parts,
        }
        Ok(())
    }
}

/// All three at one moment.
pub(super) async fn sums(
    store: &SqliteStore,
    subscription: &SubscriptionKey,
) -> Result<Vec<UsageSum>, StoreError> {
    let subscription = subscription.to_string();
    let rows = sqlx::query_as!(
        SumRow,
        r#"
        SELECT 'recorded' AS "what!: String", dimension AS "dimension!",
            sum(counted / 1000000000) AS "billions!: i64", sum(counted % 1000000000) AS "rest!: i64"
        FROM usage_events WHERE subscription = $1 GROUP BY dimension
        UNION ALL
        SELECT 'billed', dimension, sum(parts / 1000000000), sum(parts % 1000000000)
        FROM usage_records
        WHERE subscription = $1 AND state IN ('settled', 'settled_assumed') GROUP BY dimension
        UNION ALL
        SELECT 'lost', dimension, sum(parts / 1000000000), sum(parts % 1000000000)
        FROM usage_losses WHERE subscription = $1 AND recovered_at IS NULL GROUP BY dimension
        "#,
        subscription,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    let mut sums = BTreeMap::new();
    for row in rows {
        row.add_to(&mut sums)?;
    }
    Ok(sums.into_values().collect())
}
