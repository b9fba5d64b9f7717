use std::time::Duration;

use sqlx::error::DatabaseError;
use stallkeeper_persistence::StoreError;

/// The disk or the other writers took longer than anyone should wait.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
struct NoAnswer(Duration);

/// Gives up after `patience`, as a broken disk may never say that it is broken.
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

/// SQLite's primary result code, the low byte of what it answers (<https://sqlite.org/rescode.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(u32);

impl Code {
    pub(crate) const BUSY: Self = Self(5);
    pub(crate) const LOCKED: Self = Self(6);
    const TOO_BIG: Self = Self(18);
    const CONSTRAINT: Self = Self(19);
    const MISMATCH: Self = Self(20);

    pub(crate) fn of(refusal: &dyn DatabaseError) -> Option<Self> {
        let extended: u32 = refusal.code()?.parse().ok()?;
        Some(Self(extended & 0xff))
    }
}

enum Meaning {
    Conflict,
    Data,
    Unavailable,
}

/// Only what is surely about the data counts as such: a missing table would otherwise put every good message
/// aside.
fn meaning(refusal: &dyn DatabaseError) -> Meaning {
    match Code::of(refusal) {
        Some(Code::BUSY | Code::LOCKED) => Meaning::Conflict,
        Some(Code::TOO_BIG | Code::CONSTRAINT | Code::MISMATCH) => Meaning::Data,
        _ => Meaning::Unavailable,
    }
}
