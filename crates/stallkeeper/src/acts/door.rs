use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{Committer, Content, Incoming, Outcome, Store, SubmitError, batcher};
use stallkeeper_runtime::WallClock;

use crate::config::Config;

/// The way through the commit.
#[async_trait]
pub trait Door: Send + Sync {
    /// Takes one thing in: it is durable when this answers with an outcome.
    ///
    /// # Errors
    /// [`SubmitError`] says whether trying again can help.
    async fn submit(&self, content: Content) -> Result<Outcome, SubmitError>;
}

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

/// A running worker's door, until it is shut: whoever holds a committer keeps the commit from ending.
#[derive(Clone)]
pub struct SharedDoor {
    committer: Arc<Mutex<Option<Committer>>>,
    clock: Arc<dyn WallClock>,
}

impl SharedDoor {
    /// The door of this committer.
    pub fn new(committer: Committer, clock: Arc<dyn WallClock>) -> Self {
        Self { committer: Arc::new(Mutex::new(Some(committer))), clock }
    }

    /// Takes nothing in from now on.
    pub fn shut(&self) {
        self.committer.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[async_trait]
impl Door for SharedDoor {
    async fn submit(&self, content: Content) -> Result<Outcome, SubmitError> {
        let committer = self.committer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let incoming = Incoming { received_at: Timestamp::from(self.clock.now()), content };
        committer.ok_or(SubmitError::Stopped)?.submit(incoming).await
    }
}
