use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::message::{Attributes, Content, Message};
use super::messages::{HIDDEN_MAX, Messages, Received, Take};
use super::{Depth, QueueError};

const SECOND: Duration = Duration::from_secs(1);
const VISIBILITY: Duration = Duration::from_secs(30);

/// A queue, and a clock that moves when it is told.
struct Bench {
    messages: Messages,
    now: Instant,
    receives_max: Option<u32>,
}

impl Bench {
    fn new() -> Self {
        Self { messages: Messages::new(7), now: Instant::now(), receives_max: None }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.messages.settle(self.now);
    }

    fn put(&mut self, body: &str) {
        self.put_delayed(body, Duration::ZERO);
    }

    fn put_delayed(&mut self, body: &str, delay: Duration) {
        let content = Arc::new(Content::new(body.to_owned(), Attributes::new()));
        let sent_at = OffsetDateTime::UNIX_EPOCH;
        let message = Message {
            id: body.into(),
            content,
            sent_at,
            first_received_at: None,
            receives: 0,
            dead_from: None,
        };
        self.messages.put(self.now, message, delay);
    }

    fn take(&mut self) -> Vec<Received> {
        self.take_for(VISIBILITY)
    }

    fn take_for(&mut self, hidden_for: Duration) -> Vec<Received> {
        let at = OffsetDateTime::UNIX_EPOCH;
        let take = Take { max: 10, hidden_for, receives_max: self.receives_max, at };
        self.messages.take(self.now, &take).received
    }

    fn take_one(&mut self) -> Received {
        let mut received = self.take();
        assert_eq!(received.len(), 1);
        received.remove(0)
    }

    fn delete(&mut self, received: &Received) {
        self.messages.delete(&received.receipt.to_string()).unwrap();
    }

    fn hide(&mut self, received: &Received, hidden_for: Duration) -> Result<(), QueueError> {
        self.messages.change_visibility(self.now, &received.receipt.to_string(), hidden_for)
    }
}

fn bodies(received: &[Received]) -> Vec<&str> {
    received.iter().map(|received| received.message.content.body.as_str()).collect()
}

#[test]
fn messages_are_handed_out_in_the_order_in_which_they_came() {
    let mut bench = Bench::new();
    for body in ["a", "b", "c"] {
        bench.put(body);
    }
    assert_eq!(bodies(&bench.take()), ["a", "b", "c"]);
    assert_eq!(bodies(&bench.take()), [""; 0]);
}

#[test]
fn a_message_that_is_not_deleted_comes_again_when_its_time_is_over() {
    let mut bench = Bench::new();
    bench.put("a");
    let first = bench.take_one();
    bench.pass(Duration::from_millis(29_999));
    assert!(bench.take().is_empty());
    bench.pass(Duration::from_millis(1));
    let second = bench.take_one();
    assert_eq!((first.message.receives, second.message.receives), (1, 2));
    assert_ne!(first.receipt, second.receipt);
}

#[test]
fn a_deleted_message_never_comes_again() {
    let mut bench = Bench::new();
    bench.put("a");
    let received = bench.take_one();
    bench.delete(&received);
    bench.delete(&received);
    bench.pass(HIDDEN_MAX);
    assert!(bench.take().is_empty());
    assert_eq!((bench.messages.depth(), bench.messages.counts().deleted), (Depth::default(), 1));
}

#[test]
fn a_message_that_became_visible_again_is_deleted_by_its_latest_receipt() {
    let mut bench = Bench::new();
    bench.put("a");
    let received = bench.take_one();
    bench.pass(VISIBILITY);
    bench.delete(&received);
    assert_eq!(bench.messages.depth(), Depth::default());
    assert!(bench.take().is_empty());
}

#[test]
fn the_receipt_of_an_earlier_receive_deletes_nothing_and_hides_nothing() {
    let mut bench = Bench::new();
    bench.put("a");
    let earlier = bench.take_one();
    bench.pass(VISIBILITY);
    let latest = bench.take_one();
    bench.delete(&earlier);
    assert_eq!(bench.messages.depth().in_flight, 1);
    assert_eq!(bench.hide(&earlier, SECOND), Err(QueueError::NotInFlight));
    bench.delete(&latest);
    assert_eq!(bench.messages.depth(), Depth::default());
}

#[test]
fn a_receipt_of_another_queue_is_no_receipt() {
    let mut bench = Bench::new();
    bench.put("a");
    let received = bench.take_one();
    let handle = received.receipt.to_string();
    let mut other = Bench { messages: Messages::new(8), ..Bench::new() };
    other.put("b");
    other.take_one();
    assert_eq!(other.messages.delete(&handle), Err(QueueError::BadReceipt { handle }));
    let handle = "bogus".to_owned();
    assert_eq!(bench.messages.delete(&handle), Err(QueueError::BadReceipt { handle }));
}

