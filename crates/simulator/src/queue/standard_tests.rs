use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::standard::Receive;
use super::{Content, Queue, QueueError, Queues, Received};
use crate::MarketClock;

const WAIT: Duration = Duration::from_secs(5);
/// Far below the wait: whoever takes longer was not woken.
const AT_ONCE: Duration = Duration::from_secs(2);

fn queue() -> Arc<Queue> {
    Queues::new("http://here").create_with_dead_letters("stall", 3)
}

async fn receive(queue: &Queue, hidden_for: Duration) -> Vec<Received> {
    let receive = Receive { max: 10, wait: Some(WAIT), hidden_for: Some(hidden_for) };
    queue.receive(&receive).await.unwrap()
}

/// Waits on the queue first, acts then, and answers what came of the wait.
async fn woken_by(queue: &Queue, act: impl AsyncFnOnce()) -> Vec<Received> {
    let started = Instant::now();
    let (received, ()) = tokio::join!(biased; receive(queue, WAIT), act());
    assert!(started.elapsed() < AT_ONCE, "nobody woke it");
    received
}

#[tokio::test]
async fn a_message_that_comes_wakes_who_waits() {
    let queue = queue();
    let received = woken_by(&queue, async || queue.put("a", Duration::ZERO)).await;
    assert_eq!(received.len(), 1);
}

#[tokio::test]
async fn a_delayed_message_wakes_who_waits_when_its_delay_is_over() {
    let queue = queue();
    let received = woken_by(&queue, async || queue.put("a", Duration::from_millis(50))).await;
    assert_eq!(received.len(), 1);
}

#[tokio::test]
async fn a_message_that_is_given_back_wakes_who_waits() {
    let queue = queue();
    queue.put("a", Duration::ZERO);
    let held = receive(&queue, WAIT * 10).await;
    let handle = held.first().unwrap().receipt.to_string();
    let back = async || queue.change_visibility(&handle, Duration::ZERO).unwrap();
    assert_eq!(woken_by(&queue, back).await.len(), 1);
}

#[tokio::test]
async fn every_worker_that_waits_gets_one_of_as_many_messages() {
    let queue = queue();
    let one = Receive { max: 1, wait: Some(WAIT), hidden_for: None };
    let (first, second, ()) = tokio::join!(biased; queue.receive(&one), queue.receive(&one), async {
        queue.put("a", Duration::ZERO);
        queue.put("b", Duration::ZERO);
    });
    assert_eq!((first.unwrap().len(), second.unwrap().len()), (1, 1));
}

#[tokio::test]
async fn a_full_queue_takes_no_more_until_something_is_deleted() {
    let queue =
        Queue::new("stall", "arn".to_owned(), "url".to_owned(), &MarketClock::new(), 7).with_room_for(1);
    assert!(queue.deliver("a", Duration::ZERO));
    let refused = queue.send(Content::new("b".to_owned(), BTreeMap::new()), None);
    assert_eq!(refused, Err(QueueError::Full { held_max: 1 }));
    assert!(!queue.deliver("c", Duration::ZERO));
    let held = receive(&queue, WAIT).await;
    queue.delete(&held.first().unwrap().receipt.to_string()).unwrap();
    assert!(queue.deliver("d", Duration::ZERO));
}
