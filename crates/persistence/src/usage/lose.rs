use std::collections::BTreeMap;

use stallkeeper_ledger::Loss;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_runtime::{hex, sha256};

use crate::{JobKind, NewJob, StoreError, Transaction};

/// How many bytes of the hash tell one loss from the next.
const HASH_BYTES: usize = 7;

/// Lists losses, and stores that the seller's endpoints are told of each, where they are told of anything.
pub(super) async fn list(
    transaction: &mut dyn Transaction,
    losses: &[Loss],
    is_published: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    if losses.is_empty() {
        return Ok(());
    }
    transaction.append_losses(losses).await?;
    if !is_published {
        return Ok(());
    }
    let mut jobs = BTreeMap::new();
    for loss in losses {
        let payload = serde_json::to_string(loss).map_err(|error| StoreError::Data(error.into()))?;
        let (key, target, kind) = (loss.subscription.clone(), hash(&payload), JobKind::PublishLoss);
        jobs.insert((key.to_string(), target.clone()), NewJob { key, kind, target, due_at: now, payload });
    }
    let jobs: Vec<NewJob> = jobs.into_values().collect();
    transaction.put_jobs(&jobs).await
}

/// So that no news of a loss, or of a risk, takes the place of another's.
pub(super) fn hash(payload: &str) -> String {
    hex(sha256(payload.as_bytes()).get(..HASH_BYTES).unwrap_or_default())
}
