//! Three workers that take usage in, look at the same meters, send and hear of the same subscriptions, all at
//! once: every unit counts once, whoever is in the way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stallkeeper_ledger::{EventKey, MARGIN_MIN, Submission};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};

use super::contention::Random;
use super::samples::{act, bound_to, customer, minute};
use super::usage_samples::{
    Metered, accepted, all_answered, balance, look_around, records, requests, send, subscribe, unsent,
};
use crate::usage::{Taken, finish, look_at, start, take_in};
use crate::{Store, StoreError, commit};

const WORKERS: usize = 3;
const BUYERS: usize = 12;
const HOURS: u64 = 6;
/// How many batches a worker takes in while an hour lasts, and of how many events.
const BATCHES: usize = 4;
const BATCH: usize = 40;
/// How often a transaction that met another is tried again.
const ATTEMPTS_MAX: usize = 20;
const SEED: u64 = 0x5eed_0006;

/// What happened on the way.
#[derive(Debug, Default)]
pub struct Report {
    /// How many events were stored.
    pub stored: usize,
    /// How many copies were recognised.
    pub known: usize,
    /// How many records were sent.
    pub sent: usize,
    /// How often a transaction had to be tried again because another was in the way.
    pub conflicts: usize,
}

/// Lets three workers contend, checks what is stored, and tells what happened on the way.
pub async fn contend(stores: [Arc<dyn Store>; WORKERS]) -> Report {
    let terms = Metered::new();
    for number in 0..BUYERS {
        subscribe(&*stores[0], &terms, &buyer(number), &tenant_of(number)).await;
    }
    let mut traffic = Traffic { random: Random::new(SEED), events: 0, late: Vec::new() };
    let mut tally = Tally::default();
    for hours in 0..HOURS {
        let now = minute(hours * 60 + 59);
        let worker = |number: usize| Worker {
            store: stores[number].clone(),
            terms: terms.clone(),
            now,
            tally: Tally::default(),
        };
        let [first, second, third] = traffic.hour(hours);
        let parts = tokio::join!(worker(0).run(first), worker(1).run(second), worker(2).run(third));
        for part in <[Tally; WORKERS]>::from(parts) {
            tally.add(part);
        }
    }
    let store = &*stores[0];
    settle(store, &terms, &mut tally).await;
    check(store, &tally, traffic.events).await
}

fn buyer(number: usize) -> SubscriptionKey {
    customer(&format!("metered-{number:02}"))
}

fn tenant_of(number: usize) -> String {
    format!("tenant-{number:02}")
}

/// Everything that is due by the end, by one worker.
async fn settle(store: &dyn Store, terms: &Metered, tally: &mut Tally) {
    let now = minute(HOURS * 60 + 61);
    look_around(store, terms, now).await;
    if !unsent(store, now).await.is_empty() {
        let started = send(store, accepted(), now).await;
        started.records.iter().for_each(|one| *tally.sent.entry(one.number).or_default() += 1);
    }
}

async fn check(store: &dyn Store, tally: &Tally, events: usize) -> Report {
    assert!(tally.stored.values().all(|times| *times == 1), "an event was stored twice");
    assert_eq!(tally.stored.len(), events, "an event was never stored");
    assert!(tally.sent.values().all(|times| *times == 1), "a record was sent twice");
    let mut recorded = 0;
    for number in 0..BUYERS {
        let key = buyer(number);
        let [units, billed, pending, lost] = balance(store, &key).await;
        assert_eq!(lost, 0, "{key}: nothing outlasted a deadline");
        let held = store.held_usage(Some(&key), 1_000).await.expect("readable");
        let late: i64 = held.iter().map(|line| line.event.counted.parts()).sum();
        assert_eq!((billed, pending), (units - late, late), "{key}: what was not late is billed");
        assert!(records(store, &key).await.iter().all(|line| line.record.state.word() == "settled"));
        recorded += units;
    }
    assert_eq!(recorded, i64::try_from(events).expect("few"), "each event is one unit");
    Report {
        stored: tally.stored.len(),
        known: tally.known,
        sent: tally.sent.len(),
        conflicts: tally.conflicts,
    }
}

/// What workers did: how often each event was stored and each record sent.
#[derive(Default)]
struct Tally {
    stored: BTreeMap<EventKey, usize>,
    sent: BTreeMap<i64, usize>,
    known: usize,
    conflicts: usize,
}

impl Tally {
    fn add(&mut self, other: Self) {
        for (key, times) in other.stored {
            *self.stored.entry(key).or_default() += times;
        }
        for (number, times) in other.sent {
            *self.sent.entry(number).or_default() += times;
        }
        self.known += other.known;
        self.conflicts += other.conflicts;
    }
}

