//! What people see of the ledger, page by page.

use std::collections::BTreeMap;

use stallkeeper_ledger::SubUnits;
use stallkeeper_lifecycle::SubscriptionKey;

use super::Fixture;
use super::samples::{customer, minute};
use super::usage_samples::{
    Metered, accepted, api, every_hour, hour, look_around, parts, report, requests, send, stored, subscribe,
    usage,
};
use crate::usage::{LedgerHealth, RecordFilter};
use crate::{PAGE_MAX, Page, Store};

/// A buyer with usage of two dimensions in each of three hours, the newest reported first.
async fn busy(store: &dyn Store, terms: &Metered, id: &str) -> SubscriptionKey {
    let (buyer, of) = (customer(id), format!("tenant-{id}"));
    subscribe(store, terms, &buyer, &of).await;
    let batch: Vec<_> = (0..3)
        .rev()
        .flat_map(|hours| {
            let at = minute(hours * 60 + 10);
            [
                requests(&format!("r-{hours}"), &of, hours + 1, at),
                usage(&format!("s-{hours}"), &of, "seats", "3", at),
            ]
        })
        .collect();
    for one in batch {
        stored(store, terms, minute(131), one).await;
    }
    buyer
}

pub async fn records_are_listed_by_hours_and_paged_without_gap_or_repeat(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = busy(store, &terms, "c-1").await;
    busy(store, &terms, "c-2").await;
    let all = store.usage_records(&every_hour(&buyer), &Page::first(PAGE_MAX)).await.expect("readable");
    let hours: Vec<_> = all.iter().map(|line| line.record.key.hour).collect();
    assert_eq!(hours, [hour(0), hour(0), hour(1), hour(1), hour(2), hour(2)]);
    assert!(all.iter().all(|line| line.record.key.subscription == buyer));
    for limit in [1, 2, 3, 4] {
        let mut read = Vec::new();
        let mut after = None;
        loop {
            let page = Page { after, limit };
            let part = store.usage_records(&every_hour(&buyer), &page).await.expect("readable");
            let Some(last) = part.last() else { break };
            after = Some((last.record.key.hour.number(), last.number));
            read.extend(part);
        }
        assert_eq!(read, all, "in pages of {limit}");
    }
    let filter = RecordFilter { subscription: buyer, from: hour(1), to: hour(2) };
    let some = store.usage_records(&filter, &Page::first(10)).await.expect("readable");
    assert_eq!(some, all[2..4]);
}

pub async fn events_are_listed_by_hours_in_the_order_of_storing(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = busy(store, &terms, "c-1").await;
    busy(store, &terms, "c-2").await;
    let ids = async |from: u64, to: u64, after: Option<i64>, limit: u32| -> (Vec<String>, Option<i64>) {
        let filter = RecordFilter { subscription: buyer.clone(), from: hour(from), to: hour(to) };
        let lines = store.usage_events(&filter, &Page { after, limit }).await.expect("readable");
        let last = lines.last().map(|line| line.number);
        (lines.iter().map(|line| line.event.key.id.to_string()).collect(), last)
    };
    let (all, _) = ids(0, 3, None, 10).await;
    assert_eq!(all, ["r-2", "s-2", "r-1", "s-1", "r-0", "s-0"]);
    assert_eq!(ids(1, 3, None, 10).await.0, all[..4]);
    let (first, last) = ids(0, 3, None, 4).await;
    assert_eq!(first, all[..4]);
    let (rest, last) = ids(0, 3, last, 4).await;
    assert_eq!(rest, all[4..]);
    assert_eq!(ids(0, 3, last, 4).await.0, [""; 0]);
}

