use sqlx::SqliteConnection;
use stallkeeper_ledger::{ProductKey, Watermarks};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::StoreError;
use stallkeeper_persistence::usage::Watermark;

use crate::SqliteStore;
use crate::error::store_error;

/// Whether it is later than the one before.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    watermark: &Watermark,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (product, source) = (watermark.product.as_str(), watermark.source.as_str());
    let (complete_through, now) = (watermark.complete_through.as_micros(), now.as_micros());
    let done = sqlx::query!(
        r#"
        INSERT INTO usage_watermarks (product, source, complete_through, updated_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (product, source) DO UPDATE
        SET complete_through = excluded.complete_through, updated_at = excluded.updated_at
        WHERE usage_watermarks.complete_through < excluded.complete_through
        "#,
        product,
        source,
        complete_through,
        now,
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn of_product(store: &SqliteStore, product: &ProductKey) -> Result<Watermarks, StoreError> {
    let product = product.as_str();
    let rows =
        sqlx::query!("SELECT source, complete_through FROM usage_watermarks WHERE product = $1", product,)
            .fetch_all(&store.readers)
            .await
            .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            let source = row.source.parse();
            let source = source.map_err(|error| StoreError::unreadable("usage_watermarks.source", error))?;
            Ok((source, Timestamp::from_micros(row.complete_through)))
        })
        .collect()
}
