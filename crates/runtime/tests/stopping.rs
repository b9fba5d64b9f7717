//! How a process stops.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    process::{Command, id},
    time::Duration,
};

use stallkeeper_runtime::{FinalStatus, Shutdown, Tasks, listen_for_signals};
use tokio::time::timeout;

const GRACE: Duration = Duration::from_secs(30);

/// With paused time a wait for ever ends here at once.
const PATIENCE: Duration = Duration::from_hours(1);

async fn end_of(tasks: &Tasks) -> FinalStatus {
    timeout(PATIENCE, tasks.close_and_wait()).await.unwrap()
}

fn send_to_self(signal: &str) {
    let status = Command::new("kill").args([signal, &id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[tokio::test(start_paused = true)]
async fn tasks_that_finish_give_a_clean_end() {
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    let soft = shutdown.soft.clone();
    tasks.spawn("polite", async move { soft.cancelled().await });
    shutdown.stop();
    assert_eq!(end_of(&tasks).await, FinalStatus::Clean);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_task_stops_everything_and_fails_the_process() {
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    let soft = shutdown.soft.clone();
    tasks.spawn("bystander", async move { soft.cancelled().await });
    tasks.spawn("broken", async { assert!(id() == 0, "broken on purpose") });
    assert_eq!(end_of(&tasks).await, FinalStatus::Failed { task: Some("broken") });
    assert!(!shutdown.hard.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn the_first_failing_task_is_named() {
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    let soft = shutdown.soft.clone();
    tasks.spawn("first", async { Err::<(), _>("no database") });
    tasks.spawn("second", async move {
        soft.cancelled().await;
        Err::<(), _>("the first one went away")
    });
    assert_eq!(end_of(&tasks).await, FinalStatus::Failed { task: Some("first") });
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ignores_a_hard_stop_is_left_behind() {
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    tasks.spawn("deaf", std::future::pending::<()>());
    shutdown.stop_now();
    assert_eq!(end_of(&tasks).await, FinalStatus::Failed { task: None });
}

#[tokio::test(start_paused = true)]
async fn a_hard_stop_follows_when_the_grace_is_over() {
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    listen_for_signals(&shutdown, &tasks, GRACE).unwrap();
    shutdown.stop();
    let before = tokio::time::Instant::now();
    timeout(PATIENCE, shutdown.hard.cancelled()).await.unwrap();
    assert_eq!(before.elapsed(), GRACE);
}

/// Signals reach every listener of the process, so both stages live in one test with real time.
#[tokio::test]
async fn the_first_signal_is_soft_and_the_second_is_hard() {
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    listen_for_signals(&shutdown, &tasks, GRACE).unwrap();
    send_to_self("-TERM");
    timeout(GRACE / 2, shutdown.soft.cancelled()).await.unwrap();
    assert!(!shutdown.hard.is_cancelled());
    send_to_self("-INT");
    timeout(GRACE / 2, shutdown.hard.cancelled()).await.unwrap();
}