#[test]
fn hiding_counts_from_now_and_can_be_shortened_and_lengthened() {
    let mut bench = Bench::new();
    bench.put("a");
    let received = bench.take_one();
    bench.pass(10 * SECOND);
    bench.hide(&received, 60 * SECOND).unwrap();
    bench.pass(59 * SECOND);
    assert!(bench.take().is_empty());
    bench.hide(&received, SECOND).unwrap();
    bench.pass(SECOND);
    assert_eq!(bench.take_one().message.receives, 2);
}

#[test]
fn hiding_for_no_time_returns_a_message_behind_the_others() {
    let mut bench = Bench::new();
    bench.put("a");
    let received = bench.take_one();
    bench.put("b");
    bench.hide(&received, Duration::ZERO).unwrap();
    assert_eq!(bodies(&bench.take()), ["b", "a"]);
}

#[test]
fn what_is_visible_again_is_not_hidden_by_its_old_receipt() {
    let mut bench = Bench::new();
    bench.put("a");
    let received = bench.take_one();
    bench.pass(VISIBILITY);
    assert_eq!(bench.hide(&received, SECOND), Err(QueueError::NotInFlight));
    assert_eq!(bench.messages.depth().visible, 1);
}

#[test]
fn no_message_is_hidden_for_more_than_twelve_hours_from_its_receive() {
    let mut bench = Bench::new();
    bench.put("a");
    let received = bench.take_one();
    bench.hide(&received, HIDDEN_MAX).unwrap();
    bench.pass(SECOND);
    let refused = bench.hide(&received, HIDDEN_MAX);
    assert!(matches!(refused, Err(QueueError::BadParameter { .. })), "{refused:?}");
    bench.hide(&received, Duration::from_secs(12 * 3_600 - 1)).unwrap();
}

#[test]
fn a_receive_that_hides_for_no_time_hands_each_message_out_once() {
    let mut bench = Bench::new();
    bench.put("a");
    bench.put("b");
    assert_eq!(bodies(&bench.take_for(Duration::ZERO)), ["a", "b"]);
    assert_eq!(bench.messages.depth(), Depth { visible: 2, in_flight: 0, delayed: 0 });
    assert_eq!(bodies(&bench.take()), ["a", "b"]);
}

#[test]
fn a_delayed_message_is_counted_and_comes_when_its_delay_is_over() {
    let mut bench = Bench::new();
    bench.put_delayed("later", 2 * SECOND);
    bench.put_delayed("sooner", SECOND);
    assert_eq!(bench.messages.depth(), Depth { visible: 0, in_flight: 0, delayed: 2 });
    assert_eq!(bench.messages.next_change(), Some(bench.now + SECOND));
    assert!(bench.take().is_empty());
    bench.pass(2 * SECOND);
    assert_eq!(bodies(&bench.take()), ["sooner", "later"]);
}

#[test]
fn delayed_and_returning_messages_come_in_the_order_in_which_they_fall_due() {
    let mut bench = Bench::new();
    bench.put("returning");
    bench.take_for(2 * SECOND);
    bench.put_delayed("first", SECOND);
    bench.put_delayed("last", 3 * SECOND);
    bench.pass(3 * SECOND);
    assert_eq!(bodies(&bench.take()), ["first", "returning", "last"]);
}

#[test]
fn a_message_is_dead_when_it_would_be_received_once_too_often() {
    let mut bench = Bench::new();
    bench.receives_max = Some(2);
    bench.put("a");
    for _ in 0..2 {
        assert_eq!(bodies(&bench.take()), ["a"]);
        bench.pass(VISIBILITY);
    }
    let take =
        Take { max: 10, hidden_for: VISIBILITY, receives_max: Some(2), at: OffsetDateTime::UNIX_EPOCH };
    let taken = bench.messages.take(bench.now, &take);
    assert!(taken.received.is_empty());
    assert_eq!(taken.dead.iter().map(|dead| dead.receives).collect::<Vec<_>>(), [2]);
    assert_eq!(bench.messages.depth(), Depth::default());
}

#[test]
fn a_purge_drops_everything_and_old_receipts_still_succeed() {
    let mut bench = Bench::new();
    bench.put("a");
    let received = bench.take_one();
    bench.put("b");
    bench.put_delayed("c", SECOND);
    bench.messages.purge();
    assert_eq!(bench.messages.depth(), Depth::default());
    bench.delete(&received);
    bench.put("d");
    assert_eq!(bodies(&bench.take()), ["d"]);
}

#[test]
fn each_message_comes_out_exactly_once_through_many_receives_and_returns() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut bench = Bench::new();
    let mut left = 2_000;
    for number in 0..left {
        bench.put_delayed(&number.to_string(), SECOND * random.u32(0..5));
    }
    while left > 0 {
        for received in bench.take_for(SECOND * random.u32(1..5)) {
            match random.u8(0..3) {
                0 => {}
                1 => bench.hide(&received, SECOND * random.u32(0..5)).unwrap(),
                _ => {
                    bench.delete(&received);
                    left -= 1;
                }
            }
        }
        assert_eq!(bench.messages.depth().total(), left);
        bench.pass(Duration::from_millis(random.u64(0..500)));
    }
    let counts = bench.messages.counts();
    assert_eq!((counts.put, counts.deleted), (2_000, 2_000));
}
