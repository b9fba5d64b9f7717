use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_runtime::WallClock;

use crate::{Committer, Content, Incoming, Outcome, SubmitError};

/// The way through the commit.
#[async_trait]
pub trait Door: Send + Sync {
    /// Takes one thing in: it is durable when this answers with an outcome.
    ///
    /// # Errors
    /// [`SubmitError`] says whether trying again can help.
    async fn submit(&self, content: Content) -> Result<Outcome, SubmitError>;
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
