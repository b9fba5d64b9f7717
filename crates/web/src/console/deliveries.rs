use async_trait::async_trait;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::StoreError;

use super::{ActError, Operator};

/// What the console shows of deliveries to the seller's systems, and what operators do with them.
///
/// [`NoDeliveries`] stands for a worker that delivers nothing: the console shows no page about them then.
#[async_trait]
pub trait ConsoleDeliveries: Send + Sync + 'static {
    /// Whether anything is delivered anywhere.
    fn is_on(&self) -> bool;

    /// The endpoints, in the order of the configuration.
    async fn endpoints(&self) -> Result<Vec<EndpointLine>, StoreError>;

    /// The newest deliveries of a subscription.
    async fn deliveries_of(&self, key: &SubscriptionKey, limit: u32)
    -> Result<Vec<DeliveryLine>, StoreError>;

    /// The newest deliveries that failed.
    async fn failed(&self, limit: u32) -> Result<Vec<DeliveryLine>, StoreError>;

    /// Sends a test to an endpoint, by its name; answers what came of it, in words.
    async fn test(&self, by: &Operator, endpoint: &str) -> Result<String, ActError>;

    /// Sends a delivery again, by its id; answers what was done, in words.
    async fn replay(&self, by: &Operator, delivery: &str) -> Result<String, ActError>;
}

/// Where deliveries go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointLine {
    /// Its name.
    pub name: String,
    /// Its address, without anything secret.
    pub address: String,
    /// When a delivery last succeeded.
    pub succeeded_at: Option<Timestamp>,
    /// When one last failed, and why.
    pub failed: Option<(Timestamp, String)>,
}

/// One delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryLine {
    /// Its id.
    pub id: String,
    /// What it says, such as `subscription.ending`.
    pub event: String,
    /// The endpoint's name.
    pub endpoint: String,
    /// When it was last tried, or else made.
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// How it stands.
    pub state: DeliveryState,
}

/// How a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is to be tried at this time.
    Waiting(Timestamp),
    /// The endpoint took it.
    Delivered,
    /// A newer one made it needless.
    Superseded,
    /// It is given up; why, in words.
    Failed(String),
}

/// Nothing is delivered.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDeliveries;

#[async_trait]
impl ConsoleDeliveries for NoDeliveries {
    fn is_on(&self) -> bool {
        false
    }

    async fn endpoints(&self) -> Result<Vec<EndpointLine>, StoreError> {
        Ok(Vec::new())
    }

    async fn deliveries_of(
        &self,
        _key: &SubscriptionKey,
        _limit: u32,
    ) -> Result<Vec<DeliveryLine>, StoreError> {
        Ok(Vec::new())
    }

    async fn failed(&self, _limit: u32) -> Result<Vec<DeliveryLine>, StoreError> {
        Ok(Vec::new())
    }

    async fn test(&self, _by: &Operator, _endpoint: &str) -> Result<String, ActError> {
        Err(ActError::Refused("nothing is delivered anywhere".to_owned()))
    }

    async fn replay(&self, _by: &Operator, _delivery: &str) -> Result<String, ActError> {
        Err(ActError::Refused("nothing is delivered anywhere".to_owned()))
    }
}
