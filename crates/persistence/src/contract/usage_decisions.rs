//! An operator decides on usage that came too late.

use stallkeeper_ledger::{Decision, DecisionError, EventKey, EventState};

use super::Fixture;
use super::samples::{customer, history, minute};
use super::usage_samples::{
    Metered, accepted, balance, hour, look_around, lost, requests, send, states, stored, subscribe,
};
use crate::usage::{DecideError, decide};
use crate::{Actor, Store};

/// A buyer with late usage of 7 requests beside 5 in a frozen record.
async fn with_late_usage(store: &dyn Store, terms: &Metered) -> EventKey {
    subscribe(store, terms, &customer("c-1"), "tenant-1").await;
    stored(store, terms, minute(11), requests("e-1", "tenant-1", 5, minute(10))).await;
    look_around(store, terms, minute(121)).await;
    let late = requests("e-2", "tenant-1", 7, minute(12));
    let state = stored(store, terms, minute(122), late.clone()).await;
    assert!(matches!(state, EventState::Held { .. }), "{state:?}");
    late.key()
}

fn mia() -> Actor {
    Actor::Operator("mia".to_owned())
}

pub async fn late_usage_is_carried_to_the_first_open_hour_and_billed(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    let late = with_late_usage(store, &terms).await;
    decide(store, &late, Decision::Carry, &mia(), minute(125), &terms).await.expect("carried");
    assert_eq!(states(store, &buyer).await, ["frozen", "open"]);
    assert_eq!(store.held_usage(None, 10).await.expect("readable"), []);
    assert_eq!(balance(store, &buyer).await, [12, 0, 12, 0]);
    look_around(store, &terms, minute(181)).await;
    let sent = send(store, accepted(), minute(182)).await;
    let stamps: Vec<_> = sent.records.iter().map(|one| (one.report.stamp, one.report.quantity)).collect();
    assert_eq!(stamps, [(hour(0).start(), 5), (hour(1).start(), 7)]);
    assert_eq!(balance(store, &buyer).await, [12, 12, 0, 0]);
}

pub async fn late_usage_is_written_off_and_listed(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    let late = with_late_usage(store, &terms).await;
    decide(store, &late, Decision::WriteOff, &mia(), minute(125), &terms).await.expect("written off");
    assert_eq!(lost(store, &buyer).await, [("written_off", 7)]);
    assert_eq!(store.held_usage(None, 10).await.expect("readable"), []);
    assert_eq!(balance(store, &buyer).await, [12, 0, 5, 7]);
    let lines = history(store, &buyer).await;
    let last = lines.last().expect("a line");
    assert_eq!(
        (last.entry.what.as_str(), &last.entry.actor, last.entry.at),
        ("usage-written-off", &mia(), minute(125))
    );
    assert!(last.entry.detail.contains("e-2"), "{last:?}");
}

pub async fn only_held_usage_is_decided_on_and_only_once(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    let late = with_late_usage(store, &terms).await;
    let decided =
        async |key: &EventKey, decision| decide(store, key, decision, &mia(), minute(125), &terms).await;
    decided(&late, Decision::Carry).await.expect("carried");
    let before = history(store, &buyer).await;
    let again = decided(&late, Decision::WriteOff).await;
    assert!(matches!(again, Err(DecideError::Decision(DecisionError::NotHeld))), "{again:?}");
    let unknown = EventKey { id: "e-9".parse().expect("an id"), ..late };
    let unknown = decided(&unknown, Decision::Carry).await;
    assert!(matches!(unknown, Err(DecideError::Unknown)), "{unknown:?}");
    assert_eq!(balance(store, &buyer).await, [12, 0, 12, 0]);
    assert_eq!(history(store, &buyer).await, before, "what was not decided leaves no line");
}
