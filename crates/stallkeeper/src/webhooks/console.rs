use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{DeliveryFilter, DeliveryRecord, JobRecord, JobState, Page, Store, StoreError};
use stallkeeper_runtime::WallClock;
use stallkeeper_web::console::{
    ActError, ConsoleDeliveries, DeliveryLine, DeliveryState, EndpointLine, Operator,
};
use stallkeeper_webhook::{Channels, endpoint_of};

use crate::acts::{self, RedeliverError};
use crate::commands::subscriptions::jobs_of;

/// How many of an endpoint's newest attempts are looked through for the last that succeeded and the last that
/// failed.
const LOOKED_THROUGH: u32 = 100;

/// The deliveries as the database keeps them.
pub struct StoredDeliveries {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The ways to the endpoints.
    pub channels: Channels,
    /// The clock.
    pub clock: Arc<dyn WallClock>,
}

impl StoredDeliveries {
    fn now(&self) -> Timestamp {
        Timestamp::from(self.clock.now())
    }

    async fn endpoint(&self, name: &str) -> Result<EndpointLine, StoreError> {
        let filter = DeliveryFilter { endpoint: Some(name.to_owned()), failed_only: false };
        let newest = self.store.deliveries(&filter, &Page::first(LOOKED_THROUGH)).await?;
        let succeeded = newest.iter().find(|record| record.delivery.outcome.is_ok());
        let failed = newest.iter().find_map(|record| {
            let why = record.delivery.outcome.as_ref().err()?;
            Some((record.delivery.at, why.clone()))
        });
        Ok(EndpointLine {
            name: name.to_owned(),
            address: self.channels.get(name).map(|channel| channel.address()).unwrap_or_default(),
            succeeded_at: succeeded.map(|record| record.delivery.at),
            failed,
        })
    }
}

/// How each message of a list of attempts, newest first, stands, by what became of its job.
fn lines(attempts: Vec<DeliveryRecord>, jobs: &[JobRecord]) -> Vec<DeliveryLine> {
    let mut seen = BTreeSet::new();
    let mut lines: Vec<DeliveryLine> = Vec::new();
    for DeliveryRecord { delivery, .. } in attempts {
        if !seen.insert(delivery.message.clone()) {
            continue;
        }
        let job = jobs.iter().find(|record| {
            record.job.payload == delivery.payload
                && record.job.kind == delivery.kind
                && endpoint_of(&record.job.target) == delivery.endpoint
        });
        let state = match (delivery.outcome, job) {
            (Ok(_), _) => DeliveryState::Delivered,
            (Err(_), Some(job)) if job.state == JobState::Due => DeliveryState::Waiting(job.due_at),
            (Err(why), Some(_)) => DeliveryState::Failed(why),
            (Err(_), None) => DeliveryState::Superseded,
        };
        lines.push(DeliveryLine {
            id: delivery.message,
            event: delivery.event,
            endpoint: delivery.endpoint,
            at: delivery.at,
            attempts: u32::try_from(delivery.attempt).unwrap_or_default(),
            state,
        });
    }
    lines
}

#[async_trait]
impl ConsoleDeliveries for StoredDeliveries {
    fn is_on(&self) -> bool {
        !self.channels.is_empty()
    }

    async fn endpoints(&self) -> Result<Vec<EndpointLine>, StoreError> {
        let mut lines = Vec::new();
        for name in self.channels.names() {
            lines.push(self.endpoint(name).await?);
        }
        Ok(lines)
    }

    async fn deliveries_of(
        &self,
        key: &SubscriptionKey,
        limit: u32,
    ) -> Result<Vec<DeliveryLine>, StoreError> {
        let attempts = self.store.deliveries_of(key, &Page::first(limit)).await?;
        Ok(lines(attempts, &jobs_of(&*self.store, key).await?))
    }

    async fn failed(&self, limit: u32) -> Result<Vec<DeliveryLine>, StoreError> {
        let filter = DeliveryFilter { endpoint: None, failed_only: true };
        let attempts = self.store.deliveries(&filter, &Page::first(limit)).await?;
        let line = |DeliveryRecord { delivery, .. }: DeliveryRecord| DeliveryLine {
            id: delivery.message,
            event: delivery.event,
            endpoint: delivery.endpoint,
            at: delivery.at,
            attempts: u32::try_from(delivery.attempt).unwrap_or_default(),
            state: DeliveryState::Failed(delivery.outcome.err().unwrap_or_default()),
        };
        Ok(attempts.into_iter().map(line).collect())
    }

    async fn test(&self, _by: &Operator, endpoint: &str) -> Result<String, ActError> {
        match acts::try_endpoint(&self.channels, endpoint, self.now()).await {
            Some(Ok(status)) => Ok(format!("{endpoint} answered {status} to a test")),
            Some(Err(why)) => Err(ActError::Refused(format!("{endpoint} did not take a test: {why}"))),
            None => Err(ActError::Refused("no endpoint has this name".to_owned())),
        }
    }

    async fn replay(&self, by: &Operator, delivery: &str) -> Result<String, ActError> {
        match acts::redeliver(&*self.store, delivery, by.actor(), self.now()).await {
            Ok(kept) => Ok(format!("{} goes to {} again, within seconds", kept.event, kept.endpoint)),
            Err(RedeliverError::Store(error)) => Err(error.into()),
            Err(error) => Err(ActError::Refused(error.to_string())),
        }
    }
}
