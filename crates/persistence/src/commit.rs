use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;
use stallkeeper_ledger::{Meter, MeterTerms, follow};
use stallkeeper_lifecycle::{
    Change, Decision, Flag, Step, StepOutcome, SubscriptionKey, Terms, Timestamp, decide, fold,
};

use crate::effects::{Sorted, sort};
use crate::route::{Fresh, Routed, Routes, licenses};
use crate::usage::{MeterRow, MeterSelection, MeterTermsOf};
use crate::{
    Actor, CommitStore, Content, HistoryEntry, InboxEntry, InboxKey, Incoming, JobState, NewJob, Outcome,
    QuarantineEntry, QuarantineKey, Received, Settled, StoreError, SubscriptionRecord, Transaction, Work,
};

/// How often a batch starts again because an agreement gained a license meanwhile.
const RELOCKS_MAX: usize = 4;

/// What the configuration says about reading a subscription, and about metering it.
pub trait TermsOf: MeterTermsOf {
    /// The terms of its listing.
    fn terms(&self, key: &SubscriptionKey) -> Terms;
}

/// What a committed batch came to.
#[derive(Debug, Default)]
pub struct Committed {
    /// One for each item, in their order.
    pub outcomes: Vec<Outcome>,
    /// What a person should see to.
    pub alarms: Vec<(SubscriptionKey, Flag)>,
    /// Whether jobs were stored that something runs.
    pub has_due_jobs: bool,
    /// Whether a meter has something to be closed, frozen, released or lost.
    pub has_metering_news: bool,
}

/// Takes a batch in, in one transaction: all of it is durable afterwards, or none.
///
/// The order of locks is inbox, subscriptions, meters, jobs, quarantine, each by key.
///
/// # Errors
/// Whatever the store answers. [`StoreError::Conflict`] asks to try again at once,
/// [`StoreError::Data`] and [`StoreError::Unreadable`] are about some item of the batch, and after
/// [`StoreError::Unavailable`] nothing may be acknowledged.
pub async fn commit(
    store: &dyn CommitStore,
    batch: &[Incoming],
    now: Timestamp,
    terms: &dyn TermsOf,
) -> Result<Committed, StoreError> {
    let agreements: Vec<SubscriptionKey> =
        Fresh::of(batch, |_| false).agreements().into_iter().cloned().collect();
    let mut linked: BTreeSet<SubscriptionKey> = if agreements.is_empty() {
        BTreeSet::new()
    } else {
        store.licenses_of(&agreements).await?.into_iter().collect()
    };
    for _ in 0..RELOCKS_MAX {
        match attempt(store, batch, &linked, now, terms).await? {
            Attempt::Committed(committed) => return Ok(committed),
            Attempt::Unlocked(licenses) => linked.extend(licenses),
        }
    }
    Err(StoreError::Conflict("an agreement kept gaining licenses".into()))
}

enum Attempt {
    Committed(Committed),
    /// Licenses that should have been locked too.
    Unlocked(BTreeSet<SubscriptionKey>),
}

async fn attempt(
    store: &dyn CommitStore,
    batch: &[Incoming],
    linked: &BTreeSet<SubscriptionKey>,
    now: Timestamp,
    terms: &dyn TermsOf,
) -> Result<Attempt, StoreError> {
    let mut transaction = store.begin(Work::Notifications).await?;
    let known = claim(&mut *transaction, batch).await?;
    let fresh = Fresh::of(batch, |key| known.contains_key(key));
    let keys: Vec<SubscriptionKey> = fresh.keys().union(linked).cloned().collect();
    let mut records = lock(&mut *transaction, &keys, now).await?;
    let unlocked: BTreeSet<SubscriptionKey> = fresh
        .agreements()
        .into_iter()
        .flat_map(|agreement| licenses(&records, agreement))
        .filter(|license| !records.contains_key(license))
        .collect();
    if !unlocked.is_empty() {
        return Ok(Attempt::Unlocked(unlocked));
    }
    let before = records.clone();
    let routes = fresh.route(&mut records);
    let decided = decide_all(routes, &mut records, now, terms)?;
    let meters = follow_meters(&mut *transaction, &records, now, terms).await?;
    let changed: Vec<SubscriptionRecord> = records
        .into_values()
        .filter(|record| before.get(&record.key).is_none_or(|old| old.subscription != record.subscription))
        .map(|record| SubscriptionRecord { updated_at: now, ..record })
        .collect();
    let settled = settled(batch, &decided.steps);
    write(&mut *transaction, batch, &changed, &meters, &decided, &settled, now).await?;
    transaction.commit().await?;
    Ok(Attempt::Committed(Committed {
        outcomes: outcomes(batch, &known, &settled, &decided.steps),
        alarms: decided.alarms,
        has_metering_news: !meters.is_empty(),
        has_due_jobs: decided.jobs.iter().any(|job| job.kind.first_state() == JobState::Due),
    }))
}

