//! Whatever the order, the repetitions and the clock: what is seen is what the oracle makes of the same facts.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod oracle;
mod pools;

use std::collections::HashMap;
use std::time::Duration;

use oracle::{Known, Seen, look};
use pools::{Feed, facts_of, minute};
use proptest::prelude::*;
use stallkeeper_lifecycle::{
    Announced, Announcement, Binding, Change, Decision, Effect, Entitlement, FACTS_MAX, Fact, FactKind, KEPT,
    Pricing, Snapshot, StepOutcome, Subscription, Terms, Timestamp, Word, decide,
};

const FEEDS: [Feed; 4] = [Feed::Sns, Feed::EventBridge, Feed::Spi, Feed::Codes];
const PRICINGS: [Pricing; 3] = [Pricing::Subscription, Pricing::Contract, Pricing::ContractWithConsumption];
/// Readings of a clock that jumps to and fro, by years too.
const READINGS: [i64; 6] = [0, 20_000, 89, 90, -5_000, 5_000_000];

fn terms(pricing: Pricing) -> Terms {
    Terms { pricing, ..Terms::default() }
}

fn binding() -> Binding {
    Binding { tenant: "tenant-1".parse().unwrap(), user: None }
}

fn look_at(subscription: &Subscription, now: Timestamp, pricing: Pricing) -> Seen {
    Seen::of(&subscription.view(now, terms(pricing)))
}

/// Every sequence of up to six different facts of a pool, as a tree of which each node is a prefix.
struct Walk<'a> {
    pool: &'a [Fact],
    known: Known<'static>,
    expected: HashMap<(u32, usize), Seen>,
    nodes: usize,
}

impl<'a> Walk<'a> {
    fn all(pool: &'a [Fact], depth: usize) -> usize {
        let known = Known { bound: true, pricing: Pricing::Subscription, answers: &[] };
        let mut walk = Self { pool, known, expected: HashMap::new(), nodes: 0 };
        let mut subscription = Subscription::default();
        decide(&mut subscription, [Change::Bind(binding())], minute(0), Terms::default());
        walk.onward(&subscription, 0, depth);
        walk.nodes
    }

    fn onward(&mut self, subscription: &Subscription, taken: u32, depth: usize) {
        for (index, fact) in self.pool.iter().enumerate().filter(|(index, _)| taken & (1 << index) == 0) {
            let now_taken = taken | (1 << index);
            let mut next = subscription.clone();
            self.arrives(&mut next, fact, now_taken);
            self.compare(&next, now_taken);
            if depth > 1 {
                self.onward(&next, now_taken, depth - 1);
            }
        }
    }

    /// The fact arrives, and at another reading of the clock one of those that did, once more.
    fn arrives(&mut self, subscription: &mut Subscription, fact: &Fact, taken: u32) {
        self.nodes += 1;
        let reading = |turn: usize| minute(READINGS[turn % READINGS.len()]);
        decide(subscription, [Change::Fact(fact.clone())], reading(self.nodes), Terms::default());
        let known: Vec<&Fact> =
            (0..self.pool.len()).filter(|i| taken & (1 << i) != 0).map(|i| &self.pool[i]).collect();
        let again = known[self.nodes % known.len()].clone();
        let changes = [Change::Wake, Change::Fact(again)];
        let decision = decide(subscription, changes, reading(self.nodes / 5), Terms::default());
        assert!(
            decision.steps.iter().all(|step| step.outcome == StepOutcome::Unchanged),
            "a duplicate changes nothing"
        );
    }

    fn compare(&mut self, subscription: &Subscription, taken: u32) {
        let reading = self.nodes / 3 % READINGS.len();
        let now = minute(READINGS[reading]);
        let facts =
            || (0..self.pool.len()).filter(|index| taken & (1 << index) != 0).map(|index| &self.pool[index]);
        let expected =
            self.expected.entry((taken, reading)).or_insert_with(|| look(facts(), &self.known, now));
        let seen = look_at(subscription, now, Pricing::Subscription);
        assert!(
            seen == *expected,
            "{seen:#?}\nis not the oracle's\n{expected:#?}\nof {:#?}",
            facts().collect::<Vec<_>>()
        );
    }
}

