use std::error::Error;
use std::time::Duration;

use sqlx::PgConnection;
use stallkeeper_ledger::Meter;
use stallkeeper_lifecycle::{MarketplaceName, ProductCode, SubscriptionKey, TenantId, Timestamp};
use stallkeeper_persistence::usage::{MeterRow, MeterSelection};
use stallkeeper_persistence::{Page, StoreError};

use crate::PostgresStore;
use crate::error::store_error;
use crate::moment::{moment, optional_moments};
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

/// Locks meters in the order of their keys; the lock is taken after sorting.
///
/// Where a tenant was unbound while this waited for its row, the row is left out.
pub(super) async fn lock(
    connection: &mut PgConnection,
    selection: &MeterSelection,
) -> Result<Vec<Meter>, StoreError> {
    let subscriptions: Vec<String> = selection.subscriptions.iter().map(SubscriptionKey::to_string).collect();
    let tenants: Vec<&str> = selection.tenants.iter().map(TenantId::as_str).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT subscription, state FROM meters
        WHERE subscription = ANY($1) OR tenant = ANY($2)
        ORDER BY subscription FOR UPDATE
        "#,
        &subscriptions,
        &tenants as &[&str],
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(Row::read).collect()
}

/// Writes meters, each in the place of the one before.
pub(super) async fn write(
    connection: &mut PgConnection,
    rows: &[MeterRow],
    now: Timestamp,
) -> Result<(), StoreError> {
    let subscriptions: Vec<String> = rows.iter().map(|row| row.meter.key.to_string()).collect();
    let marketplaces: Vec<&str> = rows.iter().map(|row| row.meter.key.marketplace.as_str()).collect();
    let products: Vec<&str> = rows.iter().map(|row| row.meter.key.product.as_str()).collect();
    let tenants: Vec<Option<&str>> =
        rows.iter().map(|row| row.meter.tenant.as_ref().map(TenantId::as_str)).collect();
    let states: Vec<String> = rows.iter().map(|row| encode(&row.meter)).collect::<Result<_, _>>()?;
    let deadlines = optional_moments(rows.iter().map(|row| row.meter.deadline()))?;
    let cut_by = optional_moments(rows.iter().map(|row| row.cut_by))?;
    let closes_by_word = optional_moments(rows.iter().map(|row| row.closes_by_word))?;
    let look_at = optional_moments(rows.iter().map(|row| row.look_at))?;
    sqlx::query!(
        r#"
        INSERT INTO meters
            (subscription, marketplace, product, tenant, state, deadline, cut_by, closes_by_word, look_at,
             updated_at)
        SELECT subscription, marketplace, product, tenant, state, deadline, cut_by, closes_by_word, look_at,
            $10
        FROM UNNEST(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
            $7::timestamptz[], $8::timestamptz[], $9::timestamptz[]
        ) AS new
            (subscription, marketplace, product, tenant, state, deadline, cut_by, closes_by_word, look_at)
        ORDER BY subscription COLLATE "C"
        ON CONFLICT (subscription) DO UPDATE
        SET tenant = EXCLUDED.tenant, state = EXCLUDED.state, deadline = EXCLUDED.deadline,
            cut_by = EXCLUDED.cut_by, closes_by_word = EXCLUDED.closes_by_word,
            look_at = EXCLUDED.look_at, updated_at = EXCLUDED.updated_at
        "#,
        &subscriptions,
        &marketplaces as &[&str],
        &products as &[&str],
        &tenants as &[Option<&str>],
        &states,
        &deadlines as &[Option<time::OffsetDateTime>],
        &cut_by as &[Option<time::OffsetDateTime>],
        &closes_by_word as &[Option<time::OffsetDateTime>],
        &look_at as &[Option<time::OffsetDateTime>],
        moment(now)?,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// One meter.
pub(super) async fn read(store: &PostgresStore, key: &SubscriptionKey) -> Result<Option<Meter>, StoreError> {
    sqlx::query_as!(Row, "SELECT subscription, state FROM meters WHERE subscription = $1", key.to_string())
        .fetch_optional(&store.pool)
        .await
        .map_err(store_error)?
        .map(Row::read)
        .transpose()
}

/// Meters to be looked at by time; one that cannot be read is put off.
pub(super) async fn due(
    store: &PostgresStore,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<SubscriptionKey>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT subscription, state FROM meters WHERE look_at <= $1
        ORDER BY look_at, subscription LIMIT $2
        "#,
        moment(now)?,
        i64::from(limit),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    let (keys, unreadable) = handed_out(rows);
    if !unreadable.is_empty() {
        put_off(store, &unreadable, now).await?;
    }
    Ok(keys)
}

async fn put_off(store: &PostgresStore, subscriptions: &[String], now: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE meters SET look_at = $2 WHERE subscription = ANY($1)",
        subscriptions,
        moment(now.plus(PUT_OFF))?,
    )
    .execute(&store.pool)
    .await
    .map(drop)
    .map_err(store_error)
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
    store: &PostgresStore,
    marketplace: &MarketplaceName,
    ends_by: Timestamp,
    limit: u32,
) -> Result<Vec<SubscriptionKey>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT subscription, state FROM meters WHERE marketplace = $1 AND cut_by <= $2
        ORDER BY cut_by, subscription LIMIT $3
        "#,
        marketplace.as_str(),
        moment(ends_by)?,
        i64::from(limit),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    Ok(handed_out(rows).0)
}

