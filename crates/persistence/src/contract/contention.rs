//! Three committers at the same hot subscriptions: each fact counts once, whoever is in the way.
//!
//! Facts come in windows: within a window every order is possible, across all subscriptions and committers,
//! and the next window begins when all three are done with the last.
//! Facts would not count, by design, if they came later than those that a tombstone has swallowed (over 15 days or
//! 256 facts of one subscription later), so a window has fewer of both; duplicates may come a window later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use stallkeeper_lifecycle::{
    Binding, EventId, Fact, FactKind, Folded, Snapshots, SubscriptionKey, Terms, Timestamp, View, step, view,
};
use tokio::task::JoinSet;

use super::samples::{
    PayAsYouGo, act, bound_to, customer, gone, history, minute, notification, pending, received, record,
    success, take,
};
use crate::{Content, Incoming, Outcome, Settled, Store, commit_each};

/// How many facts are told; a third of them twice.
pub const FACTS: usize = 100_000;

const COMMITTERS: usize = 3;
/// Subscriptions that are there from the start, and as many that come up window by window.
const OLD_KEYS: usize = 25;
const NEW_KEYS: usize = 25;
/// How many facts of one subscription a window has, and how long it lasts: well inside what is kept one by one.
const WINDOW_FACTS: usize = 24;
const WINDOW: Duration = Duration::from_hours(14 * 24);
const BATCH_MIN: usize = 20;
const SEED: u64 = 0x5eed_0002;

/// What happened on the way.
#[derive(Debug, Default)]
pub struct Report {
    /// How many batches were committed.
    pub batches: usize,
    /// How many of them had more than 50 items.
    pub batches_over_50: usize,
    /// How many copies were recognised.
    pub duplicates: usize,
    /// How often a transaction was tried again because another was in the way.
    pub conflicts: u64,
}

/// Lets three committers contend, checks what is stored, and tells what happened on the way.
pub async fn contend(stores: [Arc<dyn Store>; COMMITTERS]) -> Report {
    let mut traffic = Traffic::new();
    let mut report = Report::default();
    let mut applied: BTreeSet<EventId> = BTreeSet::new();
    let old: Vec<Incoming> =
        (0..OLD_KEYS).map(|number| act(&hot_key(number), bound_to("tenant-1"))).collect();
    take(&*stores[0], minute(0), &old).await;
    while let Some(window) = traffic.next_window() {
        let mut committers = JoinSet::new();
        for (store, batches) in stores.iter().zip(window.batches) {
            committers.spawn(commit_all(store.clone(), batches, window.now));
        }
        for (batch, conflicts, results) in committers.join_all().await.into_iter().flatten() {
            report.batches += 1;
            report.batches_over_50 += usize::from(batch.len() > 50);
            report.conflicts += conflicts;
            for (id, outcome) in batch.into_iter().zip(results) {
                match outcome {
                    Outcome::Settled(Settled::Applied) => assert!(applied.insert(id), "applied twice"),
                    Outcome::Duplicate(Settled::Applied) => report.duplicates += 1,
                    other => panic_over(&id, other),
                }
            }
        }
    }
    assert_eq!(
        (applied.len(), report.duplicates),
        (FACTS, traffic.copies),
        "each applied once, each copy known"
    );
    check(&*stores[0], &traffic).await;
    report
}

fn panic_over(id: &EventId, outcome: Outcome) -> ! {
    unreachable!("{id} was neither applied nor known: {outcome:?}")
}

/// Commits one committer's batches one after the other; no error may surface.
async fn commit_all(
    store: Arc<dyn Store>,
    batches: Vec<Vec<Incoming>>,
    now: Timestamp,
) -> Vec<(Vec<EventId>, u64, Vec<Outcome>)> {
    let mut committed = Vec::new();
    for batch in batches {
        let isolated = commit_each(&*store, &batch, now, &PayAsYouGo).await;
        let outcomes =
            isolated.results.into_iter().map(|result| result.expect("no error surfaces")).collect();
        committed.push((batch.iter().map(id_of).collect(), isolated.conflicts, outcomes));
    }
    committed
}

fn id_of(incoming: &Incoming) -> EventId {
    match &incoming.content {
        Content::Received(received) => received.inbox.id.clone(),
        Content::Refused(_) | Content::Act(_) => unreachable!("facts only"),
    }
}

async fn check(store: &dyn Store, traffic: &Traffic) {
    assert_eq!(traffic.told.len(), OLD_KEYS + NEW_KEYS);
    for (key, told) in &traffic.told {
        let record = record(store, key).await;
        let binding = record.subscription.binding.as_ref();
        assert_eq!(
            binding.is_some(),
            (0..OLD_KEYS).any(|number| hot_key(number) == *key),
            "{key}: its binding"
        );
        assert_eq!(record.subscription.announced, Some(oracle(&told.facts, binding, told.now)), "{key}");
        let lines = history(store, key).await;
        let applied: BTreeSet<_> = lines
            .iter()
            .filter(|line| line.entry.outcome == Settled::Applied.as_str())
            .filter_map(|line| line.entry.event.clone())
            .collect();
        assert_eq!(applied.len(), told.facts.len(), "{key}: each fact has a line");
        let bindings = usize::from(binding.is_some());
        assert_eq!(lines.len(), told.facts.len() + bindings, "{key}: and no more than one");
    }
    assert_eq!(inbox_rows(store).await, FACTS as u64);
}

