use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use stallkeeper_lifecycle::{
    MarketplaceName, ProductCode, Subscription, SubscriptionKey, TenantId, Timestamp,
};
use stallkeeper_persistence::{
    HistoryRecord, Page, StoreError, SubscriptionFilter, SubscriptionRecord, SubscriptionStore,
};

use crate::error::store_error;
use crate::rows::rows;
use crate::{SqliteStore, history};

/// A subscription's row; without a state it only exists to be locked.
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) state: Option<String>,
    pub(crate) updated_at: i64,
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

pub(crate) fn read_all(rows: Vec<Row>) -> Result<Vec<SubscriptionRecord>, StoreError> {
    rows.into_iter().map(Row::read).collect()
}

/// Makes an invisible row for every subscription that has none.
pub(crate) async fn place(
    connection: &mut SqliteConnection,
    keys: &[SubscriptionKey],
    now: Timestamp,
) -> Result<(), StoreError> {
    let now = now.as_micros();
    let keys = rows(keys.iter().map(|key| {
        json!([
            key.to_string(),
            key.marketplace.as_str(),
            key.product.as_str(),
            key.holder.kind(),
            key.holder.id(),
        ])
    }))?;
    sqlx::query!(
        r#"
        INSERT INTO subscriptions
            (key, marketplace, product, holder_kind, holder_id, created_at, updated_at)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, $2, $2
        FROM json_each($1) WHERE true
        ON CONFLICT DO NOTHING
        "#,
        keys,
        now,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// Reads rows in the order of their keys; the transaction has the whole file locked.
pub(crate) async fn lock(
    connection: &mut SqliteConnection,
    keys: &[SubscriptionKey],
) -> Result<Vec<SubscriptionRecord>, StoreError> {
    let keys = rows(keys.iter().map(|key| json!(key.to_string())))?;
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT key, state, updated_at FROM subscriptions
        WHERE key IN (SELECT value FROM json_each($1)) ORDER BY key
        "#,
        keys,
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

/// Writes locked rows back.
pub(crate) async fn write(
    connection: &mut SqliteConnection,
    records: &[SubscriptionRecord],
) -> Result<(), StoreError> {
    let given = records.len();
    let records = rows(records.iter().map(written).collect::<Result<Vec<_>, _>>()?)?;
    let done = sqlx::query!(
        r#"
        UPDATE subscriptions
        SET state = new.value ->> 1, word = new.value ->> 2, tenant = new.value ->> 3,
            deadline = new.value ->> 4, sequence = new.value ->> 5, updated_at = new.value ->> 6,
            changed_in = max(
                coalesce((SELECT max(changed_in) FROM subscriptions WHERE listed), 0),
                coalesce((SELECT max(changed_in) FROM grants), 0)
            ) + 1
        FROM json_each($1) AS new
        WHERE subscriptions.key = new.value ->> 0
        "#,
        records,
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    match usize::try_from(done.rows_affected()) {
        Ok(written) if written == given => Ok(()),
        _ => Err(StoreError::Data(NotPlaced { written: done.rows_affected(), given }.into())),
    }
}

/// The columns that change.
fn written(record: &SubscriptionRecord) -> Result<Value, StoreError> {
    Ok(json!([
        record.key.to_string(),
        record.encode()?,
        record.word().as_str(),
        record.tenant().map(TenantId::as_str),
        record.deadline().map(Timestamp::as_micros),
        i64::try_from(record.subscription.sequence).unwrap_or(i64::MAX),
        record.updated_at.as_micros(),
    ]))
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