pub async fn held_usage_is_listed_in_the_order_in_which_it_runs_out(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let [first, second] = ["c-1", "c-2"].map(customer);
    subscribe(store, &terms, &first, "tenant-1").await;
    subscribe(store, &terms, &second, "tenant-2").await;
    look_around(store, &terms, minute(0)).await;
    for (buyer, of) in [("1", "tenant-1"), ("2", "tenant-2")] {
        stored(store, &terms, minute(130), requests(&format!("open-{buyer}"), of, 1, minute(10))).await;
        stored(store, &terms, minute(130), requests(&format!("next-{buyer}"), of, 1, minute(70))).await;
    }
    look_around(store, &terms, minute(181)).await;
    for (id, of, at) in [("e-1", "tenant-1", 70), ("e-2", "tenant-2", 10), ("e-3", "tenant-1", 10)] {
        stored(store, &terms, minute(182), requests(id, of, 1, minute(at))).await;
    }
    let ids = async |of: Option<&SubscriptionKey>, limit| -> Vec<String> {
        let lines = store.held_usage(of, limit).await.expect("readable");
        lines.iter().map(|line| line.event.key.id.to_string()).collect()
    };
    assert_eq!(ids(None, 10).await, ["e-2", "e-3", "e-1"]);
    assert_eq!(ids(None, 1).await, ["e-2"]);
    assert_eq!(ids(Some(&first), 10).await, ["e-3", "e-1"]);
}

pub async fn losses_are_listed_for_one_subscription_or_all_and_paged(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let first = busy(store, &terms, "c-1").await;
    let second = busy(store, &terms, "c-2").await;
    look_around(store, &terms, minute(241)).await;
    look_around(store, &terms, minute(3 * 24 * 60)).await;
    let of = async |key: Option<&SubscriptionKey>, after, limit| {
        store.losses(key, &Page { after, limit }).await.expect("readable")
    };
    let all = of(None, None, 100).await;
    assert_eq!(all.len(), 12);
    assert!(all.is_sorted_by_key(|line| line.number));
    let of_first = of(Some(&first), None, 100).await;
    assert_eq!(of_first.len(), 6);
    assert!(of_first.iter().all(|line| line.loss.subscription == first && line.recovered_at.is_none()));
    assert_eq!(of(Some(&second), None, 100).await.len(), 6);
    assert_eq!(of(None, None, 5).await, all[..5]);
    assert_eq!(of(None, Some(all[4].number), 100).await, all[5..]);
    assert_eq!(of(Some(&first), Some(of_first[2].number), 2).await, of_first[3..5]);
}

pub async fn sums_tell_recorded_billed_and_lost_by_dimension(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = busy(store, &terms, "c-1").await;
    look_around(store, &terms, minute(181)).await;
    send(store, accepted(), minute(182)).await;
    // The last hour is never sent.
    look_around(store, &terms, minute(241)).await;
    look_around(store, &terms, minute(3 * 24 * 60)).await;
    let sums = store.usage_sums(&buyer).await.expect("readable");
    let sums: BTreeMap<_, _> = sums
        .into_iter()
        .map(|sum| (sum.dimension, [sum.recorded, sum.billed, sum.lost].map(SubUnits::parts)))
        .collect();
    assert_eq!(sums, [(api("requests"), [6, 3, 3]), (api("seats"), [9, 6, 3])].into());
    assert_eq!(store.usage_sums(&customer("nobody")).await.expect("readable"), []);
}

pub async fn an_idle_ledger_has_nothing_to_tell(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    assert_eq!(store.ledger_health().await.expect("readable"), LedgerHealth::default());
    assert_eq!(store.next_look_at().await.expect("readable"), None);
    assert_eq!(store.attempts(&[]).await.expect("readable"), []);
    assert_eq!(store.meter(&customer("c-1")).await.expect("readable"), None);
}

pub async fn what_waits_to_be_sent_is_counted_and_the_most_urgent_known(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    busy(store, &terms, "c-1").await;
    look_around(store, &terms, minute(181)).await;
    let health = store.ledger_health().await.expect("readable");
    assert_eq!((health.unsent, health.oldest_unsent), (4, Some(hour(0))));
    assert_eq!(health.most_urgent, Some((minute(181), minute(24 * 60))));
}

pub async fn quantities_are_summed_up_to_what_can_be_counted(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    let most: u64 = 1_000_000_000_000_000;
    let batch: Vec<_> =
        (0..100).map(|number| requests(&format!("e-{number}"), "tenant-1", most, minute(10))).collect();
    report(store, &terms, minute(11), &batch).await;
    let sums = store.usage_sums(&buyer).await.expect("readable");
    assert_eq!(sums[0].recorded, parts(100_000_000_000_000_000));
}
