use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::SqliteConnection;
use stallkeeper_ledger::{Outgoing, Record, RecordState};
use stallkeeper_lifecycle::{MarketplaceName, SubscriptionKey, Timestamp};
use stallkeeper_persistence::StoreError;
use stallkeeper_persistence::usage::Unsent;

use crate::SqliteStore;
use crate::error::store_error;
use crate::lane::Lane;
use crate::rows::rows;
use crate::usage::{decode, encode};

/// How long a record that cannot be read is left alone, so that it keeps no other from being sent.
const PUT_OFF: Duration = Duration::from_mins(5);

/// Of how many records that waited to be sent again the most urgent ones are found, in each marketplace.
const RIPE_MAX: i64 = 10_000;

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

/// Reads open and frozen records in the order of their numbers; the transaction has the whole file locked.
pub(super) async fn live(
    connection: &mut SqliteConnection,
    subscriptions: &[SubscriptionKey],
) -> Result<Vec<Record>, StoreError> {
    let subscriptions = rows(subscriptions.iter().map(|key| json!(key.to_string())))?;
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT number, record FROM usage_records
        WHERE subscription IN (SELECT value FROM json_each($1)) AND state IN ('open', 'frozen')
        ORDER BY number
        "#,
        subscriptions,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(|row| row.read().map(|(_, record)| record)).collect()
}

/// Reads records in the order of their numbers; the transaction has the whole file locked.
pub(super) async fn by_numbers(
    connection: &mut SqliteConnection,
    numbers: &[i64],
) -> Result<Vec<(i64, Record)>, StoreError> {
    let numbers = rows(numbers.iter().map(|number| json!(number)))?;
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT number, record FROM usage_records
        WHERE number IN (SELECT value FROM json_each($1)) ORDER BY number
        "#,
        numbers,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(Row::read).collect()
}