struct Worker {
    store: Arc<dyn Store>,
    terms: Metered,
    now: Timestamp,
    tally: Tally,
}

impl Worker {
    /// Between any two batches it does the rest of a worker's business.
    async fn run(mut self, batches: Vec<Vec<Submission>>) -> Tally {
        for batch in batches {
            self.take(&batch).await;
            self.look().await;
            self.send().await;
            self.rebind().await;
        }
        self.tally
    }

    async fn take(&mut self, batch: &[Submission]) {
        let (store, terms, now) = (self.store.clone(), self.terms.clone(), self.now);
        let taken = self.retrying(async || take_in(&*store, batch, now, &terms).await).await;
        for (one, taken) in batch.iter().zip(taken) {
            match taken {
                Taken::Stored(_) => *self.tally.stored.entry(one.key()).or_default() += 1,
                Taken::Known => self.tally.known += 1,
                Taken::Refused(refusal) => unreachable!("{one:?} is refused: {refusal}"),
            }
        }
    }

    /// At all meters, due or not, in an order in which they are not locked.
    async fn look(&mut self) {
        let (store, terms, now) = (self.store.clone(), self.terms.clone(), self.now);
        let keys: Vec<SubscriptionKey> = (0..BUYERS).rev().map(buyer).collect();
        self.retrying(async || look_at(&*store, &keys, now, MARGIN_MIN, &terms).await).await;
    }

    async fn send(&mut self) {
        let (store, now) = (self.store.clone(), self.now);
        let mut numbers: Vec<i64> = unsent(&*store, now).await.iter().map(|one| one.number).collect();
        numbers.reverse();
        let calls: Vec<Vec<i64>> = numbers.chunks(5).map(<[i64]>::to_vec).collect();
        let started = self.retrying(async || start(&*store, "lane-1", calls.clone(), now).await).await;
        let later = now.plus(Duration::from_secs(1));
        let results: Vec<_> = started.iter().map(|call| all_answered(call, &accepted(), later)).collect();
        self.retrying(async || finish(&*store, &results, later, false).await).await;
        for one in started.iter().flat_map(|call| &call.records) {
            *self.tally.sent.entry(one.number).or_default() += 1;
        }
    }

    /// Locks all subscriptions, then their meters; nothing comes of it.
    async fn rebind(&mut self) {
        let (store, terms, now) = (self.store.clone(), self.terms.clone(), self.now);
        let batch: Vec<_> =
            (0..BUYERS).map(|number| act(&buyer(number), bound_to(&tenant_of(number)))).collect();
        self.retrying(async || commit(&*store, &batch, now, &terms).await).await;
    }

    async fn retrying<T>(&mut self, work: impl AsyncFn() -> Result<T, StoreError>) -> T {
        for _ in 0..ATTEMPTS_MAX {
            match work().await {
                Ok(done) => return done,
                Err(StoreError::Conflict(_)) => self.tally.conflicts += 1,
                Err(error) => unreachable!("another error surfaces: {error:?}"),
            }
        }
        unreachable!("another was in the way {ATTEMPTS_MAX} times")
    }
}

/// Makes the usage, hour by hour, the same each time.
struct Traffic {
    random: Random,
    events: usize,
    /// Copies that come an hour late.
    late: Vec<Submission>,
}

impl Traffic {
    /// Each worker's batches of an hour: usage of that hour and of the two before, of which one is closing,
    /// and copies of what another worker gets.
    fn hour(&mut self, hours: u64) -> [Vec<Vec<Submission>>; WORKERS] {
        let mut batches = [const { Vec::new() }; WORKERS];
        for batch in 0..BATCHES * WORKERS {
            let mut events: Vec<Submission> = (0..BATCH).map(|_| self.event(hours)).collect();
            let copies: Vec<Submission> = events.iter().step_by(4).cloned().collect();
            batches[(batch + 1) % WORKERS].push(copies.clone());
            events.append(&mut self.late);
            self.late = copies;
            batches[batch % WORKERS].push(events);
        }
        batches
    }

    fn event(&mut self, hours: u64) -> Submission {
        let back = self.random.below(usize::try_from(hours.min(2)).expect("few") + 1) as u64;
        let at = minute((hours - back) * 60 + self.random.below(59) as u64);
        let of = tenant_of(self.random.below(BUYERS));
        self.events += 1;
        requests(&format!("event-{}", self.events), &of, 1, at)
    }
}
