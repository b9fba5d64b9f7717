use stallkeeper_ledger::ProductKey;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{Actor, StoreError};

use crate::PostgresStore;
use crate::error::store_error;
use crate::moment::moment;

/// The products whose metering is held, in the order of their keys.
pub(super) async fn all(store: &PostgresStore) -> Result<Vec<(ProductKey, Actor, Timestamp)>, StoreError> {
    let rows = sqlx::query!("SELECT product, actor, since FROM metering_holds ORDER BY product")
        .fetch_all(&store.pool)
        .await
        .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            let product = row
                .product
                .parse()
                .map_err(|error| StoreError::unreadable("metering_holds.product", error))?;
            Ok((product, row.actor.parse()?, row.since.into()))
        })
        .collect()
}

/// Holds a product's metering; `false` where it is held already.
pub(super) async fn put(
    store: &PostgresStore,
    product: &ProductKey,
    actor: &Actor,
    now: Timestamp,
) -> Result<bool, StoreError> {
    sqlx::query!(
        "INSERT INTO metering_holds (product, actor, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        product.as_str(),
        actor.to_string(),
        moment(now)?,
    )
    .execute(&store.pool)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(store_error)
}

/// Lets a product's metering go on; `false` where it is not held.
pub(super) async fn remove(store: &PostgresStore, product: &ProductKey) -> Result<bool, StoreError> {
    sqlx::query!("DELETE FROM metering_holds WHERE product = $1", product.as_str())
        .execute(&store.pool)
        .await
        .map(|done| done.rows_affected() == 1)
        .map_err(store_error)
}
