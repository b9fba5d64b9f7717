use sqlx::SqliteConnection;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::StoreError;
use stallkeeper_persistence::usage::Lease;

use crate::error::store_error;

/// Whether nobody else has it.
pub(super) async fn take(
    connection: &mut SqliteConnection,
    lease: &Lease,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (until, now) = (lease.until.as_micros(), now.as_micros());
    let done = sqlx::query!(
        r#"
        INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
        WHERE leases.holder = excluded.holder OR leases.until <= $4
        "#,
        lease.name,
        lease.holder,
        until,
        now,
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(done.rows_affected() == 1)
}

/// Frees it, where the holder has it.
pub(super) async fn give_back(
    connection: &mut SqliteConnection,
    name: &str,
    holder: &str,
) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM leases WHERE name = $1 AND holder = $2", name, holder)
        .execute(connection)
        .await
        .map(drop)
        .map_err(store_error)
}
