use sqlx::PgConnection;
use stallkeeper_ledger::{ProductKey, Watermarks};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::StoreError;
use stallkeeper_persistence::usage::Watermark;

use crate::PostgresStore;
use crate::error::store_error;
use crate::moment::moment;

/// Writes what a source said of a whole product, where it is later than what it said before.
///
/// A tenant's watermark stands with its meters.
pub(super) async fn put(
    connection: &mut PgConnection,
    watermark: &Watermark,
    now: Timestamp,
) -> Result<bool, StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO usage_watermarks AS old (product, source, complete_through, updated_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (product, source) DO UPDATE
        SET complete_through = EXCLUDED.complete_through, updated_at = EXCLUDED.updated_at
        WHERE old.complete_through < EXCLUDED.complete_through
        "#,
        watermark.product.as_str(),
        watermark.source.as_str(),
        moment(watermark.complete_through)?,
        moment(now)?,
    )
    .execute(connection)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(store_error)
}

/// What sources said of a whole product.
pub(super) async fn of_product(
    store: &PostgresStore,
    product: &ProductKey,
) -> Result<Watermarks, StoreError> {
    let rows = sqlx::query!(
        "SELECT source, complete_through FROM usage_watermarks WHERE product = $1",
        product.as_str(),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            let source = row
                .source
                .parse()
                .map_err(|error| StoreError::unreadable("usage_watermarks.source", error))?;
            Ok((source, row.complete_through.into()))
        })
        .collect()
}
