use std::error::Error;
use std::time::Duration;

use sqlx::PgConnection;
use stallkeeper_ledger::{Outgoing, Record, RecordState};
use stallkeeper_lifecycle::{MarketplaceName, SubscriptionKey, Timestamp};
use stallkeeper_persistence::StoreError;
use stallkeeper_persistence::usage::Unsent;

use crate::PostgresStore;
use crate::error::store_error;
use crate::moment::{moment, optional_moments};
use crate::usage::{decode, encode};

/// How long a record that cannot be read is left alone, so that it keeps no other from being sent.
const PUT_OFF: Duration = Duration::from_mins(5);

/// Of how many records that waited to be sent again the most urgent ones are found, in each marketplace.
const RIPE_MAX: i64 = 10_000;

/// Since when a record is frozen, while it waits to be sent.
fn frozen_at(record: &Record) -> Option<Timestamp> {
    match record.state {
        RecordState::Frozen { at } => Some(at),
        _ => None,
    }
}

pub(super) struct Row {
    pub(super) number: i64,
    pub(super) record: String,
}

impl Row {
    pub(super) fn read(self) -> Result<(i64, Record), StoreError> {
        let record = decode(&self.record, || format!("usage_records.record {}", self.number))?;
        Ok((self.number, record))
    }
}

/// Locks and reads what is open or frozen of subscriptions, in the order of numbers.
pub(super) async fn live(
    connection: &mut PgConnection,
    subscriptions: &[SubscriptionKey],
) -> Result<Vec<Record>, StoreError> {
    let subscriptions: Vec<String> = subscriptions.iter().map(SubscriptionKey::to_string).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT number, record FROM usage_records
        WHERE subscription = ANY($1) AND state IN ('open', 'frozen')
        ORDER BY number FOR UPDATE
        "#,
        &subscriptions,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(|row| row.read().map(|(_, record)| record)).collect()
}

/// Locks and reads records in the order of their numbers.
pub(super) async fn by_numbers(
    connection: &mut PgConnection,
    numbers: &[i64],
) -> Result<Vec<(i64, Record)>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT number, record FROM usage_records WHERE number = ANY($1) ORDER BY number FOR UPDATE",
        numbers,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(Row::read).collect()
}