#[test]
fn every_order_of_up_to_six_sns_facts_ends_as_the_oracle_says() {
    assert_eq!(Walk::all(&pools::sns(), 6), 8_659);
}

#[test]
fn every_order_of_up_to_six_eventbridge_facts_ends_as_the_oracle_says() {
    assert_eq!(Walk::all(&pools::eventbridge(), 6), 8_659);
}

#[test]
fn every_order_of_up_to_six_spi_facts_ends_as_the_oracle_says() {
    assert_eq!(Walk::all(&pools::spi(), 6), 8_659);
}

#[test]
fn every_order_of_up_to_six_licence_code_facts_ends_as_the_oracle_says() {
    assert_eq!(Walk::all(&pools::codes(), 6), 8_659);
}

/// One thing that happens, and what the clock reads then.
#[derive(Clone, Debug)]
struct Event {
    change: Change,
    now: Timestamp,
}

fn snapshot(asked_at: i64, granting: bool) -> Snapshot {
    let seats = Entitlement { dimension: "seats".to_owned(), value: "5".to_owned(), expires_at: None };
    Snapshot { asked_at: minute(asked_at), entitlements: granting.then_some(seats).into_iter().collect() }
}

fn any_change(facts: Vec<Fact>) -> impl Strategy<Value = Change> {
    prop_oneof![
        8 => proptest::sample::select(facts).prop_map(Change::Fact),
        1 => Just(Change::Bind(binding())),
        1 => Just(Change::Unbind),
        1 => Just(Change::Wake),
        2 => (0..40_i64, any::<bool>()).prop_map(|(tens, granting)| Change::Snapshot(snapshot(tens * 10, granting))),
    ]
}

/// Up to forty facts of one feed, repeated and mixed with all else that can happen, the clock reading anything.
fn any_story() -> impl Strategy<Value = (Pricing, Vec<Event>)> {
    let facts = proptest::sample::select(FEEDS.to_vec()).prop_flat_map(|feed| facts_of(feed, 1..=40));
    let events = facts.prop_flat_map(|facts| {
        let event = (any_change(facts), -5_000..20_000_i64);
        proptest::collection::vec(event.prop_map(|(change, now)| Event { change, now: minute(now) }), 1..60)
    });
    (proptest::sample::select(PRICINGS.to_vec()), events)
}

/// What the oracle needs to be told of the events so far.
#[derive(Default)]
struct Heard {
    facts: Vec<Fact>,
    answers: Vec<(Timestamp, bool)>,
    bound: bool,
}

impl Heard {
    fn hear(&mut self, change: &Change) {
        match change {
            Change::Fact(fact) => self.facts.push(fact.clone()),
            Change::Register(_) | Change::Bind(_) => self.bound = true,
            Change::Unbind => self.bound = false,
            Change::Snapshot(answer) => self.answers.push((answer.asked_at, !answer.entitlements.is_empty())),
            Change::Received(_) | Change::Wake => {}
        }
    }

    fn look(&self, pricing: Pricing, now: Timestamp) -> Seen {
        look(&self.facts, &Known { bound: self.bound, pricing, answers: &self.answers }, now)
    }
}

fn announcements(decisions: &[Decision]) -> Vec<&Announcement> {
    let effects = decisions.iter().flat_map(|decision| &decision.effects);
    effects
        .filter_map(|effect| match effect {
            Effect::Announce(announcement) => Some(announcement.as_ref()),
            _ => None,
        })
        .collect()
}

/// Whether the name of an announcement may follow on what was announced before.
fn may_follow(before: Option<&Announcement>, after: &Announcement) -> bool {
    let word_before = before.map_or(Word::Unknown, |before| before.view.word);
    match (after.event, after.view.word) {
        (Announced::Changed, word) => word == word_before || word == Word::Unknown,
        (Announced::Resumed, Word::Active) => matches!(word_before, Word::Suspended | Word::Ending),
        (Announced::Activated, Word::Active) => !matches!(word_before, Word::Suspended | Word::Ending),
        (Announced::Registered, Word::Registered)
        | (Announced::Unclaimed, Word::Unclaimed)
        | (Announced::Failed, Word::Failed)
        | (Announced::Suspended, Word::Suspended)
        | (Announced::Ending, Word::Ending)
        | (Announced::Ended, Word::Ended) => true,
        _ => false,
    }
}

