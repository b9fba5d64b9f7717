use std::error::Error;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::SqliteConnection;
use stallkeeper_ledger::Meter;
use stallkeeper_lifecycle::{MarketplaceName, ProductCode, SubscriptionKey, TenantId, Timestamp};
use stallkeeper_persistence::usage::{MeterRow, MeterSelection};
use stallkeeper_persistence::{Page, StoreError};

use crate::SqliteStore;
use crate::error::store_error;
use crate::lane::Lane;
use crate::rows::rows;
use crate::usage::{decode, encode};

/// How long a meter that cannot be read is left alone, so that it keeps no other from being looked at.
const PUT_OFF: Duration = Duration::from_mins(5);

/// The most records of leaving buyers that are counted.
const BACKLOG_MAX: i64 = 2_000_000;

/// How many expired records are read for each meter that is asked for: about one hour's dimensions.
const EXPIRED_PER_METER: i64 = 8;

struct Row {
    subscription: String,
    state: String,
}

impl Row {
    fn read(self) -> Result<Meter, StoreError> {
        decode(&self.state, || format!("meters.state of {}", self.subscription))
    }
}

/// Reads meters in the order of their keys; the transaction has the whole file locked.
pub(super) async fn lock(
    connection: &mut SqliteConnection,
    selection: &MeterSelection,
) -> Result<Vec<Meter>, StoreError> {
    let subscriptions = rows(selection.subscriptions.iter().map(|key| json!(key.to_string())))?;
    let tenants = rows(selection.tenants.iter().map(|tenant| json!(tenant.as_str())))?;
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT subscription, state FROM meters
        WHERE subscription IN (SELECT value FROM json_each($1)) OR tenant IN (SELECT value FROM json_each($2))
        ORDER BY subscription
        "#,
        subscriptions,
        tenants,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(Row::read).collect()
}

