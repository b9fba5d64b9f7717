use async_trait::async_trait;
use sqlx::PgConnection;
use stallkeeper_lifecycle::{
    MarketplaceName, ProductCode, Subscription, SubscriptionKey, TenantId, Timestamp,
};
use stallkeeper_persistence::{
    HistoryRecord, Page, StoreError, SubscriptionFilter, SubscriptionRecord, SubscriptionStore,
};
use time::OffsetDateTime;

use crate::error::store_error;
use crate::moment::{moment, moments, optional_moments};
use crate::{PostgresStore, history};

/// A subscription's row; without a state it only exists to be locked.
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) state: Option<String>,
    pub(crate) updated_at: OffsetDateTime,
}

impl Row {
    fn read(self) -> Result<SubscriptionRecord, StoreError> {
        let key: SubscriptionKey =
            self.key.parse().map_err(|error| StoreError::unreadable(self.key, error))?;
        let updated_at = self.updated_at.into();
        match self.state {
            Some(state) => SubscriptionRecord::decode(key, &state, updated_at),
            None => Ok(SubscriptionRecord { key, subscription: Subscription::default(), updated_at }),
        }
    }
}

pub(crate) fn read_all(rows: Vec<Row>) -> Result<Vec<SubscriptionRecord>, StoreError> {
    rows.into_iter().map(Row::read).collect()
}

