use sqlx::SqliteConnection;
use stallkeeper_ledger::ProductKey;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{Actor, StoreError};

use crate::SqliteStore;
use crate::error::store_error;

/// The held products in the order of their keys.
pub(super) async fn all(store: &SqliteStore) -> Result<Vec<(ProductKey, Actor, Timestamp)>, StoreError> {
    let rows = sqlx::query!("SELECT product, actor, since FROM metering_holds ORDER BY product")
        .fetch_all(&store.readers)
        .await
        .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            let product = row.product.parse();
            let product = product.map_err(|error| StoreError::unreadable("metering_holds.product", error))?;
            Ok((product, row.actor.parse()?, Timestamp::from_micros(row.since)))
        })
        .collect()
}

/// Whether it was not held before.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    product: &ProductKey,
    actor: &Actor,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (product, actor, now) = (product.as_str(), actor.to_string(), now.as_micros());
    let done = sqlx::query!(
        "INSERT INTO metering_holds (product, actor, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        product,
        actor,
        now,
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(done.rows_affected() == 1)
}

/// Whether it was held.
pub(super) async fn remove(
    connection: &mut SqliteConnection,
    product: &ProductKey,
) -> Result<bool, StoreError> {
    let product = product.as_str();
    let done = sqlx::query!("DELETE FROM metering_holds WHERE product = $1", product)
        .execute(connection)
        .await
        .map_err(store_error)?;
    Ok(done.rows_affected() == 1)
}
