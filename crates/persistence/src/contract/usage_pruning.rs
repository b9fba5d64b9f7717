//! What is old is removed, but for what is not decided yet.

use super::Fixture;
use super::samples::{act, bound_to, customer, day, minute};
use super::usage_samples::{
    Metered, accepted, every_hour, look_around, losses, records, requests, send, states, stored, subscribe,
    take_metered,
};
use crate::{Page, Store};

async fn prune(store: &dyn Store, days: u64, limit: u32) -> u64 {
    store.prune_usage(day(days), limit).await.expect("pruned")
}

pub async fn what_is_older_than_the_horizon_is_removed_at_most_the_limit_at_once(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    for number in 0..3 {
        let event = requests(&format!("e-{number}"), "tenant-1", 1, minute(number * 60 + 10));
        stored(store, &terms, minute(131), event).await;
    }
    look_around(store, &terms, minute(181)).await;
    let sent = send(store, accepted(), minute(182)).await;
    look_around(store, &terms, minute(241)).await;
    look_around(store, &terms, day(3)).await;
    assert_eq!(losses(store, &buyer).await.len(), 1);
    assert_eq!(prune(store, 0, 100).await, 0, "nothing is that old");
    // Of each kind at most so many: two events, two records, one attempt. The loss is of the third day.
    assert_eq!(prune(store, 2, 2).await, 5);
    assert_eq!(store.attempts(&[sent.attempt]).await.expect("readable"), []);
    assert_eq!(states(store, &buyer).await, ["expired"]);
    assert_eq!(prune(store, 2, 2).await, 1, "the third event; its record ended on the third day");
    assert_eq!(losses(store, &buyer).await.len(), 1);
    assert_eq!(prune(store, 4, 2).await, 2, "that record and its loss");
    assert_eq!(records(store, &buyer).await, []);
    assert_eq!(losses(store, &buyer).await, []);
    assert_eq!(prune(store, 4, 2).await, 0);
}

pub async fn what_is_held_open_or_frozen_stays_whatever_its_age(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let [waiting, buyer] = ["c-1", "c-2"].map(customer);
    take_metered(store, &terms, minute(0), &[act(&waiting, bound_to("tenant-1"))]).await;
    stored(store, &terms, minute(11), requests("held", "tenant-1", 1, minute(10))).await;
    subscribe(store, &terms, &buyer, "tenant-2").await;
    stored(store, &terms, minute(71), requests("frozen", "tenant-2", 1, minute(10))).await;
    stored(store, &terms, minute(71), requests("open", "tenant-2", 1, minute(70))).await;
    look_around(store, &terms, minute(121)).await;
    assert_eq!(prune(store, 400, 100).await, 2, "the two counted events");
    assert_eq!(states(store, &buyer).await, ["frozen", "open"]);
    assert_eq!(store.held_usage(None, 10).await.expect("readable").len(), 1);
    let page = Page::first(10);
    assert_eq!(store.usage_events(&every_hour(&buyer), &page).await.expect("readable"), []);
    assert_eq!(prune(store, 400, 1).await, 0, "what stays does not hold up what comes behind it");
}

pub async fn what_stays_holds_nothing_up_that_comes_behind_it(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let [waiting, buyer] = ["c-1", "c-2"].map(customer);
    take_metered(store, &terms, minute(0), &[act(&waiting, bound_to("tenant-1"))]).await;
    stored(store, &terms, minute(11), requests("held", "tenant-1", 1, minute(10))).await;
    subscribe(store, &terms, &buyer, "tenant-2").await;
    stored(store, &terms, minute(71), requests("counted", "tenant-2", 1, minute(10))).await;
    assert_eq!(prune(store, 400, 1).await, 1);
    assert_eq!(store.held_usage(None, 10).await.expect("readable").len(), 1);
}