async fn claim(
    transaction: &mut dyn Transaction,
    batch: &[Incoming],
) -> Result<BTreeMap<InboxKey, Settled>, StoreError> {
    let mut entries: BTreeMap<&InboxKey, InboxEntry> = BTreeMap::new();
    for (incoming, received) in received(batch) {
        // Of several copies the first is the one that is decided.
        entries.entry(&received.inbox).or_insert_with(|| InboxEntry {
            key: received.inbox.clone(),
            subscription: received.key.clone(),
            received_at: incoming.received_at,
            body: received.body.clone(),
        });
    }
    if entries.is_empty() {
        return Ok(BTreeMap::new());
    }
    let entries: Vec<InboxEntry> = entries.into_values().collect();
    Ok(transaction.claim(&entries).await?.into_iter().collect())
}

fn received(batch: &[Incoming]) -> impl Iterator<Item = (&Incoming, &Received)> {
    batch.iter().filter_map(|incoming| match &incoming.content {
        Content::Received(received) => Some((incoming, received)),
        Content::Refused(_) | Content::Act(_) => None,
    })
}

async fn lock(
    transaction: &mut dyn Transaction,
    keys: &[SubscriptionKey],
    now: Timestamp,
) -> Result<BTreeMap<SubscriptionKey, SubscriptionRecord>, StoreError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    transaction.place(keys, now).await?;
    let records = transaction.lock(keys).await?;
    Ok(records.into_iter().map(|record| (record.key.clone(), record)).collect())
}

/// What all subscriptions of a batch come to.
#[derive(Default)]
struct Decided {
    steps: BTreeMap<usize, Step>,
    history: Vec<HistoryEntry>,
    jobs: Vec<NewJob>,
    alarms: Vec<(SubscriptionKey, Flag)>,
}

fn decide_all(
    routes: Routes<'_>,
    records: &mut BTreeMap<SubscriptionKey, SubscriptionRecord>,
    now: Timestamp,
    terms: &dyn TermsOf,
) -> Result<Decided, StoreError> {
    let mut decided = Decided::default();
    for (key, routed) in routes {
        let Some(record) = records.get_mut(&key) else {
            return Err(StoreError::unreadable(key.to_string(), "the store did not return a locked row"));
        };
        let mut word_before = record.word();
        let changes = routed.iter().map(|routed| routed.change.clone());
        let Decision { steps, effects } = decide(&mut record.subscription, changes, now, terms.terms(&key));
        for (routed, step) in routed.into_iter().zip(steps) {
            decided.history.extend(history_entry(&key, &routed, &step, word_before.as_str(), now)?);
            word_before = step.word;
            if let Some(item) = routed.item {
                decided.steps.insert(item, step);
            }
        }
        if !key.is_agreement() {
            let Sorted { jobs, alarms } = sort(&key, effects, now, terms.is_published())?;
            decided.jobs.extend(jobs);
            decided.alarms.extend(alarms.into_iter().map(|flag| (key.clone(), flag)));
        }
    }
    Ok(decided)
}

/// The meters of a batch's subscriptions that change with them. What is to be done about them is done by the
/// next look, which they are marked for.
async fn follow_meters(
    transaction: &mut dyn Transaction,
    records: &BTreeMap<SubscriptionKey, SubscriptionRecord>,
    now: Timestamp,
    terms: &dyn TermsOf,
) -> Result<Vec<MeterRow>, StoreError> {
    let metered: BTreeMap<&SubscriptionKey, Arc<MeterTerms>> =
        records.keys().filter_map(|key| Some((key, terms.meter_terms(key)?))).collect();
    if metered.is_empty() {
        return Ok(Vec::new());
    }
    let subscriptions = metered.keys().map(|key| (*key).clone()).collect();
    let meters = transaction.lock_meters(&MeterSelection { subscriptions, tenants: Vec::new() }).await?;
    let meters: BTreeMap<SubscriptionKey, Meter> =
        meters.into_iter().map(|meter| (meter.key.clone(), meter)).collect();
    let mut rows = Vec::new();
    for (key, meter_terms) in metered {
        let Some(record) = records.get(key) else { continue };
        let view = record.subscription.view(now, terms.terms(key));
        let licensee = fold(&record.subscription.log).0.licensee;
        let tenant = record.tenant();
        let before = meters.get(key);
        let Some(meter) = follow(before, key, &view.standing, licensee.as_ref(), tenant, &meter_terms, now)
        else {
            continue;
        };
        rows.push(MeterRow::of(meter, Some(now), &meter_terms, now));
    }
    Ok(rows)
}

