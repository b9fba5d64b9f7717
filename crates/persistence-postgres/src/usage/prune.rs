use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::StoreError;

use crate::PostgresStore;
use crate::error::store_error;
use crate::moment::moment;

/// Removes what is older, at most `limit` of each kind.
///
/// Numbers grow with time, so the lowest ones are looked at, and no further index is needed. What waits to be
/// decided on or sent stays whatever its age: it must not vanish without being billed or listed as lost.
/// Rows are removed by their places, which cannot change while they are locked.
pub(super) async fn prune(store: &PostgresStore, horizon: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let horizon = moment(horizon)?;
    let limit = i64::from(limit);
    let events = sqlx::query!(
        r#"
        DELETE FROM usage_events WHERE ctid = ANY(ARRAY(
            SELECT lowest.ctid FROM (
                SELECT ctid, received_at FROM usage_events WHERE state <> 'held' ORDER BY number LIMIT $2
                FOR UPDATE SKIP LOCKED
            ) AS lowest WHERE received_at < $1
        ))
        "#,
        horizon,
        limit,
    );
    let records = sqlx::query!(
        r#"
        DELETE FROM usage_records WHERE ctid = ANY(ARRAY(
            SELECT lowest.ctid FROM (
                SELECT ctid, updated_at FROM usage_records WHERE state NOT IN ('open', 'frozen')
                ORDER BY number LIMIT $2 FOR UPDATE SKIP LOCKED
            ) AS lowest WHERE updated_at < $1
        ))
        "#,
        horizon,
        limit,
    );
    let losses = sqlx::query!(
        r#"
        DELETE FROM usage_losses WHERE ctid = ANY(ARRAY(
            SELECT lowest.ctid FROM (
                SELECT ctid, at FROM usage_losses ORDER BY number LIMIT $2 FOR UPDATE SKIP LOCKED
            ) AS lowest WHERE at < $1
        ))
        "#,
        horizon,
        limit,
    );
    let attempts = sqlx::query!(
        r#"
        DELETE FROM usage_attempts WHERE ctid = ANY(ARRAY(
            SELECT lowest.ctid FROM (
                SELECT ctid, at FROM usage_attempts ORDER BY number LIMIT $2 FOR UPDATE SKIP LOCKED
            ) AS lowest WHERE at < $1
        ))
        "#,
        horizon,
        limit,
    );
    let mut removed = 0;
    for statement in [events, records, losses, attempts] {
        removed += statement.execute(&store.pool).await.map_err(store_error)?.rows_affected();
    }
    Ok(removed)
}
