//! What one worker does at a time, and what an operator holds.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Fixture;
use super::samples::minute;
use super::usage_samples::product;
use crate::usage::Lease;
use crate::{Actor, Store};

fn lease(name: &str, holder: &str, until: u64) -> Lease {
    Lease { name: name.to_owned(), holder: holder.to_owned(), until: minute(until) }
}

async fn take(store: &dyn Store, lease: Lease, now: u64) -> bool {
    store.take_lease(&lease, minute(now)).await.expect("stored")
}

pub async fn one_worker_has_a_lease_until_it_ends(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    assert!(take(store, lease("aws", "a", 10), 0).await);
    assert!(!take(store, lease("aws", "b", 19), 9).await);
    assert!(take(store, lease("alibaba", "b", 19), 9).await, "another lease");
    assert!(take(store, lease("aws", "a", 15), 9).await, "taken again by who has it");
    assert!(!take(store, lease("aws", "b", 20), 14).await);
    assert!(take(store, lease("aws", "b", 25), 15).await, "it ended");
    assert!(!take(store, lease("aws", "a", 30), 16).await);
}

pub async fn a_lease_is_given_back_by_who_has_it(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    assert!(take(store, lease("aws", "a", 10), 0).await);
    store.give_lease_back("aws", "b").await.expect("stored");
    assert!(!take(store, lease("aws", "b", 10), 1).await);
    store.give_lease_back("aws", "a").await.expect("stored");
    assert!(take(store, lease("aws", "b", 10), 1).await);
}

pub async fn workers_that_race_for_a_lease_get_it_once(fixture: &dyn Fixture) {
    let store = fixture.store();
    for round in 0..5 {
        let race = (0..4).map(|holder| {
            let (store, name): (Arc<dyn Store>, _) = (store.clone(), format!("lease-{round}"));
            async move { take(&*store, lease(&name, &format!("holder-{holder}"), 10), 0).await }
        });
        let taken = race.collect::<JoinSet<bool>>().join_all().await;
        assert_eq!(taken.into_iter().filter(|is_taken| *is_taken).count(), 1);
    }
}

pub async fn a_products_metering_is_held_once_and_released_once(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let mia = Actor::Operator("mia".to_owned());
    assert!(store.hold_metering(&product(), &mia, minute(1)).await.expect("stored"));
    assert!(!store.hold_metering(&product(), &Actor::Worker, minute(2)).await.expect("stored"));
    let other = "other".parse().expect("a key");
    assert!(store.hold_metering(&other, &Actor::Worker, minute(3)).await.expect("stored"));
    let held = [(product(), mia, minute(1)), (other.clone(), Actor::Worker, minute(3))];
    assert_eq!(store.metering_holds().await.expect("readable"), held);
    assert!(store.release_metering(&product()).await.expect("stored"));
    assert!(!store.release_metering(&product()).await.expect("stored"));
    assert_eq!(store.metering_holds().await.expect("readable"), held[1..]);
}
