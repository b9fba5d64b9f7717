use serde_json::{Value, json};
use sqlx::SqliteConnection;
use stallkeeper_ledger::{Loss, LossReason, RecordKey};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::StoreError;

use crate::error::store_error;
use crate::rows::rows;
use crate::usage::encode;

/// Lists losses in the order given.
pub(super) async fn append(connection: &mut SqliteConnection, losses: &[Loss]) -> Result<(), StoreError> {
    let losses = rows(losses.iter().map(written).collect::<Result<Vec<_>, _>>()?)?;
    sqlx::query!(
        r#"
        INSERT INTO usage_losses (subscription, dimension, hour, reason, parts, of_record, at, loss)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
               value ->> 7
        FROM json_each($1) ORDER BY key
        "#,
        losses,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// The columns of a loss.
fn written(loss: &Loss) -> Result<Value, StoreError> {
    Ok(json!([
        loss.subscription.to_string(),
        loss.dimension.as_str(),
        loss.hour.number(),
        loss.reason.as_str(),
        loss.parts.parts(),
        is_of_record(loss),
        loss.at.as_micros(),
        encode(loss)?,
    ]))
}

/// Whether it is a whole record's, which may turn out to be billed: the record came to such an end.
fn is_of_record(loss: &Loss) -> bool {
    let is_end = match loss.reason {
        LossReason::Conflict | LossReason::Rejected | LossReason::Expired | LossReason::NotSubscribed => true,
        LossReason::WindowClosed
        | LossReason::EarlierPeriod
        | LossReason::MonthClosed
        | LossReason::Fraction
        | LossReason::Late
        | LossReason::WrittenOff
        | LossReason::PaymentFailed => false,
    };
    is_end && loss.event.is_none()
}

/// Marks the losses of records that are billed all the same.
pub(super) async fn recover(
    connection: &mut SqliteConnection,
    records: &[RecordKey],
    at: Timestamp,
) -> Result<(), StoreError> {
    let at = at.as_micros();
    let records = rows(
        records
            .iter()
            .map(|key| json!([key.subscription.to_string(), key.hour.number(), key.dimension.as_str()])),
    )?;
    sqlx::query!(
        r#"
        UPDATE usage_losses SET recovered_at = $2
        FROM json_each($1) AS billed
        WHERE subscription = billed.value ->> 0 AND hour = billed.value ->> 1
            AND dimension = billed.value ->> 2 AND of_record AND recovered_at IS NULL
        "#,
        records,
        at,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}
