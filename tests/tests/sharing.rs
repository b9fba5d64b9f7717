//! Several workers at one queue.

use std::time::Duration;

use stallkeeper_tests::{Database, Installation, Sales, Stall};

const PATIENCE: Duration = Duration::from_mins(1);
const BUYERS: usize = 100;

#[tokio::test]
async fn three_workers_share_a_queue_and_each_notification_is_applied_once() {
    let (stall, database) = (Stall::open(1).await, Database::postgres().await);
    let config = stall.config("[signature]\npolicy = \"off\"\n[queue]\nwait_secs = 1\nreceivers = 2\n");
    let installation = Installation::new(&config, &database.url());
    let workers = [
        installation.start_ready().await,
        installation.start_ready().await,
        installation.start_ready().await,
    ];

    let mut sales = Sales::of(stall.products.first().unwrap());
    let visits = sales.visits(BUYERS);
    // Some come a second time, mostly to another worker.
    let again: Vec<String> = visits.iter().step_by(7).cloned().collect();
    stall.send(&visits).await;
    stall.send(&again).await;
    stall.wait_until_taken_in(&database, sales.notifications(), PATIENCE).await;
    sales.assert_settled(&database).await;

    let mut acked = 0.0;
    for worker in &workers {
        let own = worker.metric("stallkeeper_queue_acked_total").await;
        assert!(own > 0.0, "a worker did nothing");
        acked += own;
    }
    assert!(acked >= f64::from(u32::try_from(visits.len() + again.len()).unwrap()), "only {acked}");
    for worker in workers {
        assert!(worker.stop().await.success());
    }
}
