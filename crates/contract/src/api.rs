use async_trait::async_trait;
use stallkeeper_lifecycle::Entitlement;

use crate::Question;

/// Why a marketplace did not answer. No variant is an answer, least of all an empty one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Trying again can help.
    #[error("the marketplace does not answer now: {0}")]
    Unavailable(String),
    /// A person has to see to it.
    #[error("the marketplace's answer is of no use: {0}")]
    Refused(String),
}

/// Asks a marketplace what somebody is entitled to.
#[async_trait]
pub trait EntitlementsApi: Send + Sync + 'static {
    /// The whole answer, all its pages; empty where the marketplace says that there is nothing.
    ///
    /// # Errors
    /// [`AskError`] where any part of the answer is missing or cannot be read.
    async fn ask(&self, question: &Question) -> Result<Vec<Entitlement>, AskError>;
}