/// The line of history for a step; none for a look that found nothing changed.
fn history_entry(
    key: &SubscriptionKey,
    routed: &Routed<'_>,
    step: &Step,
    word_before: &str,
    now: Timestamp,
) -> Result<Option<HistoryEntry>, StoreError> {
    let word = step.word.as_str();
    let (what, happened_at, detail) = match &routed.change {
        Change::Fact(fact) => (fact.kind().name(), Some(fact.time()), serde_json::to_string(fact.kind())),
        Change::Received(kind) => (kind.name(), None, serde_json::to_string(kind)),
        Change::Register(binding) | Change::Bind(binding) => ("bound", None, serde_json::to_string(binding)),
        Change::Unbind => ("unbound", None, Ok("{}".to_owned())),
        Change::Snapshot(snapshot) => {
            ("entitlements", Some(snapshot.asked_at), serde_json::to_string(snapshot))
        }
        Change::Wake if word == word_before => return Ok(None),
        Change::Wake => {
            ("window-closed", None, serde_json::to_string(&json!({ "word_before": word_before })))
        }
    };
    Ok(Some(HistoryEntry {
        key: key.clone(),
        at: now,
        what: what.to_owned(),
        happened_at,
        event: routed.event.cloned(),
        outcome: settled_of(step.outcome).as_str().to_owned(),
        word: word.to_owned(),
        anomaly: step.anomaly.map(|anomaly| anomaly.name().to_owned()),
        actor: routed.actor.clone(),
        detail: detail.map_err(|error| StoreError::Data(error.into()))?,
    }))
}

fn settled_of(outcome: StepOutcome) -> Settled {
    match outcome {
        StepOutcome::Applied => Settled::Applied,
        StepOutcome::Unchanged => Settled::Unchanged,
        StepOutcome::TooOld => Settled::TooOld,
        StepOutcome::Taken => Settled::Taken,
    }
}

/// What became of the batch's new notifications.
fn settled(batch: &[Incoming], steps: &BTreeMap<usize, Step>) -> BTreeMap<InboxKey, Settled> {
    let received = |index: &usize| match batch.get(*index).map(|incoming| &incoming.content) {
        Some(Content::Received(received)) => Some(received.inbox.clone()),
        _ => None,
    };
    steps.iter().filter_map(|(index, step)| Some((received(index)?, settled_of(step.outcome)))).collect()
}

async fn write(
    transaction: &mut dyn Transaction,
    batch: &[Incoming],
    changed: &[SubscriptionRecord],
    meters: &[MeterRow],
    decided: &Decided,
    settled: &BTreeMap<InboxKey, Settled>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let noted: Vec<(InboxKey, Settled)> = settled
        .iter()
        .filter(|(_, settled)| **settled != Settled::Applied)
        .map(|(k, s)| (k.clone(), *s))
        .collect();
    if !noted.is_empty() {
        transaction.note_outcomes(&noted).await?;
    }
    if !changed.is_empty() {
        transaction.write_subscriptions(changed).await?;
    }
    if !meters.is_empty() {
        transaction.write_meters(meters, now).await?;
    }
    if !decided.history.is_empty() {
        transaction.append_history(&decided.history).await?;
    }
    if !decided.jobs.is_empty() {
        transaction.put_jobs(&decided.jobs).await?;
    }
    let refused = refused(batch);
    if !refused.is_empty() {
        transaction.quarantine(&refused).await?;
    }
    let replayed = replayed(batch);
    if !replayed.is_empty() {
        transaction.settle_quarantine(&replayed, now).await?;
    }
    Ok(())
}

fn refused(batch: &[Incoming]) -> Vec<QuarantineEntry> {
    let entries: BTreeMap<&QuarantineKey, &QuarantineEntry> = batch
        .iter()
        .filter_map(|incoming| match &incoming.content {
            Content::Refused(refused) => Some((&refused.entry.key, &refused.entry)),
            Content::Received(_) | Content::Act(_) => None,
        })
        .collect();
    entries.into_values().cloned().collect()
}

fn replayed(batch: &[Incoming]) -> Vec<(QuarantineKey, Actor)> {
    let replays: BTreeMap<&QuarantineKey, &Actor> = received(batch)
        .filter_map(|(_, received)| received.replays.as_ref())
        .map(|replay| (&replay.key, &replay.actor))
        .collect();
    replays.into_iter().map(|(key, actor)| (key.clone(), actor.clone())).collect()
}

fn outcomes(
    batch: &[Incoming],
    known: &BTreeMap<InboxKey, Settled>,
    settled: &BTreeMap<InboxKey, Settled>,
    steps: &BTreeMap<usize, Step>,
) -> Vec<Outcome> {
    let outcome = |(index, incoming): (usize, &Incoming)| match &incoming.content {
        Content::Refused(_) => Outcome::Quarantined,
        Content::Act(_) => {
            Outcome::Settled(steps.get(&index).map_or(Settled::Unchanged, |step| settled_of(step.outcome)))
        }
        Content::Received(received) => match (steps.get(&index), known.get(&received.inbox)) {
            (Some(step), _) => Outcome::Settled(settled_of(step.outcome)),
            (None, Some(before)) => Outcome::Duplicate(*before),
            (None, None) => {
                Outcome::Duplicate(settled.get(&received.inbox).copied().unwrap_or(Settled::Unchanged))
            }
        },
    };
    batch.iter().enumerate().map(outcome).collect()
}
