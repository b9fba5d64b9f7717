use sqlx::PgConnection;
use stallkeeper_persistence::StoreError;
use stallkeeper_persistence::usage::{Attempt, AttemptOutcome, AttemptRecord};

use crate::PostgresStore;
use crate::error::store_error;
use crate::moment::moments;
use crate::usage::{decode, encode};

/// Stores attempts; their numbers count up in the order given.
pub(super) async fn add(connection: &mut PgConnection, attempts: &[Attempt]) -> Result<Vec<i64>, StoreError> {
    let lanes: Vec<&str> = attempts.iter().map(|attempt| attempt.lane.as_str()).collect();
    let at = moments(attempts.iter().map(|attempt| attempt.at))?;
    let records: Vec<String> =
        attempts.iter().map(|attempt| encode(&attempt.records)).collect::<Result<_, _>>()?;
    let mut numbers = sqlx::query_scalar!(
        r#"
        INSERT INTO usage_attempts (lane, at, records)
        SELECT lane, at, records
        FROM UNNEST($1::text[], $2::timestamptz[], $3::text[]) WITH ORDINALITY
            AS new (lane, at, records, position)
        ORDER BY position
        RETURNING number
        "#,
        &lanes as &[&str],
        &at,
        &records,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    numbers.sort_unstable();
    Ok(numbers)
}

/// Writes how attempts ended.
pub(super) async fn end(
    connection: &mut PgConnection,
    outcomes: &[(i64, AttemptOutcome)],
) -> Result<(), StoreError> {
    let numbers: Vec<i64> = outcomes.iter().map(|(number, _)| *number).collect();
    let ended_at = moments(outcomes.iter().map(|(_, outcome)| outcome.at))?;
    let request_ids: Vec<Option<String>> =
        outcomes.iter().map(|(_, outcome)| outcome.request_id.as_deref().map(storable)).collect();
    let errors: Vec<Option<String>> =
        outcomes.iter().map(|(_, outcome)| outcome.error.as_deref().map(storable)).collect();
    sqlx::query!(
        r#"
        UPDATE usage_attempts
        SET ended_at = new.ended_at, request_id = new.request_id, error = new.error
        FROM UNNEST($1::bigint[], $2::timestamptz[], $3::text[], $4::text[])
            AS new (number, ended_at, request_id, error)
        WHERE usage_attempts.number = new.number
        "#,
        &numbers,
        &ended_at,
        &request_ids as &[Option<String>],
        &errors as &[Option<String>],
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// A text of the marketplace's: the database takes none with a NUL, and an answer must not be lost for it.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Attempts with these numbers, in the order of them.
pub(super) async fn by_numbers(
    store: &PostgresStore,
    numbers: &[i64],
) -> Result<Vec<AttemptRecord>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT number, lane, at, records, ended_at, request_id, error
        FROM usage_attempts WHERE number = ANY($1) ORDER BY number
        "#,
        numbers,
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            let records = decode(&row.records, || format!("usage_attempts.records {}", row.number))?;
            let (request_id, error) = (row.request_id, row.error);
            Ok(AttemptRecord {
                number: row.number,
                attempt: Attempt { lane: row.lane, at: row.at.into(), records },
                outcome: row.ended_at.map(|at| AttemptOutcome { at: at.into(), request_id, error }),
            })
        })
        .collect()
}
