use std::ops::Range;

use stallkeeper_ledger::Submission;
use stallkeeper_lifecycle::Timestamp;

use crate::isolate::unavailable;
use crate::usage::{EVENTS_MAX, MeterTermsOf, Taken, take_in};
use crate::{CommitStore, Retries, StoreError};

/// Requests one after another, in one list.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    submissions: Vec<Submission>,
    /// Where each request ends in the list.
    ends: Vec<usize>,
}

/// What became of requests that were taken in, in one or in several transactions.
#[derive(Debug, Default)]
pub(crate) struct TakenEach {
    /// One for each request, in their order.
    pub(crate) results: Vec<Result<Vec<Taken>, StoreError>>,
    /// How often a transaction had to be tried again because another was in the way.
    pub(crate) conflicts: u64,
    /// How many transactions came through.
    pub(crate) commits: usize,
}

impl Requests {
    pub(crate) fn push(&mut self, submissions: Vec<Submission>) {
        self.submissions.extend(submissions);
        self.ends.push(self.submissions.len());
    }

    /// How many events there are.
    pub(crate) fn events(&self) -> usize {
        self.submissions.len()
    }

    fn end(&self, request: usize) -> usize {
        self.ends.get(request).copied().unwrap_or(self.submissions.len())
    }

    fn start(&self, request: usize) -> usize {
        request.checked_sub(1).map_or(0, |before| self.end(before))
    }

    /// The events of some of the requests.
    fn events_of(&self, requests: &Range<usize>) -> &[Submission] {
        let events = self.start(requests.start)..self.start(requests.end);
        self.submissions.get(events).unwrap_or_default()
    }

    /// Parts what became of the events of some requests into what became of each request.
    fn part(&self, requests: Range<usize>, taken: Vec<Taken>) -> impl Iterator<Item = Vec<Taken>> {
        let mut taken = taken.into_iter();
        requests.map(move |request| {
            let events = self.end(request) - self.start(request);
            taken.by_ref().take(events).collect()
        })
    }
}

/// Takes requests in; one that the database refuses fails alone, found by halving their number.
///
/// Where the database cannot be reached, what is not committed by then fails whole.
pub(crate) async fn take_each(
    store: &dyn CommitStore,
    requests: &Requests,
    now: Timestamp,
    terms: &dyn MeterTermsOf,
) -> TakenEach {
    let mut each = TakenEach::default();
    let whole = 0..requests.ends.len();
    // Parts still to be done, the next one last, so that results come in the requests' order.
    let mut parts = vec![whole];
    while let Some(part) = parts.pop() {
        match take_part(store, requests.events_of(&part), now, terms, &mut each).await {
            Ok(taken) => each.results.extend(requests.part(part, taken).map(Ok)),
            Err(StoreError::Data(_) | StoreError::Unreadable { .. }) if part.len() > 1 => {
                let middle = part.start.midpoint(part.end);
                parts.extend([middle..part.end, part.start..middle]);
            }
            Err(error @ (StoreError::Data(_) | StoreError::Unreadable { .. })) => {
                each.results.push(Err(error));
            }
            Err(error) => {
                let undone = parts.iter().map(ExactSizeIterator::len).sum::<usize>() + part.len();
                each.results.extend(unavailable(error, undone).map(Err));
                break;
            }
        }
    }
    each
}

/// One transaction, unless a single request is larger than that.
async fn take_part(
    store: &dyn CommitStore,
    events: &[Submission],
    now: Timestamp,
    terms: &dyn MeterTermsOf,
    each: &mut TakenEach,
) -> Result<Vec<Taken>, StoreError> {
    let mut taken = Vec::with_capacity(events.len());
    for batch in events.chunks(EVENTS_MAX) {
        taken.extend(take_retrying(store, batch, now, terms, &mut each.conflicts).await?);
        each.commits += 1;
    }
    Ok(taken)
}

async fn take_retrying(
    store: &dyn CommitStore,
    batch: &[Submission],
    now: Timestamp,
    terms: &dyn MeterTermsOf,
    conflicts: &mut u64,
) -> Result<Vec<Taken>, StoreError> {
    let mut retries = Retries::default();
    loop {
        match take_in(store, batch, now, terms).await {
            Err(StoreError::Conflict(conflict)) => retries.met(conflict).await?,
            result => return result,
        }
        *conflicts += 1;
    }
}
