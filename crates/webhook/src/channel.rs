use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Accepted, DeliveryError, Event, EventFilter, Message, Sender};

/// A way to one receiver.
#[async_trait]
pub trait Channel: Send + Sync + 'static {
    /// Makes one attempt; `at` is the time in seconds since 1970.
    ///
    /// # Errors
    /// Anything but that it was taken.
    async fn deliver(&self, message: &Message, at: i64) -> Result<Accepted, DeliveryError>;

    /// Where it leads, without anything secret.
    fn address(&self) -> String;
}

#[async_trait]
impl Channel for Sender {
    async fn deliver(&self, message: &Message, at: i64) -> Result<Accepted, DeliveryError> {
        self.send(message, at).await
    }

    fn address(&self) -> String {
        self.endpoint().address()
    }
}

/// The receivers by their names, each with what it wants to hear.
#[derive(Clone, Default)]
pub struct Channels(BTreeMap<String, (EventFilter, Arc<dyn Channel>)>);

impl Channels {
    /// Adds a receiver; one of the same name is replaced.
    pub fn add(&mut self, name: &str, filter: EventFilter, channel: Arc<dyn Channel>) {
        self.0.insert(name.to_owned(), (filter, channel));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of all, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The way to a receiver.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Channel>> {
        self.0.get(name).map(|(_, channel)| channel)
    }

    /// The names of those that want an event.
    pub fn wanting(&self, event: Event) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(_, (filter, _))| filter.wants(event)).map(|(name, _)| name.as_str())
    }
}