/// Makes an invisible row for every subscription that has none.
pub(crate) async fn place(
    connection: &mut PgConnection,
    keys: &[SubscriptionKey],
    now: Timestamp,
) -> Result<(), StoreError> {
    let texts: Vec<String> = keys.iter().map(SubscriptionKey::to_string).collect();
    let marketplaces: Vec<&str> = keys.iter().map(|key| key.marketplace.as_str()).collect();
    let products: Vec<&str> = keys.iter().map(|key| key.product.as_str()).collect();
    let kinds: Vec<&str> = keys.iter().map(|key| key.holder.kind()).collect();
    let ids: Vec<&str> = keys.iter().map(|key| key.holder.id()).collect();
    sqlx::query!(
        r#"
        INSERT INTO subscriptions
            (key, marketplace, product, holder_kind, holder_id, created_at, updated_at)
        SELECT key, marketplace, product, holder_kind, holder_id, $6, $6
        FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
            AS new (key, marketplace, product, holder_kind, holder_id)
        ORDER BY key COLLATE "C"
        ON CONFLICT DO NOTHING
        "#,
        &texts,
        &marketplaces as &[&str],
        &products as &[&str],
        &kinds as &[&str],
        &ids as &[&str],
        moment(now)?,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// Locks rows in the order of their keys; the lock is taken after sorting.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    keys: &[SubscriptionKey],
) -> Result<Vec<SubscriptionRecord>, StoreError> {
    let keys: Vec<String> = keys.iter().map(SubscriptionKey::to_string).collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT key, state, updated_at FROM subscriptions WHERE key = ANY($1) ORDER BY key FOR UPDATE",
        &keys,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    read_all(rows)
}

/// A subscription was written that has no row, so it was never locked.
#[derive(Debug, thiserror::Error)]
#[error("{written} of {given} subscriptions had a row; place and lock them first")]
struct NotPlaced {
    written: u64,
    given: usize,
}

/// Writes locked rows back, and tells whoever listens, once it is committed.
pub(crate) async fn write(
    connection: &mut PgConnection,
    records: &[SubscriptionRecord],
) -> Result<(), StoreError> {
    let keys: Vec<String> = records.iter().map(|record| record.key.to_string()).collect();
    let states: Vec<String> = records.iter().map(SubscriptionRecord::encode).collect::<Result<_, _>>()?;
    let words: Vec<&str> = records.iter().map(|record| record.word().as_str()).collect();
    let tenants: Vec<Option<&str>> =
        records.iter().map(|record| record.tenant().map(TenantId::as_str)).collect();
    let deadlines = optional_moments(records.iter().map(SubscriptionRecord::deadline))?;
    let sequences: Vec<i64> = records.iter().map(sequence).collect();
    let updated_at = moments(records.iter().map(|record| record.updated_at))?;
    let done = sqlx::query!(
        r#"
        WITH told AS MATERIALIZED (SELECT pg_notify('stallkeeper_changes', ''))
        UPDATE subscriptions
        SET state = new.state, word = new.word, tenant = new.tenant, deadline = new.deadline,
            sequence = new.sequence, updated_at = new.updated_at,
            changed_in = pg_current_xact_id()::text::bigint
        FROM told, UNNEST(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[],
            $7::timestamptz[]
        ) AS new (key, state, word, tenant, deadline, sequence, updated_at)
        WHERE subscriptions.key = new.key
        "#,
        &keys,
        &states,
        &words as &[&str],
        &tenants as &[Option<&str>],
        &deadlines as &[Option<OffsetDateTime>],
        &sequences,
        &updated_at,
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    match usize::try_from(done.rows_affected()) {
        Ok(written) if written == records.len() => Ok(()),
        _ => {
            let (written, given) = (done.rows_affected(), records.len());
            Err(StoreError::Data(NotPlaced { written, given }.into()))
        }
    }
}

fn sequence(record: &SubscriptionRecord) -> i64 {
    i64::try_from(record.subscription.sequence).unwrap_or(i64::MAX)
}

/// The licenses that named agreements, each once.
pub(crate) async fn licenses_of(
    store: &PostgresStore,
    agreements: &[SubscriptionKey],
) -> Result<Vec<SubscriptionKey>, StoreError> {
    let keys: Vec<String> = agreements.iter().map(SubscriptionKey::to_string).collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT key, state, updated_at FROM subscriptions WHERE key = ANY($1) AND state IS NOT NULL",
        &keys,
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    let mut licenses: Vec<SubscriptionKey> =
        read_all(rows)?.into_iter().flat_map(|record| record.subscription.licenses).collect();
    licenses.sort();
    licenses.dedup();
    Ok(licenses)
}

#[async_trait]
impl SubscriptionStore for PostgresStore {
    async fn subscription(&self, key: &SubscriptionKey) -> Result<Option<SubscriptionRecord>, StoreError> {
        self.bounded(async {
            sqlx::query_as!(
                Row,
                "SELECT key, state, updated_at FROM subscriptions WHERE key = $1 AND state IS NOT NULL",
                key.to_string(),
            )
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?
            .map(Row::read)
            .transpose()
        })
        .await
    }

    async fn subscriptions(
        &self,
        filter: &SubscriptionFilter,
        page: &Page<SubscriptionKey>,
    ) -> Result<Vec<SubscriptionRecord>, StoreError> {
        // No key is empty, so this stands before all of them.
        let after = page.after.as_ref().map(SubscriptionKey::to_string).unwrap_or_default();
        self.bounded(async {
            match filter {
                SubscriptionFilter::All => all(self, &after, page.rows()).await,
                SubscriptionFilter::Tenant(tenant) => of_tenant(self, tenant, &after, page.rows()).await,
                SubscriptionFilter::Listing(marketplace, product) => {
                    of_listing(self, marketplace, product, after, page.rows()).await
                }
                SubscriptionFilter::Word(word) => of_word(self, word.as_str(), &after, page.rows()).await,
            }
            .map_err(store_error)
            .and_then(read_all)
        })
        .await
    }

    async fn history(
        &self,
        key: &SubscriptionKey,
        page: &Page<i64>,
    ) -> Result<Vec<HistoryRecord>, StoreError> {
        self.bounded(history::read(self, key, page)).await
    }

    async fn last_received_at(&self, marketplace: &MarketplaceName) -> Result<Option<Timestamp>, StoreError> {
        self.bounded(async {
            let newest = sqlx::query_scalar!(
                "SELECT max(received_at) FROM inbox WHERE marketplace = $1",
                marketplace.as_str(),
            )
            .fetch_one(&self.pool)
            .await
            .map_err(store_error)?;
            Ok(newest.map(Timestamp::from))
        })
        .await
    }
}

async fn all(store: &PostgresStore, after: &str, rows: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "SELECT key, state, updated_at FROM subscriptions WHERE listed AND key > $1 ORDER BY key LIMIT $2",
        after,
        rows,
    )
    .fetch_all(&store.pool)
    .await
}

async fn of_tenant(
    store: &PostgresStore,
    tenant: &TenantId,
    after: &str,
    rows: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"
        SELECT key, state, updated_at FROM subscriptions
        WHERE listed AND tenant = $1 AND key > $2 ORDER BY key LIMIT $3
        "#,
        tenant.as_str(),
        after,
        rows,
    )
    .fetch_all(&store.pool)
    .await
}

/// A listing's keys all begin with `marketplace/product/`, so they stand together: behind that text, and
/// before the same text with the character that follows the slash.
async fn of_listing(
    store: &PostgresStore,
    marketplace: &MarketplaceName,
    product: &ProductCode,
    after: String,
    rows: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    let first = format!("{marketplace}/{product}/").max(after);
    let end = format!("{marketplace}/{product}0");
    sqlx::query_as!(
        Row,
        r#"
        SELECT key, state, updated_at FROM subscriptions
        WHERE listed AND key > $1 AND key < $2 ORDER BY key LIMIT $3
        "#,
        first,
        end,
        rows,
    )
    .fetch_all(&store.pool)
    .await
}

async fn of_word(store: &PostgresStore, word: &str, after: &str, rows: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"
        SELECT key, state, updated_at FROM subscriptions
        WHERE listed AND word = $1 AND key > $2 ORDER BY key LIMIT $3
        "#,
        word,
        after,
        rows,
    )
    .fetch_all(&store.pool)
    .await
}