/// Tells the events one by one; `together` says which are decided in one batch with the next.
fn told(pricing: Pricing, events: &[Event], together: &[bool]) -> (Subscription, Vec<Decision>) {
    let mut subscription = Subscription::default();
    let mut decisions = Vec::new();
    let mut batch = Vec::new();
    for (index, event) in events.iter().enumerate() {
        batch.push(event.change.clone());
        if index + 1 == events.len() || !together.get(index).copied().unwrap_or(false) {
            decisions.push(decide(&mut subscription, batch.drain(..), event.now, terms(pricing)));
        }
    }
    (subscription, decisions)
}

fn extreme_time() -> impl Strategy<Value = Timestamp> {
    let micros = prop_oneof![
        Just(i64::MIN),
        Just(i64::MIN + 1),
        Just(i64::MAX),
        Just(i64::MAX - 1),
        -2..2_i64,
        any::<i64>(),
    ];
    micros.prop_map(Timestamp::from_micros)
}

fn any_kind() -> impl Strategy<Value = FactKind> {
    proptest::sample::select(FEEDS.to_vec()).prop_flat_map(pools::kind_of)
}

fn extreme_event() -> impl Strategy<Value = Event> {
    let fact = (extreme_time(), "[a-c]", any_kind())
        .prop_map(|(time, id, kind)| Change::Fact(Fact::at_time(time, id.parse().unwrap(), kind)));
    let receipt = (any::<u64>(), extreme_time(), any_kind())
        .prop_map(|(sequence, at, kind)| Change::Fact(Fact::received(sequence, at, kind)));
    let answer = (extreme_time(), any::<bool>())
        .prop_map(|(asked_at, granting)| Change::Snapshot(Snapshot { asked_at, ..snapshot(0, granting) }));
    let change = prop_oneof![
        5 => fact,
        2 => receipt,
        2 => any_kind().prop_map(Change::Received),
        1 => answer,
        1 => Just(Change::Bind(binding())),
        1 => Just(Change::Wake),
    ];
    (change, extreme_time()).prop_map(|(change, now)| Event { change, now })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_every_prefix_the_view_is_the_oracles((pricing, events) in any_story(), then in -5_000..20_000_i64) {
        let mut subscription = Subscription::default();
        let mut heard = Heard::default();
        for event in &events {
            heard.hear(&event.change);
            decide(&mut subscription, [event.change.clone()], event.now, terms(pricing));
            for now in [event.now, minute(then)] {
                prop_assert_eq!(look_at(&subscription, now, pricing), heard.look(pricing, now));
            }
        }
    }

    #[test]
    fn the_announcements_count_up_and_the_last_one_is_the_view((pricing, events) in any_story()) {
        let (subscription, decisions) = told(pricing, &events, &[]);
        let announced = announcements(&decisions);
        for (index, after) in announced.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| announced[before]);
            prop_assert_eq!(after.sequence, index as u64 + 1);
            prop_assert!(may_follow(before, after), "{:?} after {:?}", after, before);
            prop_assert!(before.is_none_or(|before| before.view != after.view), "announced twice");
        }
        let last = events.last().unwrap().now;
        let view = subscription.view(last, terms(pricing));
        prop_assert!(announced.last().is_none_or(|announcement| announcement.view == view));
        prop_assert!(!announced.is_empty() || view.word == Word::Unknown);
    }

    #[test]
    fn batches_of_any_size_come_to_the_same(
        (pricing, mut events) in any_story(),
        together in proptest::collection::vec(any::<bool>(), 60),
    ) {
        let now = events.last().unwrap().now;
        for event in &mut events {
            event.now = now;
        }
        let (one_by_one, single) = told(pricing, &events, &[]);
        let (batched, batches) = told(pricing, &events, &together);
        prop_assert_eq!(one_by_one.view(now, terms(pricing)), batched.view(now, terms(pricing)));
        prop_assert_eq!(&one_by_one.log, &batched.log);
        prop_assert_eq!(&one_by_one.reported, &batched.reported);
        let last = |decisions: &[Decision]| announcements(decisions).last().map(|last| last.view.clone());
        let (single, batches) = (last(&single), last(&batches));
        // A batch in which nothing comes of it need not say that it began.
        prop_assert!(single == batches || single.is_some_and(|view| view.word == Word::Unknown));
    }

    #[test]
    fn facts_that_arrive_within_15_days_never_find_their_neighbours_collapsed(
        facts in proptest::sample::select(FEEDS.to_vec())
            .prop_flat_map(|feed| facts_of(feed, 1..=40)),
        scale in 1..200_i64,
        delays in proptest::collection::vec(0..=15 * 24 * 60_i64, 40),
    ) {
        // Receipts are their own time; the rest is spread over months and arrives up to 15 days late.
        let mut arrivals: Vec<(Timestamp, Fact)> = facts.into_iter().zip(delays).map(|(fact, delay)| match fact.position() {
            stallkeeper_lifecycle::Position::Marketplace { time, id, .. } => {
                let spread = minute(i64::try_from(time.since(minute(0)).as_secs()).unwrap() / 60 * scale);
                let late = spread.plus(Duration::from_mins(delay.unsigned_abs()));
                (late, Fact::at_time(spread, id.clone(), fact.kind().clone()))
            }
            stallkeeper_lifecycle::Position::Receipt { at, .. } => (*at, fact),
        }).collect();
        arrivals.sort_by_key(|(now, fact)| (*now, fact.position().clone()));
        let mut subscription = Subscription::default();
        let mut heard = Heard::default();
        for (now, fact) in arrivals {
            let change = Change::Fact(fact);
            heard.hear(&change);
            let decision = decide(&mut subscription, [change], now, Terms::default());
            prop_assert!(decision.steps.iter().all(|step| step.outcome != StepOutcome::TooOld));
            prop_assert_eq!(look_at(&subscription, now, Pricing::Subscription), heard.look(Pricing::Subscription, now));
            let newest = subscription.log.facts().iter().map(Fact::time).max().unwrap();
            prop_assert!(subscription.log.facts().iter().all(|fact| fact.time() >= newest.minus(KEPT)));
        }
    }

    #[test]
    fn what_is_stored_reads_back((pricing, events) in any_story()) {
        let (subscription, decisions) = told(pricing, &events, &[]);
        let text = serde_json::to_string(&subscription).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Subscription>(&text).unwrap(), &subscription);
        for effect in decisions.iter().flat_map(|decision| &decision.effects) {
            let text = serde_json::to_string(effect).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Effect>(&text).unwrap(), effect);
        }
    }

    #[test]
    fn no_time_and_no_mix_of_feeds_makes_it_panic(
        events in proptest::collection::vec(extreme_event(), 1..40),
        pricing in proptest::sample::select(PRICINGS.to_vec()),
        now in extreme_time(),
    ) {
        let (subscription, _) = told(pricing, &events, &[]);
        subscription.view(now, terms(pricing));
        let text = serde_json::to_string(&subscription).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Subscription>(&text).unwrap(), &subscription);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_order_of_any_six_facts_ends_as_the_oracle_says(
        facts in proptest::sample::select(FEEDS.to_vec()).prop_flat_map(|feed| facts_of(feed, 6..=6)),
    ) {
        prop_assert_eq!(Walk::all(&facts, 6), 1_956);
    }
}

#[test]
fn four_hundred_facts_in_their_order_keep_256_and_the_view() {
    let mut subscription = Subscription::default();
    let mut heard = Heard::default();
    let kinds = pools::sns();
    for index in 0..400_i64 {
        let kind = kinds[usize::try_from(index).unwrap() % kinds.len()].kind().clone();
        let change =
            Change::Fact(Fact::at_time(minute(index * 20), format!("m-{index}").parse().unwrap(), kind));
        heard.hear(&change);
        decide(&mut subscription, [change], minute(index * 20), Terms::default());
        assert!(subscription.log.facts().len() <= FACTS_MAX);
        let now = minute(index * 20 + 30);
        let seen = look_at(&subscription, now, Pricing::Subscription);
        assert!(seen == heard.look(Pricing::Subscription, now), "after {index} facts it reads {seen:?}");
    }
    assert!(subscription.log.base().is_some());
}
