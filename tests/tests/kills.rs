//! A worker that is killed again and again.
#![expect(clippy::unwrap_used, reason = "a broken set-up fails the test")]

use std::time::Duration;

use stallkeeper_tests::{Database, Installation, Sales, Stall, eventually};

const PATIENCE: Duration = Duration::from_mins(1);
/// Redelivered soon after a kill; never poison, however often it meets one.
const SETTINGS: &str = "[signature]\npolicy = \"off\"\n\
    [queue]\nwait_secs = 1\nvisibility_secs = 5\nreceivers = 4\n";
/// Enough for one worker not to finish them within the moments that it lives.
const BACKLOG: u64 = 90;
const BUYERS_PER_WAVE: usize = 40;

#[tokio::test]
async fn nothing_is_lost_or_applied_twice_over_20_kills_on_postgres() {
    survive(20, Database::postgres().await).await;
}

#[tokio::test]
async fn nothing_is_lost_or_applied_twice_over_5_kills_on_sqlite() {
    survive(5, Database::sqlite()).await;
}

async fn survive(kills: usize, database: Database) {
    let stall = Stall::open(1).await;
    let installation = Installation::new(&stall.config(SETTINGS), &database.url());
    installation.run(&["migrate"]).expect_success();
    let mut sales = Sales::of(stall.products.first().unwrap());
    let mut applied = 0;
    for kill in 1..=kills {
        if stall.moto.depth(&stall.queue.url).await.visible < BACKLOG {
            stall.send(&sales.visits(BUYERS_PER_WAVE)).await;
        }
        applied = live_until_killed(kill, &installation, &stall, &database, applied).await;
    }
    assert!(applied < sales.notifications(), "the last kill came after the work");

    let last = installation.start_ready().await;
    stall.wait_until_taken_in(&database, sales.notifications(), PATIENCE).await;
    sales.assert_settled(&database).await;
    assert!(last.stop().await.success());
}

/// Lets a worker live until it has applied something and has more in its hands; gives what is applied by then.
async fn live_until_killed(
    kill: usize,
    installation: &Installation,
    stall: &Stall,
    database: &Database,
    before: usize,
) -> usize {
    let worker = installation.start();
    let mut applied = before;
    eventually(&format!("there is progress, and more under way, before kill {kill}"), PATIENCE, async || {
        applied = database.count("history").await;
        applied > before && stall.moto.depth(&stall.queue.url).await.in_flight > 0
    })
    .await;
    worker.kill();
    let in_flight = stall.moto.depth(&stall.queue.url).await.in_flight;
    assert!(in_flight > 0, "kill {kill} met nothing in flight");
    applied
}
