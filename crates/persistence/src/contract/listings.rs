//! Finding subscriptions: every filter, in the order of bytes, page by page.

use std::collections::BTreeSet;

use stallkeeper_lifecycle::{Change, SubscriptionKey, Word};

use super::Fixture;
use super::samples::{act, bound_to, customer, key, marketplace, minute, pending, success, take, told};
use crate::{Incoming, Page, Store, SubscriptionFilter};

/// What one listing finds, read at once and in pages of every size.
async fn listed(store: &dyn Store, filter: &SubscriptionFilter) -> Vec<String> {
    let part = async |after: Option<SubscriptionKey>, limit: u32| -> Vec<SubscriptionKey> {
        let records = store.subscriptions(filter, &Page { after, limit }).await.expect("readable");
        records.into_iter().map(|record| record.key).collect()
    };
    let whole = part(None, 1_000).await;
    for limit in [1, 2, 3, 7] {
        let mut read: Vec<SubscriptionKey> = Vec::new();
        loop {
            let next = part(read.last().cloned(), limit).await;
            assert!(next.len() <= limit as usize);
            if next.is_empty() {
                break;
            }
            read.extend(next);
        }
        assert_eq!(read, whole, "{filter:?} in pages of {limit}");
    }
    assert_eq!(part(None, 0).await, []);
    whole.iter().map(ToString::to_string).collect()
}

fn listing(name: &str, product: &str) -> SubscriptionFilter {
    SubscriptionFilter::Listing(marketplace(name), product.parse().expect("a code"))
}

fn tenant(id: &str) -> SubscriptionFilter {
    SubscriptionFilter::Tenant(id.parse().expect("an id"))
}

/// One successful subscription for each key.
async fn subscribe(store: &dyn Store, keys: &[&str]) {
    let batch: Vec<Incoming> = keys
        .iter()
        .map(|text| told(&format!("success of {text}"), &key(text), minute(0), success()))
        .collect();
    take(store, minute(1), &batch).await;
}

pub async fn subscriptions_are_found_by_every_filter(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    subscribe(store, &["aws/p/customer/a", "aws/p/customer/b", "aws/q/customer/c", "alibaba/p/instance/d"])
        .await;
    let batch = [
        act(&key("aws/p/customer/a"), bound_to("tenant-1")),
        act(&key("alibaba/p/instance/d"), bound_to("tenant-1")),
        act(&key("aws/q/customer/c"), bound_to("tenant-2")),
        told("pending", &key("aws/q/customer/c"), minute(1), pending()),
    ];
    take(store, minute(2), &batch).await;
    let all = ["alibaba/p/instance/d", "aws/p/customer/a", "aws/p/customer/b", "aws/q/customer/c"];
    assert_eq!(listed(store, &SubscriptionFilter::All).await, all);
    assert_eq!(listed(store, &tenant("tenant-1")).await, [all[0], all[1]]);
    assert_eq!(listed(store, &tenant("tenant-2")).await, [all[3]]);
    assert_eq!(listed(store, &tenant("tenant-3")).await, [""; 0]);
    assert_eq!(listed(store, &listing("aws", "p")).await, [all[1], all[2]]);
    assert_eq!(listed(store, &listing("alibaba", "q")).await, [""; 0]);
    assert_eq!(listed(store, &SubscriptionFilter::Word(Word::Active)).await, [all[0], all[1]]);
    assert_eq!(listed(store, &SubscriptionFilter::Word(Word::Unclaimed)).await, [all[2]]);
    assert_eq!(listed(store, &SubscriptionFilter::Word(Word::Ending)).await, [all[3]]);
    assert_eq!(listed(store, &SubscriptionFilter::Word(Word::Failed)).await, [""; 0]);
}

