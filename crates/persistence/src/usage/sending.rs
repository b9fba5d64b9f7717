use std::collections::BTreeMap;

use stallkeeper_ledger::{Answer, Answered, Loss, Outgoing, Record, RecordKey, answered, attempted};
use stallkeeper_lifecycle::Timestamp;

use super::lose;
use crate::usage::{Attempt, AttemptOutcome};
use crate::{CommitStore, StoreError, Work};

/// A request that is stored, and may be made now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The attempt's number.
    pub attempt: i64,
    /// Its records; those that were settled or given up meanwhile are left out.
    pub records: Vec<Outgoing>,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptResult {
    /// The attempt's number.
    pub attempt: i64,
    /// How the request ended.
    pub outcome: AttemptOutcome,
    /// What was said of each record, by its number.
    pub answers: Vec<(i64, Answer)>,
}

/// Stores requests before they are made; one that has no record left to send is left out.
///
/// # Errors
/// Whatever the store answers; nothing may be sent then.
pub async fn start(
    store: &dyn CommitStore,
    lane: &str,
    calls: Vec<Vec<i64>>,
    now: Timestamp,
) -> Result<Vec<Started>, StoreError> {
    let mut transaction = store.begin(Work::FinalWindows).await?;
    let mut numbers: Vec<i64> = calls.iter().flatten().copied().collect();
    numbers.sort_unstable();
    numbers.dedup();
    let records: BTreeMap<i64, Record> = transaction.records(&numbers).await?.into_iter().collect();
    let is_due = |number: &i64| {
        records.get(number).is_some_and(|record| {
            record.expires_at.is_some_and(|until| now < until)
                && record.sending.retry_at.is_none_or(|at| at <= now)
                && record.is_frozen()
        })
    };
    let calls: Vec<Vec<i64>> = calls
        .into_iter()
        .map(|call| call.into_iter().filter(is_due).collect::<Vec<i64>>())
        .filter(|call| !call.is_empty())
        .collect();
    let attempts: Vec<Attempt> =
        calls.iter().map(|call| Attempt { lane: lane.to_owned(), at: now, records: call.clone() }).collect();
    if attempts.is_empty() {
        return Ok(Vec::new());
    }
    let given = transaction.add_attempts(&attempts).await?;
    let mut started = Vec::with_capacity(calls.len());
    let mut sent = Vec::new();
    for (attempt, call) in given.into_iter().zip(calls) {
        let mut outgoing = Vec::with_capacity(call.len());
        for number in call {
            let Some(mut record) = records.get(&number).cloned() else { continue };
            attempted(&mut record, attempt, now);
            outgoing.extend(Outgoing::of(number, &record));
            sent.push(record);
        }
        started.push(Started { attempt, records: outgoing });
    }
    transaction.put_records(&sent, now).await?;
    transaction.commit().await?;
    Ok(started)
}

/// Stores what requests came to; answers what is lost by it, of which the seller's endpoints are told where
/// `is_published` says so.
///
/// # Errors
/// Whatever the store answers; the same results can be stored again.
pub async fn finish(
    store: &dyn CommitStore,
    results: &[AttemptResult],
    now: Timestamp,
    is_published: bool,
) -> Result<Vec<Loss>, StoreError> {
    let mut transaction = store.begin(Work::FinalWindows).await?;
    let mut numbers: Vec<i64> =
        results.iter().flat_map(|result| result.answers.iter().map(|(number, _)| *number)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut records: BTreeMap<i64, Record> = transaction.records(&numbers).await?.into_iter().collect();
    let mut losses = Vec::new();
    let mut recovered: Vec<RecordKey> = Vec::new();
    for result in results {
        for (number, answer) in &result.answers {
            let Some(record) = records.get_mut(number) else { continue };
            match answered(record, result.attempt, answer.clone(), now) {
                Answered::Kept | Answered::LostNothing => {}
                Answered::Lost(loss) => losses.push(*loss),
                Answered::Recovered => recovered.push(record.key.clone()),
            }
        }
    }
    let records: Vec<Record> = records.into_values().collect();
    if !records.is_empty() {
        transaction.put_records(&records, now).await?;
    }
    lose::list(&mut *transaction, &losses, is_published, now).await?;
    if !recovered.is_empty() {
        transaction.recover_losses(&recovered, now).await?;
    }
    let outcomes: Vec<(i64, AttemptOutcome)> =
        results.iter().map(|result| (result.attempt, result.outcome.clone())).collect();
    if !outcomes.is_empty() {
        transaction.end_attempts(&outcomes).await?;
    }
    transaction.commit().await?;
    Ok(losses)
}
