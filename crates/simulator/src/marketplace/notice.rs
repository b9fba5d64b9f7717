use std::sync::Arc;

use time::OffsetDateTime;

use crate::marketplace::buyer::Buyer;
use crate::marketplace::event::Event;
use crate::marketplace::message::Message;
use crate::marketplace::product::Product;

/// One thing that the marketplace says, before it is written and published.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// The id of the subscription that it is about.
    pub(crate) subscription: Arc<str>,
    pub(crate) product: Arc<Product>,
    pub(crate) buyer: Arc<Buyer>,
    /// When it is said.
    pub(crate) at: OffsetDateTime,
    pub(crate) said: Said,
    /// The crowd whose buyer it is about.
    pub(crate) crowd: Option<u32>,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Through a topic.
    Message(Message),
    /// Through the event bus.
    Event(Event),
}

impl Said {
    /// The word by which journals and faults know it: an action, or an event's type without its role.
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Self::Message(message) => message.action(),
            Self::Event(event) => event.what(),
        }
    }
}