/// Writes records, each in the place of the one with its key; whoever writes one that is there has locked it.
pub(super) async fn put(
    connection: &mut PgConnection,
    records: &[Record],
    now: Timestamp,
) -> Result<(), StoreError> {
    let subscriptions: Vec<String> =
        records.iter().map(|record| record.key.subscription.to_string()).collect();
    let hours: Vec<i64> = records.iter().map(|record| record.key.hour.number()).collect();
    let dimensions: Vec<&str> = records.iter().map(|record| record.key.dimension.as_str()).collect();
    let regions: Vec<&str> = records.iter().map(|record| record.key.region.as_str()).collect();
    let marketplaces: Vec<&str> =
        records.iter().map(|record| record.key.subscription.marketplace.as_str()).collect();
    let products: Vec<&str> = records.iter().map(|record| record.key.subscription.product.as_str()).collect();
    let states: Vec<&str> = records.iter().map(|record| record.state.word()).collect();
    let parts: Vec<i64> = records.iter().map(|record| record.parts_reported().parts()).collect();
    let frozen_at = optional_moments(records.iter().map(frozen_at))?;
    let expires_at = optional_moments(records.iter().map(|record| record.expires_at))?;
    let retry_at = optional_moments(records.iter().map(|record| record.sending.retry_at))?;
    let texts: Vec<String> = records.iter().map(encode).collect::<Result<_, _>>()?;
    sqlx::query!(
        r#"
        INSERT INTO usage_records
            (subscription, hour, dimension, region, marketplace, product, state, parts, frozen_at,
             expires_at, retry_at, record, updated_at)
        SELECT subscription, hour, dimension, region, marketplace, product, state, parts, frozen_at,
            expires_at, retry_at, record, $13
        FROM UNNEST(
            $1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::bigint[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::text[]
        ) AS new
            (subscription, hour, dimension, region, marketplace, product, state, parts, frozen_at,
             expires_at, retry_at, record)
        ORDER BY subscription COLLATE "C", hour, dimension COLLATE "C", region COLLATE "C"
        ON CONFLICT (subscription, hour, dimension, region) DO UPDATE
        SET state = EXCLUDED.state, parts = EXCLUDED.parts, frozen_at = EXCLUDED.frozen_at,
            expires_at = EXCLUDED.expires_at, retry_at = EXCLUDED.retry_at, record = EXCLUDED.record,
            updated_at = EXCLUDED.updated_at
        "#,
        &subscriptions,
        &hours,
        &dimensions as &[&str],
        &regions as &[&str],
        &marketplaces as &[&str],
        &products as &[&str],
        &states as &[&str],
        &parts,
        &frozen_at as &[Option<time::OffsetDateTime>],
        &expires_at as &[Option<time::OffsetDateTime>],
        &retry_at as &[Option<time::OffsetDateTime>],
        &texts,
        moment(now)?,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// Frozen records that may be sent now: those never tried, and those whose time to be tried again has come.
///
/// One that cannot be read is put off.
pub(super) async fn unsent(store: &PostgresStore, query: &Unsent) -> Result<Vec<Outgoing>, StoreError> {
    let marketplaces: Vec<&str> = query.marketplaces.iter().map(MarketplaceName::as_str).collect();
    let held_marketplaces: Vec<&str> =
        query.but.iter().map(|(marketplace, _)| marketplace.as_str()).collect();
    let held_products: Vec<&str> = query.but.iter().map(|(_, product)| product.as_str()).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"
        WITH first AS MATERIALIZED (
            SELECT candidate.number, candidate.expires_at
            FROM (SELECT DISTINCT name FROM UNNEST($1::text[]) AS given (name)) AS wanted
            CROSS JOIN LATERAL (
                (
                    SELECT number, expires_at FROM usage_records AS ready
                    WHERE marketplace = wanted.name AND state = 'frozen' AND retry_at IS NULL
                        AND expires_at > $2
                        AND (marketplace, product) NOT IN (SELECT * FROM UNNEST($3::text[], $4::text[]))
                    ORDER BY expires_at, number LIMIT $5
                ) UNION ALL (
                    SELECT number, expires_at FROM usage_records AS ripe
                    WHERE marketplace = wanted.name AND state = 'frozen' AND retry_at IS NOT NULL
                        AND retry_at <= $2 AND expires_at > $2
                        AND (marketplace, product) NOT IN (SELECT * FROM UNNEST($3::text[], $4::text[]))
                    ORDER BY retry_at, number LIMIT $6
                )
            ) AS candidate
            ORDER BY candidate.expires_at, candidate.number LIMIT $5
        )
        SELECT usage_records.number, usage_records.record
        FROM first JOIN usage_records ON usage_records.number = first.number
        ORDER BY first.expires_at, first.number
        "#,
        &marketplaces as &[&str],
        moment(query.now)?,
        &held_marketplaces as &[&str],
        &held_products as &[&str],
        i64::from(query.limit),
        RIPE_MAX,
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    let (outgoing, unreadable) = handed_out(rows);
    if !unreadable.is_empty() {
        put_off(store, &unreadable, query.now).await?;
    }
    Ok(outgoing)
}

/// The records as they are sent, and the numbers of those that cannot be read.
fn handed_out(rows: Vec<Row>) -> (Vec<Outgoing>, Vec<i64>) {
    let (mut outgoing, mut unreadable) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        let number = row.number;
        match row.read() {
            Ok((number, record)) => outgoing.extend(Outgoing::of(number, &record)),
            Err(error) => {
                tracing::error!(
                    number,
                    error = &error as &dyn Error,
                    "a stored usage record cannot be read and is not sent; mend its row"
                );
                unreadable.push(number);
            }
        }
    }
    (outgoing, unreadable)
}

async fn put_off(store: &PostgresStore, numbers: &[i64], now: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE usage_records SET retry_at = $2 WHERE number = ANY($1) AND state = 'frozen'",
        numbers,
        moment(now.plus(PUT_OFF))?,
    )
    .execute(&store.pool)
    .await
    .map(drop)
    .map_err(store_error)
}

/// When the next frozen record may be sent; for one that may be at once, since when.
pub(super) async fn next_send_at(
    store: &PostgresStore,
    marketplaces: &[MarketplaceName],
) -> Result<Option<Timestamp>, StoreError> {
    let marketplaces: Vec<&str> = marketplaces.iter().map(MarketplaceName::as_str).collect();
    let next = sqlx::query_scalar!(
        r#"
        SELECT min(candidate.at)
        FROM UNNEST($1::text[]) AS wanted (name)
        CROSS JOIN LATERAL (
            (
                SELECT frozen_at AS at FROM usage_records
                WHERE marketplace = wanted.name AND state = 'frozen' AND retry_at IS NULL
                ORDER BY expires_at, number LIMIT 1
            ) UNION ALL (
                SELECT retry_at AS at FROM usage_records
                WHERE marketplace = wanted.name AND state = 'frozen' AND retry_at IS NOT NULL
                ORDER BY retry_at, number LIMIT 1
            )
        ) AS candidate
        "#,
        &marketplaces as &[&str],
    )
    .fetch_one(&store.pool)
    .await
    .map_err(store_error)?;
    Ok(next.map(Timestamp::from))
}
