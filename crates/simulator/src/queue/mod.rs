//! Queues as SQS has them: standard queues, in memory.

mod message;
mod messages;
#[cfg(test)]
mod messages_tests;
mod receipt;
mod registry;
mod settings;
mod standard;
#[cfg(test)]
mod standard_tests;

pub(crate) use message::{Attribute, AttributeValue, Attributes, Content, attributes_md5};
pub(crate) use messages::{HIDDEN_MAX, Received};
pub(crate) use settings::MESSAGE_BYTES_MAX;
pub(crate) use standard::Receive;

pub use registry::Queues;
pub use standard::Queue;

/// How many messages a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting to be received.
    pub visible: usize,
    /// Received and neither deleted nor visible again.
    pub in_flight: usize,
    /// Sent with a delay that is not over.
    pub delayed: usize,
}

impl Depth {
    /// All that is not deleted.
    pub fn total(self) -> usize {
        self.visible + self.in_flight + self.delayed
    }
}

/// What ever happened to a queue's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Put in.
    pub put: u64,
    /// Handed out, each time counted.
    pub received: u64,
    /// Deleted by whoever received them.
    pub deleted: u64,
}

/// A queue does not take a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// No queue of that name.
    #[error("there is no such queue")]
    Missing,
    /// A queue of that name is there, with other attributes.
    #[error("a queue of that name exists with another value of {attribute}")]
    NameExists {
        /// The first attribute that differs.
        attribute: String,
    },
    /// Names are 1 to 80 letters, digits, hyphens and underscores.
    #[error("a queue's name is 1 to 80 letters, digits, hyphens and underscores")]
    BadName,
    /// No attribute of that name on a standard queue.
    #[error("a standard queue has no attribute {name}")]
    UnknownAttribute {
        /// The name.
        name: String,
    },
    /// A value that the attribute cannot have.
    #[error("attribute {name} cannot be {value}")]
    BadAttribute {
        /// The attribute.
        name: String,
        /// The value.
        value: String,
    },
    /// A value that the parameter cannot have.
    #[error("parameter {name} cannot be {value}: {reason}")]
    BadParameter {
        /// The parameter.
        name: &'static str,
        /// The value.
        value: String,
        /// SQS' words for the reason.
        reason: String,
    },
    /// A receipt that this queue never gave.
    #[error("the receipt was never given by this queue")]
    BadReceipt {
        /// The handle.
        handle: String,
    },
    /// The message is visible again, received again, or deleted.
    #[error("the message is not in flight under that receipt")]
    NotInFlight,
    /// 120,000 messages are in flight.
    #[error("too many messages are in flight; delete some first")]
    OverLimit,
    /// It holds as much as the simulator keeps for one queue.
    #[error("the queue is full at {held_max} messages; receive and delete some, or purge it")]
    Full {
        /// How many it holds at most.
        held_max: usize,
    },
    /// FIFO queues are not simulated; make a standard one.
    #[error("there are no FIFO queues here")]
    Fifo,
    /// Purged less than a minute ago.
    #[error("the queue was purged less than a minute ago")]
    PurgedRecently,
    /// A character that SQS does not take.
    #[error("the body holds a character that XML 1.0 lacks")]
    BadContents,
    /// Longer than the queue takes.
    #[error("the message is longer than {bytes_max} bytes")]
    TooLong {
        /// The largest size.
        bytes_max: usize,
    },
}
