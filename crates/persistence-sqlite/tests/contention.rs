//! Three tasks at the same hot subscriptions of one file.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod support;

use std::sync::Arc;

use stallkeeper_persistence::Store;
use stallkeeper_persistence::contract::contention::contend;
use stallkeeper_persistence::contract::usage_contention;
use tokio::time::Instant;

use support::open;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_tasks_apply_each_of_100_000_facts_once_and_nobody_finds_the_file_busy() {
    let opened = open().await;
    let store: Arc<dyn Store> = Arc::new(opened.store.clone());
    let began = Instant::now();
    let report = contend([store.clone(), store.clone(), store]).await;
    println!("{report:?} in {:?}", began.elapsed());
    assert!(report.batches_over_50 > 100, "batches over 50 items: {report:?}");
    assert_eq!(report.conflicts, 0, "one writer is in nobody's way");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_tasks_that_meter_the_same_subscriptions_count_each_unit_once() {
    let opened = open().await;
    let store: Arc<dyn Store> = Arc::new(opened.store.clone());
    let began = Instant::now();
    let report = usage_contention::contend([store.clone(), store.clone(), store]).await;
    println!("{report:?} in {:?}", began.elapsed());
    assert!(report.known > 500 && report.sent > 50, "too little happened: {report:?}");
    assert_eq!(report.conflicts, 0, "one writer is in nobody's way");
}
