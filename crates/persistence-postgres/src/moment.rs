use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::StoreError;
use time::OffsetDateTime;

/// A time as the database takes it.
pub(crate) fn moment(at: Timestamp) -> Result<OffsetDateTime, StoreError> {
    OffsetDateTime::try_from(at).map_err(|error| StoreError::Data(error.into()))
}

/// Times as the database takes them.
pub(crate) fn moments(at: impl Iterator<Item = Timestamp>) -> Result<Vec<OffsetDateTime>, StoreError> {
    at.map(moment).collect()
}

/// Times as the database takes them, where there are such.
pub(crate) fn optional_moments(
    at: impl Iterator<Item = Option<Timestamp>>,
) -> Result<Vec<Option<OffsetDateTime>>, StoreError> {
    at.map(|at| at.map(moment).transpose()).collect()
}