/// Writes meters, each in the place of the one before.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    meters: &[MeterRow],
    now: Timestamp,
) -> Result<(), StoreError> {
    let now = now.as_micros();
    let meters = rows(meters.iter().map(written).collect::<Result<Vec<_>, _>>()?)?;
    sqlx::query!(
        r#"
        INSERT INTO meters
            (subscription, marketplace, product, tenant, state, deadline, cut_by, closes_by_word, look_at,
             updated_at)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
               value ->> 7, value ->> 8, $2
        FROM json_each($1) WHERE true
        ON CONFLICT (subscription) DO UPDATE
        SET tenant = excluded.tenant, state = excluded.state, deadline = excluded.deadline,
            cut_by = excluded.cut_by, closes_by_word = excluded.closes_by_word, look_at = excluded.look_at,
            updated_at = excluded.updated_at
        "#,
        meters,
        now,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// The columns of a meter.
fn written(row: &MeterRow) -> Result<Value, StoreError> {
    let MeterRow { meter, look_at, cut_by, closes_by_word } = row;
    Ok(json!([
        meter.key.to_string(),
        meter.key.marketplace.as_str(),
        meter.key.product.as_str(),
        meter.tenant.as_ref().map(TenantId::as_str),
        encode(meter)?,
        meter.deadline().map(Timestamp::as_micros),
        cut_by.map(Timestamp::as_micros),
        closes_by_word.map(Timestamp::as_micros),
        look_at.map(Timestamp::as_micros),
    ]))
}

/// One meter.
pub(super) async fn read(store: &SqliteStore, key: &SubscriptionKey) -> Result<Option<Meter>, StoreError> {
    let key = key.to_string();
    sqlx::query_as!(Row, "SELECT subscription, state FROM meters WHERE subscription = $1", key)
        .fetch_optional(&store.readers)
        .await
        .map_err(store_error)?
        .map(Row::read)
        .transpose()
}

/// Meters to be looked at by time; one that cannot be read is put off.
pub(super) async fn due(
    store: &SqliteStore,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<SubscriptionKey>, StoreError> {
    let (at, limit) = (now.as_micros(), i64::from(limit));
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT subscription, state FROM meters WHERE look_at <= $1
        ORDER BY look_at, subscription LIMIT $2
        "#,
        at,
        limit,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    let (keys, unreadable) = handed_out(rows);
    if !unreadable.is_empty() {
        put_off(store, &unreadable, now).await?;
    }
    Ok(keys)
}

async fn put_off(store: &SqliteStore, subscriptions: &[String], now: Timestamp) -> Result<(), StoreError> {
    let until = now.plus(PUT_OFF).as_micros();
    let subscriptions = rows(subscriptions.iter().map(|subscription| json!(subscription)))?;
    let mut write = store.writer.begin(Lane::FinalWindows).await?;
    sqlx::query!(
        "UPDATE meters SET look_at = $2 WHERE subscription IN (SELECT value FROM json_each($1))",
        subscriptions,
        until,
    )
    .execute(write.connection())
    .await
    .map_err(store_error)?;
    write.commit().await
}

/// The meters as they are looked at, and the rows that cannot be read, which must not keep the others back.
fn handed_out(rows: Vec<Row>) -> (Vec<SubscriptionKey>, Vec<String>) {
    let (mut keys, mut unreadable) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        let subscription = row.subscription.clone();
        match row.read() {
            Ok(meter) => keys.push(meter.key),
            Err(error) => {
                tracing::error!(
                    subscription,
                    error = &error as &dyn Error,
                    "a stored meter cannot be read, and its usage is not billed; mend its row"
                );
                unreadable.push(subscription);
            }
        }
    }
    (keys, unreadable)
}

/// Meters of one marketplace whose window ends by then.
pub(super) async fn to_cut(
    store: &SqliteStore,
    marketplace: &MarketplaceName,
    ends_by: Timestamp,
    limit: u32,
) -> Result<Vec<SubscriptionKey>, StoreError> {
    let (marketplace, ends_by, limit) = (marketplace.as_str(), ends_by.as_micros(), i64::from(limit));
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT subscription, state FROM meters WHERE marketplace = $1 AND cut_by <= $2
        ORDER BY cut_by, subscription LIMIT $3
        "#,
        marketplace,
        ends_by,
        limit,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    Ok(handed_out(rows).0)
}

/// Meters of one listing with something that closes once usage up to then is complete.
pub(super) async fn complete(
    store: &SqliteStore,
    marketplace: &MarketplaceName,
    product: &ProductCode,
    through: Timestamp,
    limit: u32,
) -> Result<Vec<SubscriptionKey>, StoreError> {
    let (marketplace, product) = (marketplace.as_str(), product.as_str());
    let (through, limit) = (through.as_micros(), i64::from(limit));
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT subscription, state FROM meters
        WHERE marketplace = $1 AND product = $2 AND closes_by_word <= $3
        ORDER BY closes_by_word, subscription LIMIT $4
        "#,
        marketplace,
        product,
        through,
        limit,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    Ok(handed_out(rows).0)
}

/// Meters of which a frozen record's time is over, each once.
pub(super) async fn expired(
    store: &SqliteStore,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<SubscriptionKey>, StoreError> {
    let (now, limit) = (now.as_micros(), i64::from(limit));
    let looked_at = limit.saturating_mul(EXPIRED_PER_METER);
    let rows = sqlx::query_as!(
        Row,
        r#"
        WITH expired AS MATERIALIZED (
            SELECT subscription, expires_at FROM usage_records
            WHERE state = 'frozen' AND expires_at <= $1 ORDER BY expires_at, number LIMIT $3
        ), first AS MATERIALIZED (
            SELECT subscription, min(expires_at) AS since FROM expired
            GROUP BY subscription ORDER BY since, subscription LIMIT $2
        )
        SELECT meters.subscription, meters.state FROM first
        JOIN meters ON meters.subscription = first.subscription
        ORDER BY first.since, first.subscription
        "#,
        now,
        limit,
        looked_at,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    Ok(handed_out(rows).0)
}

/// Subscriptions of a listing that have no meter; like all that are listed, they stand together by key.
pub(super) async fn missing(
    store: &SqliteStore,
    marketplace: &MarketplaceName,
    product: &ProductCode,
    page: &Page<SubscriptionKey>,
) -> Result<Vec<SubscriptionKey>, StoreError> {
    let after = page.after.as_ref().map(SubscriptionKey::to_string).unwrap_or_default();
    let first = format!("{marketplace}/{product}/").max(after);
    let end = format!("{marketplace}/{product}0");
    let limit = page.rows();
    let keys = sqlx::query_scalar!(
        r#"
        SELECT key FROM subscriptions
        WHERE listed AND key > $1 AND key < $2
            AND NOT EXISTS (SELECT 1 FROM meters WHERE meters.subscription = subscriptions.key)
        ORDER BY key LIMIT $3
        "#,
        first,
        end,
        limit,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    keys.into_iter()
        .map(|key| key.parse().map_err(|error| StoreError::unreadable("subscriptions.key", error)))
        .collect()
}

/// When the next meter is due by time, or the next frozen record's time is over.
pub(super) async fn next_look_at(store: &SqliteStore) -> Result<Option<Timestamp>, StoreError> {
    let next = sqlx::query!(
        r#"
        SELECT (SELECT min(look_at) FROM meters WHERE look_at IS NOT NULL) AS "due: i64",
            (SELECT min(expires_at) FROM usage_records WHERE state = 'frozen') AS "expired: i64"
        "#,
    )
    .fetch_one(&store.readers)
    .await
    .map_err(store_error)?;
    Ok(next.due.into_iter().chain(next.expired).min().map(Timestamp::from_micros))
}

/// When the first final-usage window of a marketplace ends that has something to be frozen.
pub(super) async fn next_cut_by(
    store: &SqliteStore,
    marketplace: &MarketplaceName,
) -> Result<Option<Timestamp>, StoreError> {
    let marketplace = marketplace.as_str();
    let next = sqlx::query_scalar!(
        r#"SELECT min(cut_by) AS "next: i64" FROM meters WHERE marketplace = $1 AND cut_by IS NOT NULL"#,
        marketplace,
    )
    .fetch_one(&store.readers)
    .await
    .map_err(store_error)?;
    Ok(next.map(Timestamp::from_micros))
}

/// How many records of leaving buyers are open or frozen, as far as they are counted.
pub(super) async fn leaving_backlog(
    store: &SqliteStore,
    marketplaces: &[MarketplaceName],
) -> Result<u64, StoreError> {
    let marketplaces = rows(marketplaces.iter().map(|marketplace| json!(marketplace.as_str())))?;
    let count = sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!" FROM (
            SELECT 1 FROM meters JOIN usage_records ON usage_records.subscription = meters.subscription
            WHERE meters.deadline IS NOT NULL AND meters.marketplace IN (SELECT value FROM json_each($1))
                AND usage_records.state IN ('open', 'frozen')
            LIMIT $2
        ) AS leaving
        "#,
        marketplaces,
        BACKLOG_MAX,
    )
    .fetch_one(&store.readers)
    .await
    .map_err(store_error)?;
    Ok(count.unsigned_abs())
}
