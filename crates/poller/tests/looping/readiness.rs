//! What besides receiving decides whether a poller is ready.

use std::time::Duration;

use stallkeeper_poller::{Problem, QueueErrorKind, Standing};

use crate::stand::{Stand, config, pass};

const MINUTE: Duration = Duration::from_mins(1);

fn problem(stand: &Stand) -> Option<Problem> {
    match stand.health.snapshot().standing {
        Standing::Failing(problem) => Some(problem),
        Standing::Starting | Standing::Working => None,
    }
}

#[tokio::test(start_paused = true)]
async fn deletions_that_are_denied_show_until_one_succeeds() {
    let stand = Stand::start(config(100), |queue| {
        queue.fail_deletes(6, QueueErrorKind::AccessDenied);
        queue.send("ack");
    });
    stand.until("failing", |stand| problem(stand).is_some()).await;
    pass(MINUTE / 2).await;
    let found = problem(&stand).unwrap();
    assert_eq!(found.kind, QueueErrorKind::AccessDenied, "receives that succeed meanwhile do not hide it");
    assert!(found.detail.starts_with("deleting messages: "), "{found:?}");
    assert!(!stand.health.snapshot().is_ready());

    stand.emptied().await;
    stand.until("recovery", |stand| stand.health.snapshot().is_ready()).await;
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn renewals_that_are_denied_show_until_one_succeeds() {
    let stand = Stand::start(config(100), |queue| {
        queue.fail_visibility(3, QueueErrorKind::AccessDenied);
        queue.send("slow 100");
    });
    stand.until("failing", |stand| problem(stand).is_some()).await;
    assert!(problem(&stand).unwrap().detail.starts_with("changing the time-outs"), "{:?}", problem(&stand));
    assert!(!stand.health.snapshot().is_ready());
    stand.until("recovery", |stand| stand.health.snapshot().is_ready()).await;
    stand.emptied().await;
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn put_backs_that_are_denied_show() {
    let stand = Stand::start(config(100), |queue| {
        queue.fail_visibility(100, QueueErrorKind::AccessDenied);
        queue.send("retry");
    });
    stand.until("failing", |stand| problem(stand).is_some()).await;
    assert!(problem(&stand).unwrap().detail.starts_with("changing the time-outs"), "{:?}", problem(&stand));
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_is_denied_is_worse_than_throttled_receives() {
    let stand = Stand::start(config(100), |queue| {
        queue.fail_deletes(4, QueueErrorKind::AccessDenied);
        queue.send("ack");
    });
    stand.until("denied", |stand| problem(stand).is_some()).await;
    stand.queue.fail_receives(100, QueueErrorKind::Throttled);
    pass(MINUTE).await;
    assert_eq!(problem(&stand).unwrap().kind, QueueErrorKind::AccessDenied);
    assert!(!stand.health.snapshot().is_ready());
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn deletions_that_fail_for_a_while_leave_it_ready() {
    let stand = Stand::start(config(100), |queue| {
        queue.fail_deletes(4, QueueErrorKind::Unavailable);
        queue.send("ack");
    });
    stand.until("failed", |stand| stand.queue.delete_calls() == 4).await;
    assert!(stand.health.snapshot().is_ready());
    stand.emptied().await;
    stand.stop().await;
}
