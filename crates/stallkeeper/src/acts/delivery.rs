use stallkeeper_lifecycle::{Timestamp, Word};
use stallkeeper_persistence::{
    Actor, Delivery, HistoryEntry, Job, JobState, NewJob, Store, StoreError, SubscriptionRecord, Work,
};
use stallkeeper_runtime::error_chain;
use stallkeeper_webhook::{Channels, Payload, target_of};

use crate::commands::subscriptions::jobs_of;

/// Why a delivery is not made again.
#[derive(Debug, thiserror::Error)]
pub enum RedeliverError {
    /// Nothing of it is kept.
    #[error("no delivery with this id is kept")]
    Unknown,
    /// It would take the place of another one that has not arrived.
    #[error(
        "another delivery about this subscription has not reached the endpoint yet; see `stallkeeper jobs list`"
    )]
    Newer,
    /// It has not arrived, and is tried again anyway.
    #[error("it is still tried")]
    Waiting,
    /// What is kept of it cannot be read.
    #[error("what is kept of it cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sends a kept delivery again, with the same id and body; the subscription's history says who did.
///
/// # Errors
/// [`RedeliverError`]
pub async fn redeliver(
    store: &dyn Store,
    message: &str,
    actor: Actor,
    now: Timestamp,
) -> Result<Delivery, RedeliverError> {
    let kept = store.delivery(message).await?.ok_or(RedeliverError::Unknown)?.delivery;
    let target = target_of(kept.kind, &kept.endpoint, kept.sequence);
    let same_place = |job: &Job| job.kind == kept.kind && job.target == target;
    let jobs = jobs_of(store, &kept.key).await?;
    if let Some(there) = jobs.iter().find(|record| same_place(&record.job)) {
        match there.state {
            _ if there.job.payload != kept.payload => return Err(RedeliverError::Newer),
            JobState::Due | JobState::Parked => return Err(RedeliverError::Waiting),
            JobState::Failed => {}
        }
    }
    let payload = renewed(&kept.payload, now).map_err(RedeliverError::Unreadable)?;
    let job = NewJob { key: kept.key.clone(), kind: kept.kind, target, due_at: now, payload };
    let word = store.subscription(&kept.key).await?.as_ref().map_or(Word::Unknown, SubscriptionRecord::word);
    let mut transaction = store.begin(Work::Notifications).await?;
    transaction.append_history(&[line(&kept, word, actor, now)]).await?;
    transaction.put_jobs(&[job]).await?;
    transaction.commit().await?;
    Ok(kept)
}

/// A window that has closed does not end it: whoever sends it again knows that.
fn renewed(payload: &str, now: Timestamp) -> Result<String, serde_json::Error> {
    let payload: Payload = serde_json::from_str(payload)?;
    let deadline = payload.deadline.filter(|deadline| *deadline > now);
    serde_json::to_string(&Payload { deadline, ..payload })
}

fn line(kept: &Delivery, word: Word, actor: Actor, now: Timestamp) -> HistoryEntry {
    let detail = serde_json::json!({ "message": kept.message, "endpoint": kept.endpoint });
    HistoryEntry {
        key: kept.key.clone(),
        at: now,
        what: "delivery-replayed".to_owned(),
        happened_at: None,
        event: None,
        outcome: "applied".to_owned(),
        word: word.as_str().to_owned(),
        anomaly: None,
        actor,
        detail: detail.to_string(),
    }
}

/// Sends a test to an endpoint at once; answers the status that took it, or why nobody did.
///
/// Nothing where no endpoint has that name.
pub async fn try_endpoint(
    channels: &Channels,
    endpoint: &str,
    now: Timestamp,
) -> Option<Result<u16, String>> {
    let channel = channels.get(endpoint)?;
    let message = Payload::test(now.as_micros().unsigned_abs(), now).message("", endpoint)?;
    let taken = channel.deliver(&message, now.as_micros() / 1_000_000).await;
    Some(taken.map(|accepted| accepted.status).map_err(|error| error_chain(&error)))
}
