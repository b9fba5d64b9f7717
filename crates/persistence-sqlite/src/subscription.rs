use async_trait::async_trait;
use sqlx::SqliteConnection;
use stallkeeper_lifecycle::{
    MarketplaceName, ProductCode, Subscription, SubscriptionKey, TenantId, Timestamp,
};
use stallkeeper_persistence::{
    HistoryRecord, Page, StoreError, SubscriptionFilter, SubscriptionRecord, SubscriptionStore,
};

use crate::error::store_error;
use crate::{SqliteStore, history};

/// A subscription's row; without a state it only exists to be locked.
struct Row {
    key: String,
    state: Option<String>,
    updated_at: i64,
}

impl Row {
    fn read(self) -> Result<SubscriptionRecord, StoreError> {
        let key: SubscriptionKey =
            self.key.parse().map_err(|error| StoreError::unreadable(self.key, error))?;
        let updated_at = Timestamp::from_micros(self.updated_at);
        match self.state {
            Some(state) => SubscriptionRecord::decode(key, &state, updated_at),
            None => Ok(SubscriptionRecord { key, subscription: Subscription::default(), updated_at }),
        }
    }
}

fn read_all(rows: Vec<Row>) -> Result<Vec<SubscriptionRecord>, StoreError> {
    rows.into_iter().map(Row::read).collect()
}

/// Makes an invisible row for every subscription that has none.
pub(crate) async fn place(
    connection: &mut SqliteConnection,
    keys: &[SubscriptionKey],
    now: Timestamp,
) -> Result<(), StoreError> {
    let now = now.as_micros();
    for key in keys {
        let text = key.to_string();
        let (marketplace, product) = (key.marketplace.as_str(), key.product.as_str());
        let (kind, id) = (key.holder.kind(), key.holder.id());
        sqlx::query!(
            r#"
            INSERT INTO subscriptions
                (key, marketplace, product, holder_kind, holder_id, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING
            "#,
            text,
            marketplace,
            product,
            kind,
            id,
            now,
        )
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
    }
    Ok(())
}

/// Reads rows in the order of their keys; the transaction has the whole file locked.
pub(crate) async fn lock(
    connection: &mut SqliteConnection,
    keys: &[SubscriptionKey],
) -> Result<Vec<SubscriptionRecord>, StoreError> {
    let mut keys: Vec<String> = keys.iter().map(SubscriptionKey::to_string).collect();
    keys.sort();
    let mut records = Vec::with_capacity(keys.len());
    for key in keys {
        let row =
            sqlx::query_as!(Row, "SELECT key, state, updated_at FROM subscriptions WHERE key = $1", key)
                .fetch_optional(&mut *connection)
                .await
                .map_err(store_error)?;
        records.extend(row.map(Row::read).transpose()?);
    }
    Ok(records)
}

/// A subscription was written that has no row, so it was never locked.
#[derive(Debug, thiserror::Error)]
#[error("subscription {0} has no row; place and lock it first")]
struct NotPlaced(SubscriptionKey);

/// Writes locked rows back.
pub(crate) async fn write(
    connection: &mut SqliteConnection,
    records: &[SubscriptionRecord],
) -> Result<(), StoreError> {
    for record in records {
        if !write_one(connection, record).await? {
            return Err(StoreError::Data(NotPlaced(record.key.clone()).into()));
        }
    }
    Ok(())
}

/// Whether there is such a row.
async fn write_one(
    connection: &mut SqliteConnection,
    record: &SubscriptionRecord,
) -> Result<bool, StoreError> {
    let key = record.key.to_string();
    let state = record.encode()?;
    let word = record.word().as_str();
    let tenant = record.tenant().map(TenantId::as_str);
    let deadline = record.deadline().map(Timestamp::as_micros);
    let sequence = i64::try_from(record.subscription.sequence).unwrap_or(i64::MAX);
    let updated_at = record.updated_at.as_micros();
    let done = sqlx::query!(
        r#"
        UPDATE subscriptions
        SET state = $2, word = $3, tenant = $4, deadline = $5, sequence = $6, updated_at = $7
        WHERE key = $1
        "#,
        key,
        state,
        word,
        tenant,
        deadline,
        sequence,
        updated_at,
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(done.rows_affected() == 1)
}

/// The licenses that named agreements, each once.
pub(crate) async fn licenses_of(
    store: &SqliteStore,
    agreements: &[SubscriptionKey],
) -> Result<Vec<SubscriptionKey>, StoreError> {
    let mut licenses = Vec::new();
    for agreement in agreements {
        licenses.extend(one(store, agreement).await?.into_iter().flat_map(|row| row.subscription.licenses));
    }
    licenses.sort();
    licenses.dedup();
    Ok(licenses)
}

async fn one(store: &SqliteStore, key: &SubscriptionKey) -> Result<Option<SubscriptionRecord>, StoreError> {
    let key = key.to_string();
    sqlx::query_as!(
        Row,
        "SELECT key, state, updated_at FROM subscriptions WHERE key = $1 AND state IS NOT NULL",
        key,
    )
    .fetch_optional(&store.readers)
    .await
    .map_err(store_error)?
    .map(Row::read)
    .transpose()
}

#[async_trait]
impl SubscriptionStore for SqliteStore {
    async fn subscription(&self, key: &SubscriptionKey) -> Result<Option<SubscriptionRecord>, StoreError> {
        self.bounded(one(self, key)).await
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
            let marketplace = marketplace.as_str();
            let newest = sqlx::query_scalar!(
                r#"SELECT max(received_at) AS "newest: i64" FROM inbox WHERE marketplace = $1"#,
                marketplace,
            )
            .fetch_one(&self.readers)
            .await
            .map_err(store_error)?;
            Ok(newest.map(Timestamp::from_micros))
        })
        .await
    }
}

async fn all(store: &SqliteStore, after: &str, rows: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "SELECT key, state, updated_at FROM subscriptions WHERE listed AND key > $1 ORDER BY key LIMIT $2",
        after,
        rows,
    )
    .fetch_all(&store.readers)
    .await
}

async fn of_tenant(
    store: &SqliteStore,
    tenant: &TenantId,
    after: &str,
    rows: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    let tenant = tenant.as_str();
    sqlx::query_as!(
        Row,
        r#"
        SELECT key, state, updated_at FROM subscriptions
        WHERE listed AND tenant = $1 AND key > $2 ORDER BY key LIMIT $3
        "#,
        tenant,
        after,
        rows,
    )
    .fetch_all(&store.readers)
    .await
}

/// A listing's keys all begin with `marketplace/product/`, so they stand together: behind that text, and
/// before the same text with the character that follows the slash.
async fn of_listing(
    store: &SqliteStore,
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
    .fetch_all(&store.readers)
    .await
}

async fn of_word(store: &SqliteStore, word: &str, after: &str, rows: i64) -> Result<Vec<Row>, sqlx::Error> {
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
    .fetch_all(&store.readers)
    .await
}