/// Meters of one listing with something that closes once usage up to then is complete.
pub(super) async fn complete(
    store: &PostgresStore,
    marketplace: &MarketplaceName,
    product: &ProductCode,
    through: Timestamp,
    limit: u32,
) -> Result<Vec<SubscriptionKey>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT subscription, state FROM meters
        WHERE marketplace = $1 AND product = $2 AND closes_by_word <= $3
        ORDER BY closes_by_word, subscription LIMIT $4
        "#,
        marketplace.as_str(),
        product.as_str(),
        moment(through)?,
        i64::from(limit),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    Ok(handed_out(rows).0)
}

/// Meters of which a frozen record's time is over, each once.
pub(super) async fn expired(
    store: &PostgresStore,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<SubscriptionKey>, StoreError> {
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
        moment(now)?,
        i64::from(limit),
        i64::from(limit).saturating_mul(EXPIRED_PER_METER),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    Ok(handed_out(rows).0)
}

/// Subscriptions of a listing that have no meter; like all that are listed, they stand together by key.
pub(super) async fn missing(
    store: &PostgresStore,
    marketplace: &MarketplaceName,
    product: &ProductCode,
    page: &Page<SubscriptionKey>,
) -> Result<Vec<SubscriptionKey>, StoreError> {
    let after = page.after.as_ref().map(SubscriptionKey::to_string).unwrap_or_default();
    let first = format!("{marketplace}/{product}/").max(after);
    let end = format!("{marketplace}/{product}0");
    let keys = sqlx::query_scalar!(
        r#"
        SELECT key FROM subscriptions
        WHERE listed AND key > $1 AND key < $2
            AND NOT EXISTS (SELECT FROM meters WHERE meters.subscription = subscriptions.key)
        ORDER BY key LIMIT $3
        "#,
        first,
        end,
        page.rows(),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    keys.into_iter()
        .map(|key| key.parse().map_err(|error| StoreError::unreadable("subscriptions.key", error)))
        .collect()
}

/// When the next meter is due by time, or the next frozen record's time is over.
pub(super) async fn next_look_at(store: &PostgresStore) -> Result<Option<Timestamp>, StoreError> {
    let next = sqlx::query_scalar!(
        r#"
        SELECT least(
            (SELECT min(look_at) FROM meters WHERE look_at IS NOT NULL),
            (SELECT min(expires_at) FROM usage_records WHERE state = 'frozen')
        )
        "#,
    )
    .fetch_one(&store.pool)
    .await
    .map_err(store_error)?;
    Ok(next.map(Timestamp::from))
}

/// When the first final-usage window of a marketplace ends that has something to be frozen.
pub(super) async fn next_cut_by(
    store: &PostgresStore,
    marketplace: &MarketplaceName,
) -> Result<Option<Timestamp>, StoreError> {
    let next = sqlx::query_scalar!(
        "SELECT min(cut_by) FROM meters WHERE marketplace = $1 AND cut_by IS NOT NULL",
        marketplace.as_str(),
    )
    .fetch_one(&store.pool)
    .await
    .map_err(store_error)?;
    Ok(next.map(Timestamp::from))
}

/// How many records of leaving buyers are open or frozen, as far as they are counted.
///
/// Meter by meter: joined at once, they seem to the planner worth reading whole tables.
pub(super) async fn leaving_backlog(
    store: &PostgresStore,
    marketplaces: &[MarketplaceName],
) -> Result<u64, StoreError> {
    let marketplaces: Vec<&str> = marketplaces.iter().map(MarketplaceName::as_str).collect();
    let count = sqlx::query_scalar!(
        r#"
        WITH leaving AS MATERIALIZED (
            SELECT subscription FROM meters WHERE deadline IS NOT NULL AND marketplace = ANY($1)
        )
        SELECT least(coalesce(sum(counted.live), 0), $2::bigint)::bigint AS "count!"
        FROM leaving CROSS JOIN LATERAL (
            SELECT count(*) AS live FROM usage_records
            WHERE usage_records.subscription = leaving.subscription AND state IN ('open', 'frozen')
        ) AS counted
        "#,
        &marketplaces as &[&str],
        BACKLOG_MAX,
    )
    .fetch_one(&store.pool)
    .await
    .map_err(store_error)?;
    Ok(count.unsigned_abs())
}
