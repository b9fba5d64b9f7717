use stallkeeper_ledger::{ApiDimension, SubUnits};
use stallkeeper_lifecycle::SubscriptionKey;
use stallkeeper_persistence::usage::{EventLine, LossLine, RecordFilter, RecordLine, UsageSum};
use stallkeeper_persistence::{Page, StoreError};
use time::OffsetDateTime;

use crate::PostgresStore;
use crate::error::store_error;
use crate::usage::{decode, event, record};

/// A subscription's records in the order of hours, then of numbers.
pub(super) async fn records(
    store: &PostgresStore,
    filter: &RecordFilter,
    page: &Page<(i64, i64)>,
) -> Result<Vec<RecordLine>, StoreError> {
    let (hour, number) = page.after.unwrap_or((i64::MIN, 0));
    let rows = sqlx::query_as!(
        record::Row,
        r#"
        SELECT number, record FROM usage_records
        WHERE subscription = $1 AND hour >= $2 AND hour < $3 AND (hour, number) > ($4, $5)
        ORDER BY hour, number LIMIT $6
        "#,
        filter.subscription.to_string(),
        filter.from.number().max(hour),
        filter.to.number(),
        hour,
        number,
        page.rows(),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(|row| row.read().map(|(number, record)| RecordLine { number, record })).collect()
}

struct EventRow {
    number: i64,
    event: String,
}

fn event_lines(rows: Vec<EventRow>) -> Result<Vec<EventLine>, StoreError> {
    rows.into_iter()
        .map(|row| Ok(EventLine { number: row.number, event: event::read(row.number, &row.event)? }))
        .collect()
}

/// A subscription's events that happened in these hours, in the order of storing.
///
/// From hour to hour by the index, and of each no more than the page takes: a buyer's hours are few, and his
/// events many.
pub(super) async fn events(
    store: &PostgresStore,
    filter: &RecordFilter,
    page: &Page<i64>,
) -> Result<Vec<EventLine>, StoreError> {
    let rows = sqlx::query_as!(
        EventRow,
        r#"
        WITH RECURSIVE hours AS (
            (
                SELECT hour FROM usage_events
                WHERE subscription = $1 AND hour >= $2 AND hour < $3 ORDER BY hour LIMIT 1
            ) UNION ALL (
                SELECT (
                    SELECT later.hour FROM usage_events AS later
                    WHERE later.subscription = $1 AND later.hour > hours.hour AND later.hour < $3
                    ORDER BY later.hour LIMIT 1
                ) FROM hours WHERE hours.hour IS NOT NULL
            )
        ), page AS MATERIALIZED (
            SELECT part.number FROM hours CROSS JOIN LATERAL (
                SELECT number FROM usage_events
                WHERE subscription = $1 AND hour = hours.hour AND number > $4 ORDER BY number LIMIT $5
            ) AS part
            ORDER BY part.number LIMIT $5
        )
        SELECT usage_events.number, usage_events.event
        FROM page JOIN usage_events ON usage_events.number = page.number
        ORDER BY page.number
        "#,
        filter.subscription.to_string(),
        filter.from.number(),
        filter.to.number(),
        page.after.unwrap_or(0),
        page.rows(),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    event_lines(rows)
}

/// Held events, in the order in which they run out.
pub(super) async fn held(
    store: &PostgresStore,
    subscription: Option<&SubscriptionKey>,
    limit: u32,
) -> Result<Vec<EventLine>, StoreError> {
    let limit = i64::from(limit);
    let rows = match subscription {
        Some(key) => {
            sqlx::query_as!(
                EventRow,
                r#"
                SELECT number, event FROM usage_events WHERE state = 'held' AND subscription = $1
                ORDER BY held_until, number LIMIT $2
                "#,
                key.to_string(),
                limit,
            )
            .fetch_all(&store.pool)
            .await
        }
        None => {
            sqlx::query_as!(
                EventRow,
                r#"
                SELECT number, event FROM usage_events WHERE state = 'held'
                ORDER BY held_until, number LIMIT $1
                "#,
                limit,
            )
            .fetch_all(&store.pool)
            .await
        }
    };
    event_lines(rows.map_err(store_error)?)
}

pub(super) struct LossRow {
    pub(super) number: i64,
    pub(super) loss: String,
    pub(super) recovered_at: Option<OffsetDateTime>,
}

impl LossRow {
    pub(super) fn read(self) -> Result<LossLine, StoreError> {
        let loss = decode(&self.loss, || format!("usage_losses.loss {}", self.number))?;
        Ok(LossLine { number: self.number, loss, recovered_at: self.recovered_at.map(Into::into) })
    }
}

/// Losses in the order of storing.
pub(super) async fn losses(
    store: &PostgresStore,
    subscription: Option<&SubscriptionKey>,
    page: &Page<i64>,
) -> Result<Vec<LossLine>, StoreError> {
    let after = page.after.unwrap_or(0);
    let rows = match subscription {
        Some(key) => {
            sqlx::query_as!(
                LossRow,
                r#"
                SELECT number, loss, recovered_at FROM usage_losses WHERE subscription = $1 AND number > $2
                ORDER BY number LIMIT $3
                "#,
                key.to_string(),
                after,
                page.rows(),
            )
            .fetch_all(&store.pool)
            .await
        }
        None => sqlx::query_as!(
            LossRow,
            "SELECT number, loss, recovered_at FROM usage_losses WHERE number > $1 ORDER BY number LIMIT $2",
            after,
            page.rows(),
        )
        .fetch_all(&store.pool)
        .await,
    };
    rows.map_err(store_error)?.into_iter().map(LossRow::read).collect()
}

/// What a subscription's usage comes to, by dimension; sums end at the most that can be counted.
pub(super) async fn sums(
    store: &PostgresStore,
    subscription: &SubscriptionKey,
) -> Result<Vec<UsageSum>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT dimension AS "dimension!",
            least(coalesce(sum(recorded), 0), 9223372036854775807)::bigint AS "recorded!",
            least(coalesce(sum(billed), 0), 9223372036854775807)::bigint AS "billed!",
            least(coalesce(sum(lost), 0), 9223372036854775807)::bigint AS "lost!"
        FROM (
            SELECT dimension, sum(counted) AS recorded, 0::numeric AS billed, 0::numeric AS lost
            FROM usage_events WHERE subscription = $1 GROUP BY dimension
            UNION ALL
            SELECT dimension, 0, coalesce(sum(parts) FILTER (WHERE state IN ('settled', 'settled_assumed')), 0), 0
            FROM usage_records WHERE subscription = $1 GROUP BY dimension
            UNION ALL
            SELECT dimension, 0, 0, sum(parts)
            FROM usage_losses WHERE subscription = $1 AND recovered_at IS NULL GROUP BY dimension
        ) AS lines
        GROUP BY dimension ORDER BY dimension
        "#,
        subscription.to_string(),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            let dimension: ApiDimension = row
                .dimension
                .parse()
                .map_err(|error| StoreError::unreadable("usage_records.dimension", error))?;
            Ok(UsageSum {
                dimension,
                recorded: SubUnits::new(row.recorded).unwrap_or_default(),
                billed: SubUnits::new(row.billed).unwrap_or_default(),
                lost: SubUnits::new(row.lost).unwrap_or_default(),
            })
        })
        .collect()
}
