//! What people see who look over all of it: the newest and the most urgent first.

use stallkeeper_lifecycle::{SubscriptionKey, Word};

use super::Fixture;
use super::samples::{act, bound_to, customer, history, key, license, minute, pending, success, take, told};
use super::usage_samples::{Metered, look_around, requests, stored, subscribe, take_metered};
use crate::{Incoming, Page, Store};

fn id(text: &str) -> String {
    text.replace('/', "-")
}

/// One successful subscription for each key.
async fn subscribed(store: &dyn Store, keys: &[SubscriptionKey]) {
    let batch: Vec<Incoming> =
        keys.iter().map(|key| told(&id(&format!("success of {key}")), key, minute(0), success())).collect();
    take(store, minute(1), &batch).await;
}

pub async fn every_word_is_counted_also_where_there_is_none(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let nothing: Vec<(Word, u64)> = Word::ALL.into_iter().map(|word| (word, 0)).collect();
    assert_eq!(store.word_counts().await.expect("readable"), nothing);
    let keys = ["a", "b", "c"].map(customer);
    subscribed(store, &keys).await;
    take(store, minute(2), &[act(&keys[0], bound_to("tenant-1"))]).await;
    let counts = store.word_counts().await.expect("readable");
    let found: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(found, [(Word::Unclaimed, 2), (Word::Active, 1)]);
}

/// What a beginning finds, read at once and in pages of every size.
async fn found(store: &dyn Store, prefix: &str) -> Vec<String> {
    let part = async |after: Option<SubscriptionKey>, limit: u32| -> Vec<SubscriptionKey> {
        let records = store.subscriptions_by_id(prefix, &Page { after, limit }).await.expect("readable");
        records.into_iter().map(|record| record.key).collect()
    };
    let whole = part(None, 1_000).await;
    for limit in [1, 2, 3] {
        let mut read: Vec<SubscriptionKey> = Vec::new();
        loop {
            let next = part(read.last().cloned(), limit).await;
            assert!(next.len() <= limit as usize);
            if next.is_empty() {
                break;
            }
            read.extend(next);
        }
        assert_eq!(read, whole, "{prefix:?} in pages of {limit}");
    }
    whole.iter().map(ToString::to_string).collect()
}

pub async fn subscriptions_are_found_by_the_beginning_of_their_id_and_paged(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let keys = [
        customer("ab"),
        customer("abc"),
        license("abc"),
        key("alibaba/p/instance/abcd"),
        customer("ac"),
        customer("AB"),
        customer("a%c"),
        customer("日本"),
    ];
    subscribed(store, &keys).await;
    let all_abc = ["aws/prod-1/customer/abc", "aws/prod-1/license/abc", "alibaba/p/instance/abcd"];
    assert_eq!(found(store, "abc").await, all_abc);
    assert_eq!(found(store, "ab").await.len(), 4);
    assert_eq!(found(store, "a%").await, ["aws/prod-1/customer/a%c"], "no wildcard");
    assert_eq!(found(store, "日").await, ["aws/prod-1/customer/日本"]);
    for nothing in ["", "b", "abcde", "_b"] {
        assert_eq!(found(store, nothing).await, [""; 0], "{nothing:?}");
    }
}

pub async fn windows_are_listed_until_they_close_the_first_to_close_first(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyers = ["a", "b", "c", "stays"].map(customer);
    for buyer in &buyers {
        subscribe(store, &terms, buyer, "tenant-1").await;
    }
    let leaves = [(&buyers[0], 30), (&buyers[1], 10), (&buyers[2], 20)];
    for (buyer, at) in leaves {
        let word = told(&id(&format!("pending {buyer}")), buyer, minute(at), pending());
        take_metered(store, &terms, minute(at), &[word]).await;
    }
    let closing = async |now, limit| -> Vec<SubscriptionKey> {
        let records = store.closing(minute(now), limit).await.expect("readable");
        records.into_iter().map(|record| record.key).collect()
    };
    let [a, b, c, _] = buyers.clone();
    assert_eq!(closing(31, 10).await, [b.clone(), c.clone(), a.clone()]);
    assert_eq!(closing(31, 1).await, [b]);
    assert_eq!(closing(70, 10).await, [c, a], "the first window is over");
    assert_eq!(closing(90, 10).await, []);
}

pub async fn the_newest_lines_of_a_history_come_first_and_are_paged(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (buyer, other) = (customer("buyer"), customer("other"));
    subscribed(store, &[buyer.clone(), other]).await;
    for tenant in ["one", "two", "three"] {
        take(store, minute(2), &[act(&buyer, bound_to(tenant))]).await;
    }
    let mut whole = history(store, &buyer).await;
    whole.reverse();
    assert_eq!(whole.len(), 4);
    for limit in 1..6 {
        let mut read = Vec::new();
        loop {
            let page = Page { after: read.last().map(|line: &crate::HistoryRecord| line.number), limit };
            let part = store.latest_history(&buyer, &page).await.expect("readable");
            if part.is_empty() {
                break;
            }
            read.extend(part);
        }
        assert_eq!(read, whole, "pages of {limit}");
    }
}

pub async fn frozen_records_are_listed_in_the_order_in_which_they_run_out(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = customer("c-1");
    subscribe(store, &terms, &buyer, "tenant-1").await;
    assert_eq!(store.expiring(10).await.expect("readable"), []);
    for (id, at) in [("later", 70), ("first", 10), ("open", 190)] {
        stored(store, &terms, minute(191), requests(id, "tenant-1", 1, minute(at))).await;
    }
    look_around(store, &terms, minute(191)).await;
    let lines = store.expiring(10).await.expect("readable");
    let ends: Vec<_> = lines.iter().map(|line| line.record.expires_at).collect();
    assert!(lines.len() >= 2 && lines.iter().all(|line| line.record.is_frozen()), "{lines:?}");
    assert!(ends.is_sorted(), "{ends:?}");
    assert_eq!(store.expiring(1).await.expect("readable"), lines[..1]);
}

pub async fn the_newest_losses_come_first_of_one_subscription_or_all(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let [first, second] = ["c-1", "c-2"].map(customer);
    subscribe(store, &terms, &first, "tenant-1").await;
    subscribe(store, &terms, &second, "tenant-2").await;
    for (id, of) in [("r-1", "tenant-1"), ("r-2", "tenant-2")] {
        for hour in 0..2 {
            let id = format!("{id}-{hour}");
            stored(store, &terms, minute(131), requests(&id, of, 1, minute(10 + 60 * hour))).await;
        }
    }
    look_around(store, &terms, minute(241)).await;
    look_around(store, &terms, minute(3 * 24 * 60)).await;
    let mut all = store.losses(None, &Page::first(100)).await.expect("readable");
    all.reverse();
    assert_eq!(all.len(), 4);
    assert_eq!(store.latest_losses(None, &Page::first(100)).await.expect("readable"), all);
    let before = Page { after: Some(all[0].number), limit: 2 };
    assert_eq!(store.latest_losses(None, &before).await.expect("readable"), all[1..3]);
    let of_first = store.latest_losses(Some(&first), &Page::first(100)).await.expect("readable");
    assert_eq!(of_first.len(), 2);
    assert!(of_first.iter().all(|line| line.loss.subscription == first));
}
