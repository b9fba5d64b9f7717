//! The usage ledger's way through this store, from a buyer's usage to what is billed; each rule of it is in
//! the contract suite.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use stallkeeper_ledger::{
    Aggregate, Answer, DimensionTerms, EventState, Hour, MARGIN_MIN, MeterTerms, Outgoing, ProductKey,
    Profile, RecordState, Scale, Submission, ZeroRecords,
};
use stallkeeper_lifecycle::{
    Binding, Change, Fact, FactKind, MarketplaceName, ProductCode, SubscriptionKey, Terms, Timestamp, Trial,
};
use stallkeeper_persistence::usage::{
    AttemptOutcome, AttemptResult, LedgerStore, MeterTermsOf, RecordFilter, Taken, Unsent, finish, look_at,
    start, take_in,
};
use stallkeeper_persistence::{
    Act, Actor, Content, InboxKey, Incoming, Page, Received, StoreError, TermsOf, commit,
};
use stallkeeper_persistence_sqlite::SqliteStore;

use crate::support::{Database, NOON, subscription};

/// Every listing meters `requests`, in hundredths.
struct Metered;

impl MeterTermsOf for Metered {
    fn meter_terms(&self, _key: &SubscriptionKey) -> Option<Arc<MeterTerms>> {
        let requests = DimensionTerms {
            api_name: "Requests".parse().unwrap(),
            scale: Scale::new(2).unwrap(),
            aggregate: Aggregate::Sum,
        };
        Some(Arc::new(MeterTerms {
            product: product(),
            profile: Profile::AWS,
            region: "us-east-1".parse().unwrap(),
            dimensions: BTreeMap::from([("requests".parse().unwrap(), requests)]),
            sources: BTreeSet::new(),
            zero_records: ZeroRecords::Skip,
            meter_from: None,
        }))
    }

    fn listings_of(&self, _product: &ProductKey) -> Vec<(MarketplaceName, ProductCode)> {
        vec![(aws(), "prod".parse().unwrap())]
    }
}

impl TermsOf for Metered {
    fn terms(&self, _key: &SubscriptionKey) -> Terms {
        Terms::default()
    }
}

fn product() -> ProductKey {
    "api".parse().unwrap()
}

fn aws() -> MarketplaceName {
    "aws".parse().unwrap()
}

fn after(minutes: u64) -> Timestamp {
    NOON.plus(Duration::from_mins(minutes))
}

/// The buyer subscribed at noon, and belongs to `tenant`.
async fn subscribe(store: &SqliteStore, key: &SubscriptionKey, tenant: &str) {
    let success = FactKind::SubscribeSuccess { offer: None, trial: Trial::No };
    let id = key.to_string().replace('/', "-").parse().unwrap();
    let received = Received {
        inbox: InboxKey { marketplace: aws(), id },
        key: key.clone(),
        agreement: None,
        fact: Fact::at_time(NOON, "e1".parse().unwrap(), success),
        body: b"{}".to_vec(),
        replays: None,
    };
    let bound = Act {
        key: key.clone(),
        change: Change::Bind(Binding { tenant: tenant.parse().unwrap(), user: None }),
        actor: Actor::Worker,
    };
    let batch = [Content::Received(received), Content::Act(bound)]
        .map(|content| Incoming { received_at: NOON, content });
    let committed = commit(store, &batch, NOON, &Metered).await.unwrap();
    assert!(committed.has_metering_news);
}

fn submission(tenant: &str, id: &str, quantity: &str) -> Submission {
    Submission {
        id: id.parse().unwrap(),
        tenant: tenant.parse().unwrap(),
        product: product(),
        dimension: "requests".parse().unwrap(),
        quantity: quantity.to_owned(),
        occurred_at: after(5),
        user: None,
        tags: BTreeMap::new(),
        subscription: None,
    }
}

/// Takes usage in within its hour, and closes the hour after the settle delay.
async fn used_and_closed(store: &SqliteStore, usage: &[Submission]) -> Vec<Taken> {
    let taken = take_in(store, usage, after(6), &Metered).await.unwrap();
    let due = store.meters_due(after(121), 256).await.unwrap();
    look_at(store, &due, after(121), MARGIN_MIN, &Metered).await.unwrap();
    taken
}

async fn unsent(store: &SqliteStore, now: Timestamp, limit: u32) -> Vec<Outgoing> {
    store.unsent(&Unsent { marketplaces: vec![aws()], but: Vec::new(), now, limit }).await.unwrap()
}

