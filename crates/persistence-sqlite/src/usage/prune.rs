use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteQueryResult;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::StoreError;

use crate::error::store_error;

/// Removes what is older, at most `limit` of each kind.
///
/// Numbers grow with time, so the lowest ones are looked at, and no further index is needed. What waits to be
/// decided on or sent stays whatever its age: it must not vanish without being billed or listed as lost.
pub(super) async fn prune(
    connection: &mut SqliteConnection,
    horizon: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let (horizon, limit) = (horizon.as_micros(), i64::from(limit));
    let events = sqlx::query!(
        r#"
        DELETE FROM usage_events WHERE number IN (
            SELECT lowest.number FROM (
                SELECT number, received_at FROM usage_events WHERE state <> 'held' ORDER BY number LIMIT $2
            ) AS lowest WHERE received_at < $1
        )
        "#,
        horizon,
        limit,
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let records = sqlx::query!(
        r#"
        DELETE FROM usage_records WHERE number IN (
            SELECT lowest.number FROM (
                SELECT number, updated_at FROM usage_records WHERE state NOT IN ('open', 'frozen')
                ORDER BY number LIMIT $2
            ) AS lowest WHERE updated_at < $1
        )
        "#,
        horizon,
        limit,
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let losses = sqlx::query!(
        r#"
        DELETE FROM usage_losses WHERE number IN (
            SELECT lowest.number FROM (
                SELECT number, at FROM usage_losses ORDER BY number LIMIT $2
            ) AS lowest WHERE at < $1
        )
        "#,
        horizon,
        limit,
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let attempts = sqlx::query!(
        r#"
        DELETE FROM usage_attempts WHERE number IN (
            SELECT lowest.number FROM (
                SELECT number, at FROM usage_attempts ORDER BY number LIMIT $2
            ) AS lowest WHERE at < $1
        )
        "#,
        horizon,
        limit,
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    Ok([events, records, losses, attempts].iter().map(SqliteQueryResult::rows_affected).sum())
}
