use std::error::Error;
use std::sync::Arc;

use stallkeeper_lifecycle::{Flag, SubscriptionKey, Timestamp};

use crate::{CommitStore, Committed, Incoming, Outcome, Retries, Source, StoreError, TermsOf, commit};

/// What became of the items of a batch that were committed in one or in several transactions.
#[derive(Debug)]
pub struct Isolated {
    /// One for each item, in their order.
    pub results: Vec<Result<Outcome, StoreError>>,
    /// What a person should see to.
    pub alarms: Vec<(SubscriptionKey, Flag)>,
    /// Whether jobs were stored that something runs.
    pub has_due_jobs: bool,
    /// Whether a meter has something to be closed, frozen, released or lost.
    pub has_metering_news: bool,
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
        has_metering_news: false,
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
        self.has_metering_news |= committed.has_metering_news;
    }

    fn fail(&mut self, count: usize, error: StoreError) {
        self.results.extend(unavailable(error, count).map(Err));
    }
}

/// The same failure once for each of `count` items.
pub(crate) fn unavailable(error: StoreError, count: usize) -> impl Iterator<Item = StoreError> {
    let cause: Source = match error {
        StoreError::Unavailable(cause) | StoreError::Conflict(cause) | StoreError::Data(cause) => cause,
        StoreError::Unreadable { source, .. } => source,
    };
    let cause: Arc<dyn Error + Send + Sync> = Arc::from(cause);
    (0..count).map(move |_| StoreError::Unavailable(Box::new(Arc::clone(&cause))))
}

async fn commit_retrying(
    store: &dyn CommitStore,
    part: &[Incoming],
    now: Timestamp,
    terms: &dyn TermsOf,
    conflicts: &mut u64,
) -> Result<Committed, StoreError> {
    let mut retries = Retries::default();
    loop {
        match commit(store, part, now, terms).await {
            Err(StoreError::Conflict(conflict)) => retries.met(conflict).await?,
            result => return result,
        }
        *conflicts += 1;
    }
}