#[tokio::test]
async fn what_a_buyer_uses_is_billed_once() {
    let database = Database::new();
    let store = database.ready().await;
    let key = subscription(1);
    subscribe(&store, &key, "acme").await;
    let taken = used_and_closed(
        &store,
        &[
            submission("acme", "u1", "1.25"),
            submission("acme", "u2", "2.25"),
            submission("acme", "u1", "1.25"),
        ],
    )
    .await;
    let counted = Taken::Stored(EventState::Counted { hour: Hour::of(NOON) });
    assert_eq!(taken, [counted.clone(), counted, Taken::Known]);
    let again = take_in(&store, &[submission("acme", "u2", "2.25")], after(122), &Metered).await.unwrap();
    assert_eq!(again, [Taken::Known]);

    let outgoing = unsent(&store, after(121), 100).await;
    let [Outgoing { number, report, .. }] = outgoing.as_slice() else { panic!("{outgoing:?}") };
    assert_eq!(report.quantity, 3, "whole units; the half is left over for a later hour");
    let started = start(&store, "aws/us-east-1", vec![vec![*number]], after(122)).await.unwrap();
    assert_eq!(unsent(&store, after(122), 100).await, [], "it is under way");
    let result = AttemptResult {
        attempt: started[0].attempt,
        outcome: AttemptOutcome { at: after(123), request_id: Some("r1".to_owned()), error: None },
        answers: vec![(*number, Answer::Accepted { record_id: "m1".to_owned() })],
    };
    assert_eq!(finish(&store, std::slice::from_ref(&result), after(123), false).await.unwrap(), []);

    let sums = store.usage_sums(&key).await.unwrap();
    assert_eq!(sums.len(), 1);
    assert_eq!((sums[0].recorded.parts(), sums[0].billed.parts(), sums[0].lost.parts()), (350, 300, 0));
    assert_eq!(store.attempts(&[result.attempt]).await.unwrap()[0].outcome, Some(result.outcome));
    let hours = RecordFilter { subscription: key, from: Hour::of(NOON), to: Hour::of(NOON).next() };
    let records = store.usage_records(&hours, &Page::first(10)).await.unwrap();
    assert!(matches!(records[0].record.state, RecordState::Settled { .. }), "{records:?}");
    assert_eq!(store.usage_events(&hours, &Page::first(10)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_id_with_other_content_is_refused_and_the_first_stays() {
    let database = Database::new();
    let store = database.ready().await;
    subscribe(&store, &subscription(1), "acme").await;
    take_in(&store, &[submission("acme", "u1", "1")], after(6), &Metered).await.unwrap();
    let taken = take_in(&store, &[submission("acme", "u1", "2")], after(6), &Metered).await.unwrap();
    assert!(matches!(taken[..], [Taken::Refused(_)]), "{taken:?}");
    assert_eq!(store.usage_sums(&subscription(1)).await.unwrap()[0].recorded.parts(), 100);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_keeps_no_other_from_being_sent() {
    let database = Database::new();
    let store = database.ready().await;
    for (number, tenant) in [(1, "acme"), (2, "blue")] {
        subscribe(&store, &subscription(number), tenant).await;
    }
    used_and_closed(&store, &[submission("acme", "u1", "1"), submission("blue", "u1", "2")]).await;
    let damage = "UPDATE usage_records SET record = '{' WHERE number = 1";
    sqlx::query(damage).execute(&mut database.connect().await).await.unwrap();

    // The first look finds it, and puts it off; so even a look at one only finds the other then.
    assert_eq!(unsent(&store, after(121), 1).await, []);
    let sent: Vec<i64> = unsent(&store, after(121), 1).await.iter().map(|outgoing| outgoing.number).collect();
    assert_eq!(sent, [2]);
    let hours =
        RecordFilter { subscription: subscription(1), from: Hour::of(NOON), to: Hour::of(NOON).next() };
    let listed = store.usage_records(&hours, &Page::first(10)).await;
    assert!(matches!(listed, Err(StoreError::Unreadable { .. })), "{listed:?}");
}

#[tokio::test]
async fn a_meter_that_cannot_be_read_keeps_no_other_from_being_looked_at() {
    let database = Database::new();
    let store = database.ready().await;
    for (number, tenant) in [(1, "acme"), (2, "blue")] {
        subscribe(&store, &subscription(number), tenant).await;
    }
    let damage = "UPDATE meters SET state = '{' WHERE tenant = 'acme'";
    sqlx::query(damage).execute(&mut database.connect().await).await.unwrap();
    assert_eq!(store.meters_due(NOON, 1).await.unwrap(), []);
    assert_eq!(store.meters_due(NOON, 1).await.unwrap(), [subscription(2)]);
    assert_eq!(store.next_look_at().await.unwrap(), Some(NOON), "the other's");
    let read = store.meter(&subscription(1)).await;
    assert!(matches!(read, Err(StoreError::Unreadable { .. })), "{read:?}");
}

#[tokio::test]
async fn sums_that_are_more_than_the_database_adds_are_told_all_the_same() {
    let database = Database::new();
    let store = database.ready().await;
    let mut connection = database.connect().await;
    let load = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10000)
        INSERT INTO usage_events
            (product, tenant, id, subscription, dimension, hour, state, counted, received_at, content, event)
        SELECT 'api', 'acme', 'u' || n, $1, 'Requests', n, 'counted', 1000000000000000, n, '{}', '{}' FROM n";
    sqlx::query(load).bind(subscription(1).to_string()).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    assert_eq!(store.usage_sums(&subscription(1)).await.unwrap()[0].recorded.parts(), i64::MAX);
}
