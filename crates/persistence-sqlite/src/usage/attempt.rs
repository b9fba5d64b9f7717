use serde_json::json;
use sqlx::SqliteConnection;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::StoreError;
use stallkeeper_persistence::usage::{Attempt, AttemptOutcome, AttemptRecord};

use crate::SqliteStore;
use crate::error::store_error;
use crate::rows::rows;
use crate::usage::{decode, encode};

/// Stores attempts; answers their numbers in the same order.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    attempts: &[Attempt],
) -> Result<Vec<i64>, StoreError> {
    let attempts = rows(
        attempts
            .iter()
            .map(|attempt| Ok(json!([attempt.lane, attempt.at.as_micros(), encode(&attempt.records)?])))
            .collect::<Result<Vec<_>, StoreError>>()?,
    )?;
    let mut numbers = sqlx::query_scalar!(
        r#"
        INSERT INTO usage_attempts (lane, at, records)
        SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1) ORDER BY key
        RETURNING number
        "#,
        attempts,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    // They are numbered in their order, but may be answered in another.
    numbers.sort_unstable();
    Ok(numbers)
}

/// Writes how attempts ended.
pub(super) async fn end(
    connection: &mut SqliteConnection,
    outcomes: &[(i64, AttemptOutcome)],
) -> Result<(), StoreError> {
    let outcomes = rows(outcomes.iter().map(|(number, outcome)| {
        json!([number, outcome.at.as_micros(), outcome.request_id, outcome.error])
    }))?;
    sqlx::query!(
        r#"
        UPDATE usage_attempts
        SET ended_at = new.value ->> 1, request_id = new.value ->> 2, error = new.value ->> 3
        FROM json_each($1) AS new
        WHERE number = new.value ->> 0
        "#,
        outcomes,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// Attempts in the order of their numbers.
pub(super) async fn by_numbers(
    store: &SqliteStore,
    numbers: &[i64],
) -> Result<Vec<AttemptRecord>, StoreError> {
    let numbers = rows(numbers.iter().map(|number| json!(number)))?;
    let rows = sqlx::query!(
        r#"
        SELECT number, lane, at, records, ended_at, request_id, error FROM usage_attempts
        WHERE number IN (SELECT value FROM json_each($1)) ORDER BY number
        "#,
        numbers,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            let records = decode(&row.records, || format!("usage_attempts.records {}", row.number))?;
            let (request_id, error) = (row.request_id, row.error);
            let outcome = row.ended_at.map(Timestamp::from_micros);
            Ok(AttemptRecord {
                number: row.number,
                attempt: Attempt { lane: row.lane, at: Timestamp::from_micros(row.at), records },
                outcome: outcome.map(|at| AttemptOutcome { at, request_id, error }),
            })
        })
        .collect()
}