pub async fn every_listing_is_paged_without_gap_or_repeat(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let keys: Vec<String> = (0..50).map(|number| format!("aws/prod-1/customer/buyer-{number:03}")).collect();
    subscribe(store, &keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let batch: Vec<Incoming> =
        keys.iter().step_by(2).map(|text| act(&key(text), bound_to("tenant-1"))).collect();
    take(store, minute(2), &batch).await;
    let half: Vec<String> = keys.iter().step_by(2).cloned().collect();
    assert_eq!(listed(store, &SubscriptionFilter::All).await, keys);
    assert_eq!(listed(store, &listing("aws", "prod-1")).await, keys);
    assert_eq!(listed(store, &tenant("tenant-1")).await, half);
    assert_eq!(listed(store, &SubscriptionFilter::Word(Word::Active)).await, half);
}

pub async fn keys_are_in_the_order_of_their_bytes(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let ids = [
        "Z", "a", "A", "é", "z", "B-1", "b", "a/b", "a.b", "a b", "a-b", "_", "日本", "ab", "Ab", "aB", "1",
        "10", "9",
    ];
    let mut keys: Vec<String> = ids.iter().map(|id| format!("aws/prod-1/customer/{id}")).collect();
    let others =
        ["aws-china/p/customer/a", "aws/P/customer/a", "aws/prod-1/license/a", "aws/prod-1-b/customer/a"];
    keys.extend(others.map(str::to_owned));
    subscribe(store, &keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
    keys.sort_unstable();
    assert_eq!(listed(store, &SubscriptionFilter::All).await, keys);
    assert_eq!(listed(store, &SubscriptionFilter::Word(Word::Unclaimed)).await, keys);
    let product: Vec<String> = keys.iter().filter(|key| key.starts_with("aws/prod-1/")).cloned().collect();
    assert_eq!(listed(store, &listing("aws", "prod-1")).await, product);
}

pub async fn a_listing_names_exactly_its_marketplace_and_product(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let keys = [
        "aws/p/customer/a",
        "aws/p-/customer/a",
        "aws/p0/customer/a",
        "aws/P/customer/a",
        "aws0/p/customer/a",
    ];
    subscribe(store, &keys).await;
    assert_eq!(listed(store, &listing("aws", "p")).await, ["aws/p/customer/a"]);
    for pattern in ["%", "_", "p%"] {
        assert_eq!(listed(store, &listing("aws", pattern)).await, [""; 0], "{pattern} is no wildcard");
    }
}

pub async fn a_subscription_moves_between_listings_as_it_changes(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    let text = buyer.to_string();
    take(store, minute(1), &[told("n-1", &buyer, minute(0), success()), act(&buyer, bound_to("one"))]).await;
    assert_eq!(listed(store, &tenant("one")).await, [text.as_str()]);
    take(store, minute(2), &[act(&buyer, bound_to("two"))]).await;
    assert_eq!(listed(store, &tenant("one")).await, [""; 0]);
    assert_eq!(listed(store, &tenant("two")).await, [text.as_str()]);
    take(store, minute(3), &[act(&buyer, Change::Unbind)]).await;
    assert_eq!(listed(store, &tenant("two")).await, [""; 0]);
    assert_eq!(listed(store, &SubscriptionFilter::Word(Word::Active)).await, [""; 0]);
    assert_eq!(listed(store, &SubscriptionFilter::Word(Word::Unclaimed)).await, [text.as_str()]);
}

pub async fn tenants_are_told_apart_by_case(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (one, other) = (customer("one"), customer("other"));
    take(store, minute(1), &[act(&one, bound_to("Tenant")), act(&other, bound_to("tenant"))]).await;
    assert_eq!(listed(store, &tenant("Tenant")).await, [one.to_string()]);
    assert_eq!(listed(store, &tenant("tenant")).await, [other.to_string()]);
    let both: BTreeSet<_> =
        listed(store, &SubscriptionFilter::Word(Word::Registered)).await.into_iter().collect();
    assert_eq!(both.len(), 2);
}

pub async fn an_unknown_subscription_is_none(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    subscribe(store, &["aws/prod-1/customer/Buyer"]).await;
    assert_eq!(store.subscription(&customer("nobody")).await.expect("readable"), None);
    assert_eq!(store.subscription(&customer("buyer")).await.expect("readable"), None, "case counts");
    assert_eq!(listed(store, &SubscriptionFilter::Word(Word::Unknown)).await, [""; 0]);
}
