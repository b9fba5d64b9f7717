//! Deliveries to the seller's systems: the ways there, and what people see and do.

mod console;
mod topic;

use std::sync::Arc;

use anyhow::Context;
use stallkeeper_aws::TopicPublisher;
use stallkeeper_webhook::{Channels, EventFilter, Sender, SystemLookup};

pub use self::console::StoredDeliveries;
use self::topic::TopicChannel;
use crate::config::{Config, SNS_ENDPOINT};

/// The ways to all endpoints of a configuration; nothing is called yet.
///
/// # Errors
/// An HTTPS client that does not start.
pub async fn channels(config: &Config) -> anyhow::Result<Channels> {
    let mut channels = Channels::default();
    for endpoint in &config.webhooks {
        let (name, filter) = (endpoint.name().to_owned(), endpoint.filter().clone());
        let sender = Sender::new(endpoint.clone(), Arc::new(SystemLookup))
            .with_context(|| format!("webhook {name}"))?;
        channels.add(&name, filter, Arc::new(sender));
    }
    if let Some(events) = &config.sns_events {
        let publisher = TopicPublisher::new(&events.account, events.topic.clone()).await;
        let filter: EventFilter = events.filter.clone();
        channels.add(SNS_ENDPOINT, filter, Arc::new(TopicChannel(publisher)));
    }
    Ok(channels)
}
