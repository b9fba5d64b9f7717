use std::time::Duration;

use async_trait::async_trait;
use sqlx::{ConnectOptions, SqliteConnection};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{
    ChangeFeed, ChangeListener, ChangePosition, ChangeRange, Changed, GrantRecord, PAGE_MAX, StoreError,
    SubscriptionRecord,
};
use tokio::sync::watch;

use crate::error::store_error;
use crate::{SqliteStore, grant};

/// How often it is looked whether another process wrote to the file, as a command does beside the worker.
const OTHERS_EVERY: Duration = Duration::from_millis(250);

/// A subscription's row; it has a state, as only such are listed.
struct Row {
    changed_in: i64,
    key: String,
    tenant: Option<String>,
    state: Option<String>,
    updated_at: i64,
}

impl Row {
    fn read(self) -> Changed<SubscriptionRecord> {
        let Self { changed_in, key, tenant, state, updated_at } = self;
        let parsed = key.parse::<SubscriptionKey>().map_err(|error| StoreError::unreadable(&*key, error));
        let record = parsed.and_then(|key| {
            let updated_at = Timestamp::from_micros(updated_at);
            SubscriptionRecord::decode(key, &state.unwrap_or_default(), updated_at)
        });
        Changed { position: ChangePosition { number: changed_in, key }, tenant, record }
    }
}

/// The highest number there is stands in for none.
pub(crate) fn below(range: &ChangeRange) -> i64 {
    range.below.unwrap_or(i64::MAX)
}

pub(crate) fn limit(range: &ChangeRange) -> i64 {
    i64::from(range.limit.min(PAGE_MAX))
}

#[async_trait]
impl ChangeFeed for SqliteStore {
    /// The number that the transaction has which writes now, or the next one.
    async fn change_horizon(&self) -> Result<i64, StoreError> {
        self.bounded(async {
            sqlx::query_scalar!(
                r#"
                SELECT max(
                    coalesce((SELECT max(changed_in) FROM subscriptions WHERE listed), 0),
                    coalesce((SELECT max(changed_in) FROM grants), 0)
                ) + 1 AS "number!: i64"
                "#
            )
            .fetch_one(&self.readers)
            .await
            .map_err(store_error)
        })
        .await
    }

    async fn changed_subscriptions(
        &self,
        range: &ChangeRange,
    ) -> Result<Vec<Changed<SubscriptionRecord>>, StoreError> {
        let (number, key, below, limit) = (range.after.number, &range.after.key, below(range), limit(range));
        self.bounded(async {
            let rows = sqlx::query_as!(
                Row,
                r#"
                SELECT changed_in AS "changed_in!", key AS "key!", tenant, state, updated_at AS "updated_at!"
                FROM subscriptions
                WHERE listed AND (changed_in, key) > ($1, $2) AND changed_in < $3
                ORDER BY changed_in, key LIMIT $4
                "#,
                number,
                key,
                below,
                limit,
            )
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
            Ok(rows.into_iter().map(Row::read).collect())
        })
        .await
    }

    async fn changed_grants(&self, range: &ChangeRange) -> Result<Vec<Changed<GrantRecord>>, StoreError> {
        self.bounded(grant::changed(self, range)).await
    }

    /// The numbers come from the file itself, so none of them lies in the future.
    async fn mend_change_numbers(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn listen(&self) -> Result<Box<dyn ChangeListener>, StoreError> {
        self.bounded(async {
            let options = self.readers.connect_options();
            let mut connection = options.connect().await.map_err(store_error)?;
            let seen = data_version(&mut connection).await?;
            Ok(Box::new(Listener { here: self.changes.subscribe(), connection, seen })
                as Box<dyn ChangeListener>)
        })
        .await
    }
}

/// Changes whenever another connection has committed something.
async fn data_version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar("PRAGMA data_version").fetch_one(connection).await.map_err(store_error)
}

struct Listener {
    /// Told by this process's own writer.
    here: watch::Receiver<()>,
    connection: SqliteConnection,
    seen: i64,
}

#[async_trait]
impl ChangeListener for Listener {
    async fn heard(&mut self) -> Result<(), StoreError> {
        loop {
            tokio::select! {
                biased;
                told = self.here.changed() => {
                    told.map_err(|error| StoreError::Unavailable(error.into()))?;
                    self.seen = data_version(&mut self.connection).await?;
                    return Ok(());
                }
                () = tokio::time::sleep(OTHERS_EVERY) => {}
            }
            let version = data_version(&mut self.connection).await?;
            if version != std::mem::replace(&mut self.seen, version) {
                return Ok(());
            }
        }
    }
}
