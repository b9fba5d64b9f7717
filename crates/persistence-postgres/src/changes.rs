use async_trait::async_trait;
use sqlx::postgres::{PgListener, PgPoolOptions};
use stallkeeper_lifecycle::SubscriptionKey;
use stallkeeper_persistence::{
    ChangeFeed, ChangeListener, ChangePosition, ChangeRange, Changed, GrantRecord, PAGE_MAX, StoreError,
    SubscriptionRecord,
};
use time::OffsetDateTime;

use crate::error::store_error;
use crate::{PostgresStore, grant};

/// The channel of notifications, without a payload: who hears one looks into the tables.
const CHANNEL: &str = "stallkeeper_changes";

/// How many rows are put to the beginning at once.
const MENDED_AT_ONCE: i64 = 10_000;

/// A subscription's row; it has a state, as only such are listed.
struct Row {
    changed_in: i64,
    key: String,
    tenant: Option<String>,
    state: Option<String>,
    updated_at: OffsetDateTime,
}

impl Row {
    fn read(self) -> Changed<SubscriptionRecord> {
        let Self { changed_in, key, tenant, state, updated_at } = self;
        let parsed = key.parse::<SubscriptionKey>().map_err(|error| StoreError::unreadable(&*key, error));
        let record = parsed
            .and_then(|key| SubscriptionRecord::decode(key, &state.unwrap_or_default(), updated_at.into()));
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
impl ChangeFeed for PostgresStore {
    /// The oldest transaction that has a number and still runs, in any database of the server.
    async fn change_horizon(&self) -> Result<i64, StoreError> {
        self.bounded(async {
            sqlx::query_scalar!(
                r#"SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS "number!""#
            )
            .fetch_one(&self.pool)
            .await
            .map_err(store_error)
        })
        .await
    }

    async fn changed_subscriptions(
        &self,
        range: &ChangeRange,
    ) -> Result<Vec<Changed<SubscriptionRecord>>, StoreError> {
        self.bounded(async {
            let rows = sqlx::query_as!(
                Row,
                r#"
                SELECT changed_in, key, tenant, state, updated_at FROM subscriptions
                WHERE listed AND (changed_in, key) > ($1, $2) AND changed_in < $3
                ORDER BY changed_in, key LIMIT $4
                "#,
                range.after.number,
                range.after.key,
                below(range),
                limit(range),
            )
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
            Ok(rows.into_iter().map(Row::read).collect())
        })
        .await
    }

    async fn changed_grants(&self, range: &ChangeRange) -> Result<Vec<Changed<GrantRecord>>, StoreError> {
        self.bounded(grant::changed(self, range)).await
    }

    async fn mend_change_numbers(&self) -> Result<u64, StoreError> {
        let mut mended = 0;
        loop {
            let (subscriptions, grants) = self
                .bounded(async { Ok((mend_subscriptions(self).await?, mend_grants(self).await?)) })
                .await?;
            mended += subscriptions + grants;
            if subscriptions + grants == 0 {
                return Ok(mended);
            }
        }
    }

    /// On a connection of its own, which is opened anew by the next call where it breaks.
    async fn listen(&self) -> Result<Box<dyn ChangeListener>, StoreError> {
        let options = (*self.pool.connect_options()).clone();
        self.bounded(async {
            let pool = PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(self.options.acquire_timeout)
                .idle_timeout(None)
                .max_lifetime(None)
                .connect_lazy_with(options);
            let mut listener = PgListener::connect_with(&pool).await.map_err(store_error)?;
            listener.listen(CHANNEL).await.map_err(store_error)?;
            Ok(Box::new(Listener { listener }) as Box<dyn ChangeListener>)
        })
        .await
    }
}

/// A row that is visible was written by a transaction with a lower number than any that has none yet, unless
/// the server that counted was another one.
async fn mend_subscriptions(store: &PostgresStore) -> Result<u64, StoreError> {
    sqlx::query!(
        r#"
        UPDATE subscriptions SET changed_in = 0
        WHERE key = ANY(ARRAY(
            SELECT key FROM subscriptions
            WHERE listed AND changed_in >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint
            ORDER BY changed_in, key LIMIT $1
        ))
        "#,
        MENDED_AT_ONCE,
    )
    .execute(&store.pool)
    .await
    .map(|done| done.rows_affected())
    .map_err(store_error)
}

async fn mend_grants(store: &PostgresStore) -> Result<u64, StoreError> {
    sqlx::query!(
        r#"
        UPDATE grants SET changed_in = 0
        WHERE id = ANY(ARRAY(
            SELECT id FROM grants
            WHERE changed_in >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint
            ORDER BY changed_in, id LIMIT $1
        ))
        "#,
        MENDED_AT_ONCE,
    )
    .execute(&store.pool)
    .await
    .map(|done| done.rows_affected())
    .map_err(store_error)
}

struct Listener {
    listener: PgListener,
}

#[async_trait]
impl ChangeListener for Listener {
    async fn heard(&mut self) -> Result<(), StoreError> {
        // Of several that wait, one says it all. A connection that broke and is back may have missed some.
        let _heard_or_reconnected = self.listener.try_recv().await.map_err(store_error)?;
        while self.listener.next_buffered().is_some() {}
        Ok(())
    }
}
