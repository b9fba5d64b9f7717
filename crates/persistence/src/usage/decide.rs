use stallkeeper_ledger::{Decision, DecisionError, EventKey, UsageEvent, decide_held};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp, Word};

use crate::usage::look::Written;
use crate::usage::{Looked, MeterSelection, MeterTermsOf};
use crate::{Actor, CommitStore, HistoryEntry, StoreError, SubscriptionRecord, Work};

/// Why held usage is not decided on.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// No such event is stored.
    #[error("no such usage event")]
    Unknown,
    /// The rules do not allow it.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// Its listing is not metered any more.
    #[error("its listing is not metered")]
    NotMetered,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Carries out a person's decision on one held event; the subscription's history says who decided.
///
/// # Errors
/// [`DecideError`]; nothing changes then.
pub async fn decide(
    store: &dyn CommitStore,
    key: &EventKey,
    decision: Decision,
    actor: &Actor,
    now: Timestamp,
    terms: &dyn MeterTermsOf,
) -> Result<(), DecideError> {
    // Read first, as the subscription is locked before its meter; an event never goes to another one.
    let subscription = vec![subscription_of(store, key).await?];
    let mut transaction = store.begin(Work::Notifications).await?;
    let records = transaction.lock(&subscription).await?;
    let selection = MeterSelection { subscriptions: subscription.clone(), tenants: Vec::new() };
    let meters = transaction.lock_meters(&selection).await?;
    let meter = meters.first().ok_or(DecideError::Unknown)?;
    let events = transaction.events(std::slice::from_ref(key)).await?;
    let event = events.first().ok_or(DecideError::Unknown)?;
    let is_published = terms.is_published();
    let terms = terms.meter_terms(&meter.key).ok_or(DecideError::NotMetered)?;
    let live = transaction.live_records(&subscription).await?;
    let change = decide_held(event, decision, meter, live, &terms, now)?;
    let word = records.first().map_or(Word::Unknown, SubscriptionRecord::word);
    transaction.append_history(&[line(event, decision, word, actor, now)]).await?;
    let (mut written, mut looked) = (Written::default(), Looked::default());
    written.take(change, &terms, now, &mut looked);
    written.store(&mut *transaction, &looked.losses, is_published, now).await?;
    transaction.commit().await?;
    Ok(())
}

async fn subscription_of(store: &dyn CommitStore, key: &EventKey) -> Result<SubscriptionKey, DecideError> {
    let mut transaction = store.begin(Work::Notifications).await?;
    let events = transaction.events(std::slice::from_ref(key)).await?;
    Ok(events.into_iter().next().ok_or(DecideError::Unknown)?.subscription)
}

fn line(event: &UsageEvent, decision: Decision, word: Word, actor: &Actor, now: Timestamp) -> HistoryEntry {
    let what = match decision {
        Decision::Carry => "usage-carried",
        Decision::WriteOff => "usage-written-off",
    };
    let detail = serde_json::json!({
        "usage": event.key.id,
        "dimension": event.dimension,
        "quantity": event.quantity.display(event.scale),
        "occurred_at": event.occurred_at.to_string(),
    });
    HistoryEntry {
        key: event.subscription.clone(),
        at: now,
        what: what.to_owned(),
        happened_at: None,
        event: None,
        outcome: "applied".to_owned(),
        word: word.as_str().to_owned(),
        anomaly: None,
        actor: actor.clone(),
        detail: detail.to_string(),
    }
}
