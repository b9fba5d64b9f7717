use sqlx::PgConnection;
use stallkeeper_ledger::{Loss, LossReason, RecordKey};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::StoreError;

use crate::error::store_error;
use crate::moment::{moment, moments};
use crate::usage::encode;

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

/// Lists losses in the order given.
pub(super) async fn append(connection: &mut PgConnection, losses: &[Loss]) -> Result<(), StoreError> {
    let subscriptions: Vec<String> = losses.iter().map(|loss| loss.subscription.to_string()).collect();
    let dimensions: Vec<&str> = losses.iter().map(|loss| loss.dimension.as_str()).collect();
    let hours: Vec<i64> = losses.iter().map(|loss| loss.hour.number()).collect();
    let reasons: Vec<&str> = losses.iter().map(|loss| loss.reason.as_str()).collect();
    let parts: Vec<i64> = losses.iter().map(|loss| loss.parts.parts()).collect();
    let of_record: Vec<bool> = losses.iter().map(is_of_record).collect();
    let at = moments(losses.iter().map(|loss| loss.at))?;
    let texts: Vec<String> = losses.iter().map(encode).collect::<Result<_, _>>()?;
    sqlx::query!(
        r#"
        INSERT INTO usage_losses (subscription, dimension, hour, reason, parts, of_record, at, loss)
        SELECT subscription, dimension, hour, reason, parts, of_record, at, loss
        FROM UNNEST(
            $1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::boolean[],
            $7::timestamptz[], $8::text[]
        ) WITH ORDINALITY AS new
            (subscription, dimension, hour, reason, parts, of_record, at, loss, position)
        ORDER BY position
        "#,
        &subscriptions,
        &dimensions as &[&str],
        &hours,
        &reasons as &[&str],
        &parts,
        &of_record,
        &at,
        &texts,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// Marks the losses of records that are billed all the same; whoever does has locked the records.
pub(super) async fn recover(
    connection: &mut PgConnection,
    records: &[RecordKey],
    at: Timestamp,
) -> Result<(), StoreError> {
    let subscriptions: Vec<String> = records.iter().map(|key| key.subscription.to_string()).collect();
    let hours: Vec<i64> = records.iter().map(|key| key.hour.number()).collect();
    let dimensions: Vec<&str> = records.iter().map(|key| key.dimension.as_str()).collect();
    sqlx::query!(
        r#"
        UPDATE usage_losses SET recovered_at = $4
        FROM UNNEST($1::text[], $2::bigint[], $3::text[]) AS billed (subscription, hour, dimension)
        WHERE usage_losses.subscription = billed.subscription AND usage_losses.hour = billed.hour
            AND usage_losses.dimension = billed.dimension
            AND usage_losses.of_record AND usage_losses.recovered_at IS NULL
        "#,
        &subscriptions,
        &hours,
        &dimensions as &[&str],
        moment(at)?,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}
