//! How a poller stops.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stallkeeper_poller::{
    Depth, EntryOutcome, MemoryQueue, Message, Poller, Queue, QueueError, QueueErrorKind, ReceiptHandle,
    VisibilityChange,
};
use stallkeeper_runtime::{FakeClock, Shutdown};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout};

use crate::stand::{Scripted, Stand, config};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_soft_stop_finishes_what_runs_and_receives_nothing_new() {
    let stand = Stand::start(config(4), |queue| {
        for _ in 0..10 {
            queue.send("slow 300");
        }
    });
    stand.until("start", |stand| stand.handler.started().len() == 4).await;
    let calls = stand.queue.receive_calls();
    stand.stop().await;
    assert_eq!(stand.handler.finished().len(), 4, "what ran has finished, longer than its first lease");
    assert_eq!(stand.queue.len(), 6, "and is deleted");
    assert_eq!(stand.queue.visible(), 6, "the others were not touched");
    assert_eq!(stand.queue.receive_calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn what_arrives_in_the_last_receive_is_given_back_unstarted() {
    let stand = Stand::start(config(100), |queue| {
        queue.delay_receives(SECOND);
        queue.send("ack");
    });
    stand.until("taken", |stand| stand.queue.visible() == 0).await;
    stand.stop().await;
    assert!(stand.handler.started().is_empty());
    assert_eq!(stand.queue.visible(), 1, "another worker can have it at once");
}

#[tokio::test(start_paused = true)]
async fn the_last_receive_is_waited_for_no_longer_than_its_grace() {
    let stand = Stand::start(config(100), |_| {});
    stand.until("long poll", |stand| stand.queue.receive_calls() == 2).await;
    let before = Instant::now();
    stand.stop().await;
    let took = before.elapsed();
    assert!(took >= 2 * SECOND && took < 3 * SECOND, "{took:?}");
    assert_eq!(stand.queue.receives_now(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hard_stop_gives_back_what_is_unfinished() {
    let stand = Stand::start(config(100), |queue| {
        for _ in 0..25 {
            queue.send("slow 3600");
        }
    });
    stand.until("start", |stand| stand.handler.started().len() == 25).await;
    let before = Instant::now();
    stand.shutdown.stop_now();
    stand.ended().await;
    assert!(before.elapsed() < SECOND, "{:?}", before.elapsed());
    assert!(stand.handler.finished().is_empty());
    assert_eq!(stand.queue.visible(), 25);
}

#[tokio::test(start_paused = true)]
async fn a_hard_stop_ends_although_the_queue_is_gone() {
    let stand = Stand::start(config(100), |queue| {
        queue.send("slow 3600");
    });
    stand.until("start", |stand| stand.handler.started().len() == 1).await;
    stand.queue.fail_visibility(100, QueueErrorKind::Unavailable);
    let before = Instant::now();
    stand.shutdown.stop_now();
    stand.ended().await;
    assert!(before.elapsed() < 5 * SECOND, "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_hard_stop_does_not_wait_for_calls_that_hang() {
    let stand = Stand::start(config(100), |queue| {
        queue.delay_changes(Duration::from_hours(1));
        queue.send("slow 3600");
    });
    stand.until("start", |stand| stand.handler.started().len() == 1).await;
    let before = Instant::now();
    stand.shutdown.stop_now();
    stand.ended().await;
    assert!(before.elapsed() < 4 * SECOND, "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_blocked_message_is_given_back_at_a_soft_stop() {
    let stand = Stand::start(config(100), |queue| {
        queue.send("blocked 1000000");
    });
    stand.until("blocked", |stand| stand.handler.started().len() > 3).await;
    stand.stop().await;
    assert_eq!(stand.queue.visible(), 1);
}

#[tokio::test(start_paused = true)]
async fn acks_of_the_last_moment_are_deleted_before_the_end() {
    let stand = Stand::start(config(100), |queue| {
        for number in 0..33 {
            queue.send(format!("ack {number}"));
        }
    });
    stand.until("handled", |stand| stand.handler.finished().len() == 33).await;
    stand.stop().await;
    assert!(stand.queue.is_empty());
}

/// Delivers one message, and breaks when its lease shall be renewed.
struct BrokenQueue(MemoryQueue);

#[async_trait]
impl Queue for BrokenQueue {
    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, QueueError> {
        self.0.receive(max, wait, visibility).await
    }

    async fn delete(&self, receipts: &[ReceiptHandle]) -> Result<Vec<EntryOutcome>, QueueError> {
        self.0.delete(receipts).await
    }

    async fn set_visibility(&self, changes: &[VisibilityChange]) -> Result<Vec<EntryOutcome>, QueueError> {
        unreachable!("broken on purpose, {} changes", changes.len())
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        self.0.depth().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_poller_whose_leases_are_not_kept_any_more_finishes_and_fails() {
    let queue = MemoryQueue::new(Arc::new(FakeClock::new(OffsetDateTime::UNIX_EPOCH)));
    queue.send("slow 50");
    let handler = Arc::new(Scripted::default());
    let broken = Arc::new(BrokenQueue(queue.clone()));
    let poller = Poller::new("test", broken, Arc::clone(&handler) as _, config(100)).unwrap();
    let ended = timeout(Duration::from_hours(1), poller.run(&Shutdown::new())).await.unwrap();
    assert!(ended.is_err());
    assert_eq!(handler.finished(), ["slow 50"]);
    assert!(queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_hard_stop_does_not_wait_for_room_among_calls_that_hang() {
    for script in ["ack", "retry 1"] {
        let stand = Stand::start(config(2), |queue| {
            queue.delay_changes(Duration::from_hours(1));
            for _ in 0..200 {
                queue.send(script);
            }
        });
        tokio::time::sleep(30 * SECOND).await;
        assert!(stand.handler.finished().len() > 90, "{script}: calls and channel are full");
        assert!(stand.queue.visible() > 0, "{script}: no permit is left to receive the others");
        let before = Instant::now();
        stand.shutdown.stop_now();
        stand.ended().await;
        assert!(before.elapsed() < 4 * SECOND, "{script}: {:?}", before.elapsed());
    }
}
