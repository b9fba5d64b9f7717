use stallkeeper_lifecycle::SubscriptionKey;
use stallkeeper_persistence::usage::{LossLine, RecordLine};
use stallkeeper_persistence::{Page, StoreError};

use crate::PostgresStore;
use crate::error::store_error;
use crate::usage::listing::LossRow;
use crate::usage::record;

/// Frozen records, the first whose time is over first.
pub(crate) async fn expiring(store: &PostgresStore, limit: u32) -> Result<Vec<RecordLine>, StoreError> {
    let rows = sqlx::query_as!(
        record::Row,
        r#"
        SELECT number, record FROM usage_records WHERE state = 'frozen'
        ORDER BY expires_at, number LIMIT $1
        "#,
        Page::<i64>::first(limit).rows(),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(|row| row.read().map(|(number, record)| RecordLine { number, record })).collect()
}

/// Losses, newest first.
pub(crate) async fn losses(
    store: &PostgresStore,
    subscription: Option<&SubscriptionKey>,
    page: &Page<i64>,
) -> Result<Vec<LossLine>, StoreError> {
    let before = page.after.unwrap_or(i64::MAX);
    let rows = match subscription {
        Some(key) => {
            sqlx::query_as!(
                LossRow,
                r#"
                SELECT number, loss, recovered_at FROM usage_losses WHERE subscription = $1 AND number < $2
                ORDER BY number DESC LIMIT $3
                "#,
                key.to_string(),
                before,
                page.rows(),
            )
            .fetch_all(&store.pool)
            .await
        }
        None => {
            sqlx::query_as!(
                LossRow,
                r#"
                SELECT number, loss, recovered_at FROM usage_losses WHERE number < $1
                ORDER BY number DESC LIMIT $2
                "#,
                before,
                page.rows(),
            )
            .fetch_all(&store.pool)
            .await
        }
    };
    rows.map_err(store_error)?.into_iter().map(LossRow::read).collect()
}
