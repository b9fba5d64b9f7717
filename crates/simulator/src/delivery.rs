use std::sync::Arc;

use crate::{Faults, Queues};

/// The way from the marketplace into queues, on which things go wrong.
#[derive(Clone, Debug)]
pub struct Delivery {
    queues: Queues,
    faults: Arc<Faults>,
}

impl Delivery {
    /// A way into these queues.
    pub fn new(queues: Queues, faults: Arc<Faults>) -> Self {
        Self { queues, faults }
    }

    /// Delivers one body to one queue, as often and as late as the faults have it; answers the number of copies.
    ///
    /// `what` is the word by which faults may lose it: an action, or an event's type without its role.
    pub fn deliver(&self, queue_arn: &str, body: &str, what: &str) -> usize {
        let Some(queue) = self.queues.by_arn(queue_arn) else {
            tracing::debug!(queue = queue_arn, what, "nothing delivered, as there is no such queue");
            return 0;
        };
        let fate = self.faults.draw_delivery(what);
        fate.copies.iter().filter(|delay| queue.deliver(body, **delay)).count()
    }
}
