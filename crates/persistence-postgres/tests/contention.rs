//! Three workers' pools at the same hot subscriptions.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use stallkeeper_ledger::Meter;
use stallkeeper_lifecycle::{SubscriptionKey, TenantId, Timestamp};
use stallkeeper_persistence::contract::contention::contend;
use stallkeeper_persistence::contract::usage_contention;
use stallkeeper_persistence::usage::{MeterRow, MeterSelection};
use stallkeeper_persistence::{CommitStore, InboxEntry, InboxKey, Store, Work};
use stallkeeper_persistence_postgres::PostgresStore;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::task::JoinSet;
use tokio::time::Instant;

use support::{connect, open};

const NOON: Timestamp = Timestamp::from_micros(1_767_268_800_000_000);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_pools_apply_each_of_100_000_facts_once_and_no_deadlock_surfaces() {
    let opened = open().await;
    let url = opened.database.url();
    let pools = [opened.store.clone(), connect(&url).await, connect(&url).await];
    let (over, is_over) = oneshot::channel();
    let watched = watch_lock_waits(opened.database.connect().await, is_over);
    let began = Instant::now();
    let contended = async {
        let report = contend(pools.clone().map(|pool| Arc::new(pool) as Arc<dyn Store>)).await;
        over.send(()).unwrap();
        report
    };
    let (report, waits) = tokio::join!(contended, watched);
    println!("{report:?} with {waits} lock waits seen, in {:?}", began.elapsed());
    assert!(report.batches_over_50 > 100, "batches over 50 items: {report:?}");
    assert!(waits > 0, "the pools never waited for each other, so nothing was tested");
    let deadlocks = deadlocks(&pools, opened.database.connect().await).await;
    assert_eq!(deadlocks, 0, "one lock order leaves no room for them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_pools_that_meter_the_same_subscriptions_count_each_unit_once_and_never_deadlock() {
    let opened = open().await;
    let url = opened.database.url();
    let pools = [opened.store.clone(), connect(&url).await, connect(&url).await];
    let (over, is_over) = oneshot::channel();
    let watched = watch_lock_waits(opened.database.connect().await, is_over);
    let began = Instant::now();
    let contended = async {
        let report =
            usage_contention::contend(pools.clone().map(|pool| Arc::new(pool) as Arc<dyn Store>)).await;
        over.send(()).unwrap();
        report
    };
    let (report, waits) = tokio::join!(contended, watched);
    println!("{report:?} with {waits} lock waits seen, in {:?}", began.elapsed());
    assert!(report.known > 500 && report.sent > 50, "too little happened: {report:?}");
    assert!(waits > 0, "the pools never waited for each other, so nothing was tested");
    let deadlocks = deadlocks(&pools, opened.database.connect().await).await;
    assert_eq!(deadlocks, 0, "one lock order leaves no room for them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_are_locked_in_the_order_of_their_keys() {
    let opened = open().await;
    let keys: Vec<SubscriptionKey> =
        (0..9).map(|number| format!("aws/prod-1/customer/{number}").parse().unwrap()).collect();
    // In the table they stand the other way round.
    for key in keys.iter().rev() {
        let mut transaction = opened.store.begin(Work::Notifications).await.unwrap();
        transaction.place(std::slice::from_ref(key), NOON).await.unwrap();
        transaction.commit().await.unwrap();
    }
    let mut in_the_way = opened.store.begin(Work::Notifications).await.unwrap();
    in_the_way.lock(&keys[4..5]).await.unwrap();
    let mut waiting = opened.store.begin(Work::Notifications).await.unwrap();
    let all = keys.clone();
    let waiting = JoinSet::from_iter([async move { waiting.lock(&all).await.unwrap().len() }]);
    let mut connection = opened.database.connect().await;
    until_one_waits(&mut connection).await;
    let free: Vec<String> =
        sqlx::query_scalar("SELECT key FROM subscriptions ORDER BY key FOR UPDATE SKIP LOCKED")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    assert_eq!(
        free,
        keys[5..].iter().map(ToString::to_string).collect::<Vec<_>>(),
        "no lock behind the one waited for"
    );
    drop(in_the_way);
    assert_eq!(waiting.join_all().await, [9]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn meters_are_locked_in_the_order_of_their_keys_however_they_are_asked_for() {
    let opened = open().await;
    let keys: Vec<SubscriptionKey> =
        (0..9).map(|number| format!("aws/prod-1/customer/{number}").parse().unwrap()).collect();
    let tenant: TenantId = "tenant-1".parse().unwrap();
    // In the table they stand the other way round.
    for key in keys.iter().rev() {
        let meter = Meter { tenant: Some(tenant.clone()), ..Meter::new(key.clone()) };
        let row = MeterRow { meter, look_at: None, cut_by: None, closes_by_word: None };
        let mut transaction = opened.store.begin(Work::Usage).await.unwrap();
        transaction.write_meters(&[row], NOON).await.unwrap();
        transaction.commit().await.unwrap();
    }
    for all in [
        MeterSelection { subscriptions: keys.iter().rev().cloned().collect(), tenants: Vec::new() },
        MeterSelection { subscriptions: Vec::new(), tenants: vec![tenant] },
    ] {
        let mut in_the_way = opened.store.begin(Work::Usage).await.unwrap();
        let one = MeterSelection { subscriptions: vec![keys[4].clone()], tenants: Vec::new() };
        in_the_way.lock_meters(&one).await.unwrap();
        let mut waiting = opened.store.begin(Work::Usage).await.unwrap();
        let waiting = JoinSet::from_iter([async move { waiting.lock_meters(&all).await.unwrap().len() }]);
        let mut connection = opened.database.connect().await;
        until_one_waits(&mut connection).await;
        let free: Vec<String> = sqlx::query_scalar(
            "SELECT subscription FROM meters ORDER BY subscription FOR UPDATE SKIP LOCKED",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        assert_eq!(free, keys[5..].iter().map(ToString::to_string).collect::<Vec<_>>());
        drop(in_the_way);
        assert_eq!(waiting.join_all().await, [9]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_are_claimed_in_the_order_of_their_ids() {
    let opened = open().await;
    let entries: Vec<InboxEntry> = (0..9).map(inbox_entry).collect();
    let mut in_the_way = opened.store.begin(Work::Notifications).await.unwrap();
    in_the_way.claim(&entries[4..5]).await.unwrap();
    let mut waiting = opened.store.begin(Work::Notifications).await.unwrap();
    let all = entries.clone();
    let waiting = JoinSet::from_iter([async move { waiting.claim(&all).await.unwrap().len() }]);
    let mut connection = opened.database.connect().await;
    until_one_waits(&mut connection).await;
    let mut free = Vec::new();
    for entry in &entries {
        if is_free(&mut connection, entry).await {
            free.push(entry.key.clone());
        }
    }
    assert_eq!(free, entries[5..].iter().map(|entry| entry.key.clone()).collect::<Vec<_>>());
    drop(in_the_way);
    assert_eq!(waiting.join_all().await, [0], "what was not committed is new to the next one");
}

fn inbox_entry(number: usize) -> InboxEntry {
    InboxEntry {
        key: InboxKey { marketplace: "aws".parse().unwrap(), id: format!("n-{number}").parse().unwrap() },
        subscription: "aws/prod-1/customer/buyer".parse().unwrap(),
        received_at: NOON,
        body: Vec::new(),
    }
}

/// Whether nobody is storing this notification.
async fn is_free(connection: &mut PgConnection, entry: &InboxEntry) -> bool {
    let mut attempt = connection.begin().await.unwrap();
    sqlx::query("SET LOCAL lock_timeout = '50ms'").execute(&mut *attempt).await.unwrap();
    let inserted = sqlx::query(
        "INSERT INTO inbox (marketplace, id, subscription, received_at, body) VALUES ($1, $2, '', now(), '')",
    )
    .bind(entry.key.marketplace.as_str())
    .bind(entry.key.id.as_str())
    .execute(&mut *attempt)
    .await;
    attempt.rollback().await.unwrap();
    inserted.is_ok()
}

async fn until_one_waits(connection: &mut PgConnection) {
    let mut look = tokio::time::interval(Duration::from_millis(5));
    while lock_waits(connection).await == 0 {
        look.tick().await;
    }
}

async fn lock_waits(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

/// Looks, until it is over, how often a connection of this database waits for another's lock.
async fn watch_lock_waits(mut connection: PgConnection, mut is_over: oneshot::Receiver<()>) -> i64 {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let mut waits = 0;
    while is_over.try_recv() == Err(TryRecvError::Empty) {
        look.tick().await;
        waits += lock_waits(&mut connection).await;
    }
    waits
}

/// How many deadlocks the server broke in this database.
async fn deadlocks(pools: &[PostgresStore], mut connection: PgConnection) -> i64 {
    // A connection's share is counted for sure when the connection ends.
    for pool in pools {
        pool.close().await;
    }
    let mut look = tokio::time::interval(Duration::from_millis(20));
    loop {
        look.tick().await;
        let (deadlocks, others): (i64, i64) = sqlx::query_as(
            "SELECT deadlocks, (SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()) \
             FROM pg_stat_database WHERE datname = current_database()",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        if others == 0 {
            return deadlocks;
        }
    }
}
