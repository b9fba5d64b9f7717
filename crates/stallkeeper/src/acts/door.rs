use std::sync::Arc;

use async_trait::async_trait;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{Content, Door, Incoming, Outcome, Store, SubmitError, batcher};
use stallkeeper_runtime::WallClock;

use crate::config::Config;

/// A command's own way: the same door as the worker's, opened for each thing.
pub struct OwnDoor {
    /// What says how subscriptions are read.
    pub config: Arc<Config>,
    /// The database.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn WallClock>,
}

#[async_trait]
impl Door for OwnDoor {
    async fn submit(&self, content: Content) -> Result<Outcome, SubmitError> {
        let (committer, batcher) = batcher(self.store.clone(), self.clock.clone(), self.config.clone());
        let incoming = Incoming { received_at: Timestamp::from(self.clock.now()), content };
        // The committer is gone once it has its answer, which ends the batcher.
        let submit = async move { committer.submit(incoming).await };
        let (outcome, ()) = tokio::join!(submit, batcher.run());
        outcome
    }
}
