use async_trait::async_trait;
use sqlx::SqliteConnection;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{Housekeeping, StoreError};

use crate::SqliteStore;
use crate::error::store_error;
use crate::lane::Lane;

async fn prune(connection: &mut SqliteConnection, horizon: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let (horizon, limit) = (horizon.as_micros(), i64::from(limit));
    sqlx::query!(
        r#"
        DELETE FROM inbox WHERE rowid IN (
            SELECT rowid FROM inbox WHERE received_at < $1 ORDER BY received_at LIMIT $2
        )
        "#,
        horizon,
        limit,
    )
    .execute(connection)
    .await
    .map(|done| done.rows_affected())
    .map_err(store_error)
}

#[async_trait]
impl Housekeeping for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.bounded(async {
            sqlx::query_scalar!("SELECT count(*) FROM sqlite_master")
                .fetch_one(&self.readers)
                .await
                .map(drop)
                .map_err(store_error)
        })
        .await
    }

    async fn prune_inbox(&self, horizon: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let mut write = self.writer.begin(Lane::Housekeeping).await?;
        let pruned = self.bounded(prune(write.connection(), horizon, limit)).await?;
        write.commit().await?;
        Ok(pruned)
    }
}
