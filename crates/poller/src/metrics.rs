//! What a poller counts, labelled with its queue.

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

use crate::error::QueueErrorKind;

/// Handles are looked up once, so that counting costs one atomic addition.
#[derive(Clone)]
pub(crate) struct PollerMetrics {
    queue: String,
    pub(crate) received: Counter,
    pub(crate) acked: Counter,
    pub(crate) retried: Counter,
    pub(crate) released: Counter,
    pub(crate) dead: Counter,
    pub(crate) poisoned: Counter,
    pub(crate) panicked: Counter,
    pub(crate) lease_lost: Counter,
    pub(crate) extend_failed: Counter,
    pub(crate) delete_failed: Counter,
    pub(crate) release_failed: Counter,
    pub(crate) in_flight: Gauge,
    pub(crate) blocked: Gauge,
    pub(crate) handler_seconds: Histogram,
}

impl PollerMetrics {
    pub(crate) fn new(queue: &str) -> Self {
        describe();
        let queue = queue.to_owned();
        let label = || [("queue", queue.clone())];
        Self {
            received: counter!("stallkeeper_queue_received_total", &label()),
            acked: counter!("stallkeeper_queue_acked_total", &label()),
            retried: counter!("stallkeeper_queue_retried_total", &label()),
            released: counter!("stallkeeper_queue_released_total", &label()),
            dead: counter!("stallkeeper_queue_dead_total", &label()),
            poisoned: counter!("stallkeeper_queue_poisoned_total", &label()),
            panicked: counter!("stallkeeper_queue_panicked_total", &label()),
            lease_lost: counter!("stallkeeper_queue_lease_lost_total", &label()),
            extend_failed: counter!("stallkeeper_queue_extend_failed_total", &label()),
            delete_failed: counter!("stallkeeper_queue_delete_failed_total", &label()),
            release_failed: counter!("stallkeeper_queue_release_failed_total", &label()),
            in_flight: gauge!("stallkeeper_queue_in_flight", &label()),
            blocked: gauge!("stallkeeper_queue_blocked", &label()),
            handler_seconds: histogram!("stallkeeper_queue_handler_seconds", &label()),
            queue,
        }
    }

    /// Errors are rare, so their counter is looked up each time.
    pub(crate) fn receive_error(&self, kind: QueueErrorKind) {
        let labels = [("queue", self.queue.clone()), ("kind", kind.as_str().to_owned())];
        counter!("stallkeeper_queue_receive_errors_total", &labels).increment(1);
    }
}

fn describe() {
    describe_counter!("stallkeeper_queue_received_total", "Messages received.");
    describe_counter!("stallkeeper_queue_acked_total", "Messages handled for good and given to deletion.");
    describe_counter!("stallkeeper_queue_retried_total", "Messages put back to be delivered again later.");
    describe_counter!(
        "stallkeeper_queue_released_total",
        "Messages given back unfinished because of a stop."
    );
    describe_counter!("stallkeeper_queue_dead_total", "Messages left to the queue's redrive policy.");
    describe_counter!("stallkeeper_queue_poisoned_total", "Messages that came back too often.");
    describe_counter!("stallkeeper_queue_panicked_total", "Panics of the handler.");
    describe_counter!("stallkeeper_queue_lease_lost_total", "Messages lost to another worker while handled.");
    describe_counter!(
        "stallkeeper_queue_extend_failed_total",
        "Lease renewals that failed and were tried again."
    );
    describe_counter!(
        "stallkeeper_queue_delete_failed_total",
        "Deletions given up; the message comes again."
    );
    describe_counter!(
        "stallkeeper_queue_release_failed_total",
        "Put-backs given up; the message comes later."
    );
    describe_counter!("stallkeeper_queue_receive_errors_total", "Failed receives by kind.");
    describe_gauge!("stallkeeper_queue_in_flight", "Messages being handled now.");
    describe_gauge!("stallkeeper_queue_blocked", "Messages that wait because their handler is blocked.");
    describe_histogram!(
        "stallkeeper_queue_handler_seconds",
        "Time from the start of handling to the verdict."
    );
}
