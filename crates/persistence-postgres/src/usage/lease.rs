use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::StoreError;
use stallkeeper_persistence::usage::Lease;

use crate::PostgresStore;
use crate::error::store_error;
use crate::moment::moment;

/// Takes a lease that is free or run out, or takes it again; `false` where somebody else has it.
pub(super) async fn take(store: &PostgresStore, lease: &Lease, now: Timestamp) -> Result<bool, StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO leases AS old (name, holder, until) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until
        WHERE old.holder = EXCLUDED.holder OR old.until <= $4
        "#,
        lease.name,
        lease.holder,
        moment(lease.until)?,
        moment(now)?,
    )
    .execute(&store.pool)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(store_error)
}

/// Gives a lease back, where the holder has it.
pub(super) async fn give_back(store: &PostgresStore, name: &str, holder: &str) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM leases WHERE name = $1 AND holder = $2", name, holder)
        .execute(&store.pool)
        .await
        .map(drop)
        .map_err(store_error)
}
