use std::time::Duration;

use sqlx::error::DatabaseError;
use stallkeeper_persistence::StoreError;

/// The server did not answer, not even with its own time-out.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
struct NoAnswer(Duration);

/// Gives up after `patience`, as a broken network may never say that it is broken.
pub(crate) async fn bounded<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(patience, work)
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable(NoAnswer(patience).into())))
}

/// What a failed statement means for the worker.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(refusal) => match meaning(refusal.as_ref()) {
            Meaning::Conflict => StoreError::Conflict(error.into()),
            Meaning::Data => StoreError::Data(error.into()),
            Meaning::Unavailable => StoreError::Unavailable(error.into()),
        },
        sqlx::Error::Encode(_) => StoreError::Data(error.into()),
        sqlx::Error::ColumnDecode { index, .. } => StoreError::unreadable(format!("column {index}"), error),
        sqlx::Error::Decode(_) => StoreError::unreadable("a column", error),
        _ => StoreError::Unavailable(error.into()),
    }
}

enum Meaning {
    Conflict,
    Data,
    Unavailable,
}

/// Read from the SQLSTATE (PostgreSQL documentation, appendix A).
///
/// Only what is surely about the data counts as such: a missing table or right would otherwise put every
/// good message aside.
fn meaning(refusal: &dyn DatabaseError) -> Meaning {
    let code = refusal.code().unwrap_or_default();
    match code.as_ref() {
        // serialization_failure, deadlock_detected, lock_not_available
        "40001" | "40P01" | "55P03" => Meaning::Conflict,
        // data_exception, integrity_constraint_violation, program_limit_exceeded
        code if ["22", "23", "54"].iter().any(|class| code.starts_with(class)) => Meaning::Data,
        _ => Meaning::Unavailable,
    }
}
