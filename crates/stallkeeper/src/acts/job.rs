use stallkeeper_lifecycle::{SubscriptionKey, Timestamp, Word};
use stallkeeper_persistence::{Actor, HistoryEntry, JobKind, Store, StoreError, SubscriptionRecord, Work};

/// Why a job is not tried again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// There is no such job that was given up.
    #[error("no such job was given up")]
    NotFailed,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a job due that was given up; the subscription's history says who did.
///
/// # Errors
/// [`RetryError`]
pub async fn retry(
    store: &dyn Store,
    key: &SubscriptionKey,
    kind: JobKind,
    actor: Actor,
    now: Timestamp,
) -> Result<(), RetryError> {
    if !store.revive_job(key, kind, now).await? {
        return Err(RetryError::NotFailed);
    }
    let word = store.subscription(key).await?.as_ref().map_or(Word::Unknown, SubscriptionRecord::word);
    let line = HistoryEntry {
        key: key.clone(),
        at: now,
        what: "job-retried".to_owned(),
        happened_at: None,
        event: None,
        outcome: "applied".to_owned(),
        word: word.as_str().to_owned(),
        anomaly: None,
        actor,
        detail: serde_json::json!({ "kind": kind.as_str() }).to_string(),
    };
    let mut transaction = store.begin(Work::Notifications).await?;
    transaction.append_history(&[line]).await?;
    transaction.commit().await?;
    Ok(())
}
