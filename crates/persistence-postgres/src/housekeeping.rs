use async_trait::async_trait;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{Housekeeping, StoreError};

use crate::PostgresStore;
use crate::error::store_error;
use crate::moment::moment;

#[async_trait]
impl Housekeeping for PostgresStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.bounded(async {
            sqlx::query_scalar!("SELECT 1").fetch_one(&self.pool).await.map(drop).map_err(store_error)
        })
        .await
    }

    /// By the rows' places, which cannot change while they are locked: looking a thousand of them up by key
    /// seems to the planner worth reading the whole table.
    async fn prune_inbox(&self, horizon: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let horizon = moment(horizon)?;
        self.bounded(async {
            sqlx::query!(
                r#"
                DELETE FROM inbox WHERE ctid = ANY(ARRAY(
                    SELECT ctid FROM inbox WHERE received_at < $1 ORDER BY received_at LIMIT $2
                    FOR UPDATE SKIP LOCKED
                ))
                "#,
                horizon,
                i64::from(limit),
            )
            .execute(&self.pool)
            .await
            .map(|done| done.rows_affected())
            .map_err(store_error)
        })
        .await
    }
}