/// All facts, sorted, one on top of the other: no log, no tombstone, no batches.
fn oracle(facts: &[Fact], binding: Option<&Binding>, now: Timestamp) -> View {
    let mut sorted = facts.to_vec();
    sorted.sort();
    let folded = sorted.iter().fold(Folded::default(), |folded, fact| step(folded, fact).0);
    view(&folded, binding, &Snapshots::default(), now, Terms::default())
}

/// Counts the inbox by emptying it.
async fn inbox_rows(store: &dyn Store) -> u64 {
    let mut rows = 0;
    loop {
        let pruned = store.prune_inbox(minute(1), 20_000).await.expect("pruned");
        if pruned == 0 {
            return rows;
        }
        rows += pruned;
    }
}

fn hot_key(number: usize) -> SubscriptionKey {
    // Old and new ones alternate in the order of keys.
    if number < OLD_KEYS {
        customer(&format!("hot-{number:02}-old"))
    } else {
        customer(&format!("hot-{:02}-new", number - OLD_KEYS))
    }
}

/// What was told of one subscription so far, and when last.
struct Told {
    facts: Vec<Fact>,
    now: Timestamp,
}

struct Window {
    now: Timestamp,
    batches: [Vec<Vec<Incoming>>; COMMITTERS],
}

/// Makes the facts, window by window, the same ones each time.
struct Traffic {
    random: Random,
    windows: usize,
    facts: usize,
    copies: usize,
    told: BTreeMap<SubscriptionKey, Told>,
    /// Copies that come a window late, by committer.
    late: [Vec<Incoming>; COMMITTERS],
}

impl Traffic {
    fn new() -> Self {
        let late = [const { Vec::new() }; COMMITTERS];
        Self { random: Random::new(SEED), windows: 0, facts: 0, copies: 0, told: BTreeMap::new(), late }
    }

    fn next_window(&mut self) -> Option<Window> {
        let mut lots = std::mem::replace(&mut self.late, [const { Vec::new() }; COMMITTERS]);
        if self.facts == FACTS && lots.iter().all(Vec::is_empty) {
            return None;
        }
        let began = minute(0).plus(WINDOW.saturating_mul(u32::try_from(self.windows).expect("few windows")));
        let now = began.plus(WINDOW);
        let keys = (OLD_KEYS + self.windows + 1).min(OLD_KEYS + NEW_KEYS);
        for number in (0..keys * WINDOW_FACTS).take(FACTS - self.facts) {
            let incoming = self.fact(&hot_key(number % keys), began, now);
            let committer = self.random.below(COMMITTERS);
            if self.random.below(3) == 0 {
                self.copies += 1;
                let other = (committer + 1 + self.random.below(COMMITTERS - 1)) % COMMITTERS;
                let into = if self.random.below(2) == 0 { &mut lots } else { &mut self.late };
                into[other].push(incoming.clone());
            }
            lots[committer].push(incoming);
        }
        self.windows += 1;
        Some(Window { now, batches: lots.map(|lot| self.batches(lot)) })
    }

    fn fact(&mut self, key: &SubscriptionKey, began: Timestamp, now: Timestamp) -> Incoming {
        let kind = match self.random.below(8) {
            0..3 => success(),
            3 | 4 => pending(),
            5 => gone(),
            6 => FactKind::SubscribeFail,
            _ => FactKind::EntitlementUpdated,
        };
        // Whole minutes, so that some facts share one and their ranks decide.
        let minutes = self.random.below(14 * 24 * 60);
        let at = began.plus(Duration::from_mins(minutes as u64));
        let notification = notification(&format!("fact-{}", self.facts), key, at, kind);
        self.facts += 1;
        let told = self.told.entry(key.clone()).or_insert(Told { facts: Vec::new(), now });
        told.facts.push(notification.fact.clone());
        told.now = now;
        received(notification)
    }

    /// Shuffles one committer's lot and cuts it into batches of 20 to 256.
    fn batches(&mut self, mut lot: Vec<Incoming>) -> Vec<Vec<Incoming>> {
        for last in (1..lot.len()).rev() {
            lot.swap(last, self.random.below(last + 1));
        }
        let mut batches = Vec::new();
        while !lot.is_empty() {
            let size = BATCH_MIN + self.random.below(crate::BATCH_MAX - BATCH_MIN + 1);
            batches.push(lot.split_off(lot.len().saturating_sub(size)));
        }
        batches
    }
}

/// `SplitMix64`: small, seeded, the same everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % bound as u64).expect("below a usize")
    }
}
