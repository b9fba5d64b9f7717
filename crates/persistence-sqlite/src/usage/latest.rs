use stallkeeper_lifecycle::SubscriptionKey;
use stallkeeper_persistence::usage::{LossLine, RecordLine};
use stallkeeper_persistence::{Page, StoreError};

use crate::SqliteStore;
use crate::error::store_error;
use crate::usage::listing::LossRow;
use crate::usage::record;

/// Frozen records, the first whose time is over first.
pub(crate) async fn expiring(store: &SqliteStore, limit: u32) -> Result<Vec<RecordLine>, StoreError> {
    let limit = Page::<i64>::first(limit).rows();
    let rows = sqlx::query_as!(
        record::Row,
        r#"
        SELECT number, record FROM usage_records WHERE state = 'frozen'
        ORDER BY expires_at, number LIMIT $1
        "#,
        limit,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(|row| row.read().map(|(number, record)| RecordLine { number, record })).collect()
}

/// Losses, newest first.
pub(crate) async fn losses(
    store: &SqliteStore,
    subscription: Option<&SubscriptionKey>,
    page: &Page<i64>,
) -> Result<Vec<LossLine>, StoreError> {
    let (before, limit) = (page.after.unwrap_or(i64::MAX), page.rows());
    let rows = match subscription {
        Some(subscription) => of_one(store, &subscription.to_string(), before, limit).await,
        None => of_all(store, before, limit).await,
    };
    rows.map_err(store_error)?.into_iter().map(LossRow::read).collect()
}

async fn of_one(
    store: &SqliteStore,
    subscription: &str,
    before: i64,
    limit: i64,
) -> Result<Vec<LossRow>, sqlx::Error> {
    sqlx::query_as!(
        LossRow,
        r#"
        SELECT number, loss, recovered_at FROM usage_losses WHERE subscription = $1 AND number < $2
        ORDER BY number DESC LIMIT $3
        "#,
        subscription,
        before,
        limit,
    )
    .fetch_all(&store.readers)
    .await
}

async fn of_all(store: &SqliteStore, before: i64, limit: i64) -> Result<Vec<LossRow>, sqlx::Error> {
    sqlx::query_as!(
        LossRow,
        r#"
        SELECT number, loss, recovered_at FROM usage_losses WHERE number < $1
        ORDER BY number DESC LIMIT $2
        "#,
        before,
        limit,
    )
    .fetch_all(&store.readers)
    .await
}
