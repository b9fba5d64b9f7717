//! Keeping the database well.

use super::Fixture;
use super::samples::{customer, inbox_key, key, marketplace, minute, success, take, told};
use crate::Incoming;

fn received_at(minutes: u64, incoming: Incoming) -> Incoming {
    Incoming { received_at: minute(minutes), ..incoming }
}

pub async fn the_database_answers(fixture: &dyn Fixture) {
    fixture.store().ping().await.expect("it answers");
}

pub async fn pruning_takes_what_is_older_than_the_horizon_and_at_most_the_limit(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let aws = marketplace("aws");
    let batch: Vec<Incoming> = (0..10)
        .map(|number| {
            let id = format!("n-{number}");
            received_at(number, told(&id, &customer(&id), minute(0), success()))
        })
        .collect();
    take(store, minute(20), &batch).await;
    let kept = async || {
        let mut kept = Vec::new();
        for number in 0..10 {
            if fixture.inbox_body(&inbox_key(&aws, &format!("n-{number}"))).await.is_some() {
                kept.push(number);
            }
        }
        kept
    };
    assert_eq!(store.prune_inbox(minute(0), 100).await.expect("pruned"), 0, "the horizon itself is kept");
    assert_eq!(store.prune_inbox(minute(6), 4).await.expect("pruned"), 4);
    assert_eq!(kept().await, [4, 5, 6, 7, 8, 9], "the oldest go first");
    assert_eq!(store.prune_inbox(minute(6), 4).await.expect("pruned"), 2);
    assert_eq!(store.prune_inbox(minute(6), 4).await.expect("pruned"), 0);
    assert_eq!(kept().await, [6, 7, 8, 9]);
}

pub async fn the_newest_receipt_is_known_for_each_marketplace(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let newest = async |name: &str| store.last_received_at(&marketplace(name)).await.expect("readable");
    assert_eq!(newest("aws").await, None);
    let batch = [
        received_at(7, told("n-1", &customer("a"), minute(0), success())),
        received_at(3, told("n-2", &customer("b"), minute(0), success())),
        received_at(5, told("n-3", &key("aws-china/prod-1/customer/a"), minute(0), success())),
    ];
    take(store, minute(8), &batch).await;
    assert_eq!((newest("aws").await, newest("aws-china").await), (Some(minute(7)), Some(minute(5))));
    assert_eq!(newest("alibaba").await, None);
}
