//! Three workers' pools at the same hot subscriptions.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use stallkeeper_persistence::Store;
use stallkeeper_persistence::contract::contention::contend;
use stallkeeper_persistence_postgres::PostgresStore;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::Instant;

use support::{connect, open};

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

/// Looks, until it is over, how often a connection of this database waits for another's lock.
async fn watch_lock_waits(mut connection: PgConnection, mut is_over: oneshot::Receiver<()>) -> i64 {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let mut waits = 0;
    while is_over.try_recv() == Err(TryRecvError::Empty) {
        look.tick().await;
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        waits += waiting;
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
