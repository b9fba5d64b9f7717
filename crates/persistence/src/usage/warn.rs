use std::collections::BTreeMap;

use stallkeeper_ledger::Risk;
use stallkeeper_lifecycle::Timestamp;

use super::lose::hash;
use crate::store::Work;
use crate::{CommitStore, JobKind, NewJob, StoreError};

/// Stores that the seller's endpoints are told of usage that runs out of time.
///
/// Told of again, the same usage has the same target, so that one that still waits is not told twice.
///
/// # Errors
/// Where the store fails; nothing is stored then.
pub async fn warn(store: &dyn CommitStore, risks: &[Risk], now: Timestamp) -> Result<(), StoreError> {
    // In the order in which every transaction writes jobs.
    let mut jobs = BTreeMap::new();
    for risk in risks {
        let payload = serde_json::to_string(risk).map_err(|error| StoreError::Data(error.into()))?;
        let (key, target, kind) = (risk.subscription.clone(), hash(&payload), JobKind::PublishRisk);
        jobs.insert((key.to_string(), target.clone()), NewJob { key, kind, target, due_at: now, payload });
    }
    let jobs: Vec<NewJob> = jobs.into_values().collect();
    let mut transaction = store.begin(Work::Housekeeping).await?;
    transaction.put_jobs(&jobs).await?;
    transaction.commit().await
}
