use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use stallkeeper_lifecycle::{Flag, SubscriptionKey, Timestamp};
use stallkeeper_runtime::Backoff;

use crate::{CommitStore, Committed, Incoming, Outcome, Source, StoreError, TermsOf, commit};

/// How often a batch that met another transaction is tried at once.
const ATTEMPTS_MAX: u32 = 8;
const RETRY_INITIAL: Duration = Duration::from_millis(5);
const RETRY_CAP: Duration = Duration::from_millis(500);

/// What became of the items of a batch that were committed in one or in several transactions.
#[derive(Debug)]
pub struct Isolated {
    /// One for each item, in their order.
    pub results: Vec<Result<Outcome, StoreError>>,
    /// What a person should see to.
    pub alarms: Vec<(SubscriptionKey, Flag)>,
    /// Whether jobs were stored that something runs.
    pub has_due_jobs: bool,
    /// How often a transaction had to be tried again because another was in the way.
    pub conflicts: u64,
}

/// Takes a batch in; an item that the database refuses fails alone, found by halving the batch.
///
/// Where the database cannot be reached, what is not committed by then fails whole.
pub async fn commit_each(
    store: &dyn CommitStore,
    batch: &[Incoming],
    now: Timestamp,
    terms: &dyn TermsOf,
) -> Isolated {
    let mut isolated = Isolated {
        results: Vec::with_capacity(batch.len()),
        alarms: Vec::new(),
        has_due_jobs: false,
        conflicts: 0,
    };
    // Parts still to be done, the next one last, so that results come in the batch's order.
    let mut parts = vec![batch];
    while let Some(part) = parts.pop() {
        match commit_retrying(store, part, now, terms, &mut isolated.conflicts).await {
            Ok(committed) => isolated.add(committed),
            Err(StoreError::Data(_) | StoreError::Unreadable { .. }) if part.len() > 1 => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            Err(error @ (StoreError::Data(_) | StoreError::Unreadable { .. })) => {
                isolated.results.push(Err(error));
            }
            Err(error) => {
                let undone: usize = parts.iter().map(|part| part.len()).sum::<usize>() + part.len();
                isolated.fail(undone, error);
                break;
            }
        }
    }
    isolated
}

impl Isolated {
    fn add(&mut self, committed: Committed) {
        self.results.extend(committed.outcomes.into_iter().map(Ok));
        self.alarms.extend(committed.alarms);
        self.has_due_jobs |= committed.has_due_jobs;
    }

    fn fail(&mut self, count: usize, error: StoreError) {
        let cause: Source = match error {
            StoreError::Unavailable(cause) | StoreError::Conflict(cause) | StoreError::Data(cause) => cause,
            StoreError::Unreadable { source, .. } => source,
        };
        let cause: Arc<dyn Error + Send + Sync> = Arc::from(cause);
        self.results.extend((0..count).map(|_| Err(StoreError::Unavailable(Box::new(Arc::clone(&cause))))));
    }
}

async fn commit_retrying(
    store: &dyn CommitStore,
    part: &[Incoming],
    now: Timestamp,
    terms: &dyn TermsOf,
    conflicts: &mut u64,
) -> Result<Committed, StoreError> {
    let mut backoff = Backoff::new(RETRY_INITIAL, RETRY_CAP);
    for _ in 1..ATTEMPTS_MAX {
        match commit(store, part, now, terms).await {
            Err(StoreError::Conflict(source)) => {
                *conflicts += 1;
                tracing::debug!(error = %source, items = part.len(), "commit met another transaction, trying again");
                tokio::time::sleep(backoff.next_delay()).await;
            }
            result => return result,
        }
    }
    commit(store, part, now, terms).await
}