/// Writes records, each in the place of the one with its key.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    records: &[Record],
    now: Timestamp,
) -> Result<(), StoreError> {
    let now = now.as_micros();
    let records = rows(records.iter().map(written).collect::<Result<Vec<_>, _>>()?)?;
    sqlx::query!(
        r#"
        INSERT INTO usage_records
            (subscription, hour, dimension, region, marketplace, product, state, parts, frozen_at, expires_at,
             retry_at, record, updated_at)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
               value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, $2
        FROM json_each($1) WHERE true ORDER BY key
        ON CONFLICT (subscription, hour, dimension, region) DO UPDATE
        SET state = excluded.state, parts = excluded.parts, frozen_at = excluded.frozen_at,
            expires_at = excluded.expires_at, retry_at = excluded.retry_at, record = excluded.record,
            updated_at = excluded.updated_at
        "#,
        records,
        now,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// The columns of a record.
fn written(record: &Record) -> Result<Value, StoreError> {
    let key = &record.key;
    let frozen_at = match record.state {
        RecordState::Frozen { at } => Some(at),
        _ => None,
    };
    Ok(json!([
        key.subscription.to_string(),
        key.hour.number(),
        key.dimension.as_str(),
        key.region.as_str(),
        key.subscription.marketplace.as_str(),
        key.subscription.product.as_str(),
        record.state.word(),
        record.parts_reported().parts(),
        frozen_at.map(Timestamp::as_micros),
        record.expires_at.map(Timestamp::as_micros),
        record.sending.retry_at.map(Timestamp::as_micros),
        encode(record)?,
    ]))
}

/// A frozen record in the queue of its marketplace.
struct Queued {
    number: i64,
    expires_at: i64,
    record: String,
}

/// Frozen records that may be sent now: those never tried, and those whose time to be tried again has come.
///
/// One that cannot be read is put off.
pub(super) async fn unsent(store: &SqliteStore, query: &Unsent) -> Result<Vec<Outgoing>, StoreError> {
    let marketplaces: BTreeSet<&MarketplaceName> = query.marketplaces.iter().collect();
    let mut first = Vec::new();
    for marketplace in marketplaces {
        first.extend(unsent_of(store, query, marketplace).await?);
    }
    first.sort_by_key(|queued| (queued.expires_at, queued.number));
    first.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
    let (outgoing, unreadable) = handed_out(first);
    if !unreadable.is_empty() {
        put_off(store, &unreadable, query.now).await?;
    }
    Ok(outgoing)
}

/// One marketplace's, as its name stands first in the indexes by which they are found.
async fn unsent_of(
    store: &SqliteStore,
    query: &Unsent,
    marketplace: &MarketplaceName,
) -> Result<Vec<Queued>, StoreError> {
    let of_marketplace = query.but.iter().filter(|(of, _)| of == marketplace);
    let held = rows(of_marketplace.map(|(_, product)| json!(product.as_str())))?;
    let (marketplace, now, limit) = (marketplace.as_str(), query.now.as_micros(), i64::from(query.limit));
    sqlx::query_as!(
        Queued,
        r#"
        WITH first AS MATERIALIZED (
            SELECT number, expires_at FROM (
                SELECT * FROM (
                    SELECT number, expires_at FROM usage_records
                    WHERE marketplace = $1 AND state = 'frozen' AND retry_at IS NULL AND expires_at > $2
                        AND product NOT IN (SELECT value FROM json_each($3))
                    ORDER BY expires_at, number LIMIT $4
                ) AS ready
                UNION ALL
                SELECT * FROM (
                    SELECT number, expires_at FROM usage_records
                    WHERE marketplace = $1 AND state = 'frozen' AND retry_at IS NOT NULL
                        AND retry_at <= $2 AND expires_at > $2
                        AND product NOT IN (SELECT value FROM json_each($3))
                    ORDER BY retry_at, number LIMIT $5
                ) AS ripe
            ) AS candidate
            ORDER BY expires_at, number LIMIT $4
        )
        SELECT usage_records.number AS "number!", usage_records.expires_at AS "expires_at!",
            usage_records.record
        FROM first CROSS JOIN usage_records WHERE usage_records.number = first.number
        ORDER BY first.expires_at, first.number
        "#,
        marketplace,
        now,
        held,
        limit,
        RIPE_MAX,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)
}

/// The records as they are sent, and the numbers of those that cannot be read.
fn handed_out(queued: Vec<Queued>) -> (Vec<Outgoing>, Vec<i64>) {
    let (mut outgoing, mut unreadable) = (Vec::with_capacity(queued.len()), Vec::new());
    for Queued { number, record, .. } in queued {
        match (Row { number, record }).read() {
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

async fn put_off(store: &SqliteStore, numbers: &[i64], now: Timestamp) -> Result<(), StoreError> {
    let until = now.plus(PUT_OFF).as_micros();
    let numbers = rows(numbers.iter().map(|number| json!(number)))?;
    let mut write = store.writer.begin(Lane::FinalWindows).await?;
    sqlx::query!(
        r#"
        UPDATE usage_records SET retry_at = $2
        WHERE number IN (SELECT value FROM json_each($1)) AND state = 'frozen'
        "#,
        numbers,
        until,
    )
    .execute(write.connection())
    .await
    .map_err(store_error)?;
    write.commit().await
}

/// When the next frozen record may be sent; for one that may be at once, since when.
pub(super) async fn next_send_at(
    store: &SqliteStore,
    marketplaces: &[MarketplaceName],
) -> Result<Option<Timestamp>, StoreError> {
    let mut next = None;
    for marketplace in marketplaces {
        let of_marketplace = next_of(store, marketplace).await?;
        next = next.into_iter().chain(of_marketplace).min();
    }
    Ok(next)
}

async fn next_of(
    store: &SqliteStore,
    marketplace: &MarketplaceName,
) -> Result<Option<Timestamp>, StoreError> {
    let marketplace = marketplace.as_str();
    let next = sqlx::query!(
        r#"
        SELECT
            (
                SELECT frozen_at FROM usage_records
                WHERE marketplace = $1 AND state = 'frozen' AND retry_at IS NULL
                ORDER BY expires_at, number LIMIT 1
            ) AS "ready: i64",
            (
                SELECT min(retry_at) FROM usage_records
                WHERE marketplace = $1 AND state = 'frozen' AND retry_at IS NOT NULL
            ) AS "ripe: i64"
        "#,
        marketplace,
    )
    .fetch_one(&store.readers)
    .await
    .map_err(store_error)?;
    Ok(next.ready.into_iter().chain(next.ripe).min().map(Timestamp::from_micros))
}
