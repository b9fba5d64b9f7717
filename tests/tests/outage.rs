//! A database that goes away and comes back.
#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a broken set-up fails the test; counts are whole"
)]

use std::time::Duration;

use stallkeeper_tests::{Database, Installation, PrivatePostgres, Sales, Stall, Worker, eventually};

const PATIENCE: Duration = Duration::from_mins(2);
const SETTINGS: &str =
    "[signature]\npolicy = \"off\"\n[queue]\nwait_secs = 1\nvisibility_secs = 10\nreceivers = 2\n";
const NOT_STORED: &str = r#"stallkeeper_commit_outcomes_total{outcome="failed"}"#;

#[tokio::test]
async fn while_the_database_is_down_nothing_is_acknowledged_and_afterwards_all_is_applied() {
    let mut postgres = PrivatePostgres::start();
    let database = Database::Foreign(postgres.url());
    let stall = Stall::open(1).await;
    let installation = Installation::new(&stall.config(SETTINGS), &database.url());
    let worker = installation.start_ready().await;
    let mut sales = Sales::of(stall.products.first().unwrap());
    stall.send(&sales.visits(60)).await;
    eventually("the load is being taken in", PATIENCE, async || database.count("history").await > 0).await;

    postgres.stop();
    worker.wait_until_unready().await;
    assert_eq!(parts(&worker).await, ["database"]);
    stall.send(&sales.visits(10)).await;
    let held = hold_everything(&worker, &stall).await;
    assert!(held >= 30, "only {held} messages were in the queue while the database was down");
    let acked = worker.metric("stallkeeper_queue_acked_total").await;
    let tried = worker.metric(NOT_STORED).await;
    let twice_more = tried + f64::from(u32::try_from(2 * held).unwrap());
    eventually("each message was tried again, twice", PATIENCE, async || {
        worker.metric(NOT_STORED).await >= twice_more
    })
    .await;
    assert_eq!(stall.moto.depth(&stall.queue.url).await.total(), held, "a message left the queue");
    assert_eq!(worker.metric("stallkeeper_queue_acked_total").await, acked);

    postgres.start_again();
    stall.wait_until_taken_in(&database, sales.notifications(), PATIENCE).await;
    sales.assert_settled(&database).await;
    assert!(worker.is_ready().await);
    assert!(worker.stop().await.success());
}

#[tokio::test]
async fn a_worker_that_starts_before_its_database_is_ready_once_that_comes() {
    let mut postgres = PrivatePostgres::start();
    let url = postgres.url();
    postgres.stop();
    let stall = Stall::open(1).await;
    let installation = Installation::new(&stall.config(SETTINGS), &url);
    let mut worker = installation.start();
    worker.wait_until_unready().await;
    assert_eq!(parts(&worker).await, ["database"]);

    let mut sales = Sales::of(stall.products.first().unwrap());
    stall.send(&sales.visits(1)).await;
    postgres.start_again();
    worker.wait_until_ready().await;
    let database = Database::Foreign(url);
    stall.wait_until_taken_in(&database, sales.notifications(), PATIENCE).await;
    sales.assert_settled(&database).await;
}

/// Waits until the worker has every message of the queue in its hands; gives how many.
async fn hold_everything(worker: &Worker, stall: &Stall) -> u64 {
    let mut total = 0;
    eventually("all that is in the queue is held", PATIENCE, async || {
        let depth = stall.moto.depth(&stall.queue.url).await;
        total = depth.total();
        let in_hand = worker.metric("stallkeeper_queue_in_flight").await;
        depth.visible == 0 && in_hand == f64::from(u32::try_from(total).unwrap())
    })
    .await;
    total
}

/// The parts that readiness names.
async fn parts(worker: &Worker) -> Vec<String> {
    worker.problems().await.into_iter().map(|problem| problem.part).collect()
}
