//! The statements of a commit, one by one.

use std::collections::BTreeMap;

use stallkeeper_lifecycle::{
    Binding, Entitlement, Fact, FactKind, FactLog, Plan, Snapshot, Snapshots, Subscription, SubscriptionKey,
    Trial,
};

use super::Fixture;
use super::samples::{
    act, bound_to, customer, event, history, inbox_key, key, minute, quarantine_key, record, refused,
    success, take, told,
};
use crate::{
    Actor, Content, HistoryEntry, InboxEntry, Incoming, JobCounts, JobKind, NewJob, Outcome, Page,
    QuarantineEntry, Settled, Store, SubscriptionFilter, SubscriptionRecord, Work,
};

fn inbox_entry(id: &str, subscription: &SubscriptionKey) -> InboxEntry {
    InboxEntry {
        key: inbox_key(&subscription.marketplace, id),
        subscription: subscription.clone(),
        received_at: minute(0),
        body: b"{}".to_vec(),
    }
}

fn quarantined(body: &[u8]) -> QuarantineEntry {
    match refused(body, "not-json", minute(0)).content {
        Content::Refused(refused) => refused.entry,
        Content::Received(_) | Content::Act(_) => unreachable!("refused"),
    }
}

async fn is_listed(store: &dyn Store, key: &SubscriptionKey) -> bool {
    let page = store.subscriptions(&SubscriptionFilter::All, &Page::first(100)).await.expect("readable");
    page.iter().any(|record| record.key == *key)
}

pub async fn a_dropped_transaction_leaves_nothing(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    let subscription = Subscription { receipts: 1, ..Subscription::default() };
    let entry = HistoryEntry {
        key: buyer.clone(),
        at: minute(0),
        what: "bound".to_owned(),
        happened_at: None,
        event: None,
        outcome: "applied".to_owned(),
        word: "active".to_owned(),
        anomaly: None,
        actor: Actor::Worker,
        detail: "{}".to_owned(),
    };
    let job = NewJob {
        key: buyer.clone(),
        kind: JobKind::Wake,
        target: String::new(),
        due_at: minute(0),
        payload: "{}".to_owned(),
    };
    {
        let mut transaction = store.begin(Work::Notifications).await.expect("begun");
        transaction.claim(&[inbox_entry("n-1", &buyer)]).await.expect("claimed");
        transaction.place(std::slice::from_ref(&buyer), minute(0)).await.expect("placed");
        transaction.lock(std::slice::from_ref(&buyer)).await.expect("locked");
        let record = SubscriptionRecord { key: buyer.clone(), subscription, updated_at: minute(0) };
        transaction.write_subscriptions(&[record]).await.expect("written");
        transaction.append_history(&[entry]).await.expect("appended");
        transaction.put_jobs(&[job]).await.expect("put");
        transaction.quarantine(&[quarantined(b"odd")]).await.expect("put aside");
    }
    assert_eq!(store.subscription(&buyer).await.expect("readable"), None);
    assert_eq!(history(store, &buyer).await, []);
    assert_eq!(store.job_counts().await.expect("readable"), JobCounts::default());
    assert_eq!(store.quarantined(&quarantine_key(b"odd")).await.expect("readable"), None);
    let batch = [told("n-1", &buyer, minute(0), success())];
    assert_eq!(
        take(store, minute(1), &batch).await,
        [Outcome::Settled(Settled::Applied)],
        "nor an inbox entry"
    );
}

pub async fn a_placed_row_is_invisible_until_it_is_written(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    let mut transaction = store.begin(Work::Notifications).await.expect("begun");
    transaction.place(std::slice::from_ref(&buyer), minute(0)).await.expect("placed");
    let locked = transaction.lock(std::slice::from_ref(&buyer)).await.expect("locked");
    assert_eq!(locked.len(), 1);
    assert_eq!((&locked[0].key, &locked[0].subscription), (&buyer, &Subscription::default()));
    transaction.commit().await.expect("committed");
    assert_eq!(store.subscription(&buyer).await.expect("readable"), None);
    assert!(!is_listed(store, &buyer).await);
    take(store, minute(1), &[told("n-1", &buyer, minute(0), success())]).await;
    assert!(store.subscription(&buyer).await.expect("readable").is_some());
    assert!(is_listed(store, &buyer).await);
}

pub async fn placing_leaves_a_known_subscription_as_it_is(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    take(store, minute(1), &[told("n-1", &buyer, minute(0), success())]).await;
    let before = record(store, &buyer).await;
    let mut transaction = store.begin(Work::Notifications).await.expect("begun");
    transaction.place(std::slice::from_ref(&buyer), minute(9)).await.expect("placed");
    let locked = transaction.lock(std::slice::from_ref(&buyer)).await.expect("locked");
    assert_eq!(locked, std::slice::from_ref(&before));
    transaction.commit().await.expect("committed");
    assert_eq!(record(store, &buyer).await, before);
}

pub async fn a_record_reads_back_as_it_was_written(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let mut records = [
        "aws/prod-1/customer/l'été %_\\ 日本/with/slashes",
        "aws/prod-1/license/l-1",
        "alibaba/商品/instance/UPPER and lower",
        "alibaba/prod-1/code/\"quoted\"",
    ]
    .map(|text| SubscriptionRecord {
        key: key(text),
        subscription: full_subscription(),
        updated_at: minute(7),
    });
    records.sort_by(|a, b| a.key.cmp(&b.key));
    let keys = records.clone().map(|record| record.key);
    let mut transaction = store.begin(Work::Notifications).await.expect("begun");
    transaction.place(&keys, minute(0)).await.expect("placed");
    assert_eq!(transaction.lock(&keys).await.expect("locked").len(), records.len());
    transaction.write_subscriptions(&records).await.expect("written");
    transaction.commit().await.expect("committed");
    for written in &records {
        assert_eq!(record(store, &written.key).await, *written);
    }
    let mut transaction = store.begin(Work::Notifications).await.expect("begun");
    let mut locked = transaction.lock(&keys).await.expect("locked");
    locked.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(locked, records);
}

/// A subscription with something in every part.
fn full_subscription() -> Subscription {
    let plan = Plan {
        id: "größe-1".parse().expect("an id"),
        items: BTreeMap::from([("seats".into(), "7".into())]),
    };
    let mut log = FactLog::default();
    log.insert(Fact::at_time(minute(0), event("n-1"), success()));
    let created =
        FactKind::InstanceCreated { plan: Some(plan), trial: Trial::Yes, expires_at: Some(minute(90)) };
    log.insert(Fact::received(1, minute(1), created));
    let mut snapshots = Snapshots::default();
    let entitlement =
        Entitlement { dimension: "a\0b".into(), value: "10".into(), expires_at: Some(minute(90)) };
    snapshots.insert(Snapshot { asked_at: minute(2), entitlements: vec![entitlement] });
    let binding = Binding { tenant: "Tenant / 1".parse().expect("an id"), user: "user-1".parse().ok() };
    let mut subscription = Subscription {
        log,
        binding: Some(binding),
        snapshots,
        sequence: 3,
        receipts: 1,
        ..Subscription::default()
    };
    subscription.announced = Some(subscription.view(minute(3), stallkeeper_lifecycle::Terms::default()));
    subscription
}

pub async fn a_claim_answers_only_what_was_there_before(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    let batch: Vec<Incoming> =
        vec![told("n-2", &buyer, minute(0), success()), act(&buyer, bound_to("tenant-1"))];
    take(store, minute(1), &batch).await;
    let entries = ["n-1", "n-2", "n-3"].map(|id| inbox_entry(id, &buyer));
    let mut transaction = store.begin(Work::Notifications).await.expect("begun");
    let known = transaction.claim(&entries).await.expect("claimed");
    assert_eq!(known, [(entries[1].key.clone(), Settled::Applied)]);
    transaction.note_outcomes(&[(entries[0].key.clone(), Settled::TooOld)]).await.expect("noted");
    transaction.commit().await.expect("committed");
    let mut transaction = store.begin(Work::Notifications).await.expect("begun");
    let mut known = transaction.claim(&entries).await.expect("claimed");
    known.sort();
    let settled = [Settled::TooOld, Settled::Applied, Settled::Applied];
    assert_eq!(known, entries.map(|entry| entry.key).into_iter().zip(settled).collect::<Vec<_>>());
}
