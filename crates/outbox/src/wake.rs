use std::sync::Arc;

use async_trait::async_trait;
use stallkeeper_lifecycle::{Change, Timestamp};
use stallkeeper_persistence::{Act, Actor, Committer, Content, Incoming, Job, StoreError, SubmitError};
use stallkeeper_runtime::WallClock;

use crate::{JobError, JobRunner};

/// Has a subscription looked at again when its final-usage window closes.
pub struct WakeRunner {
    committer: Committer,
    clock: Arc<dyn WallClock>,
}

impl WakeRunner {
    /// A runner that wakes through this door.
    pub fn new(committer: Committer, clock: Arc<dyn WallClock>) -> Self {
        Self { committer, clock }
    }
}

#[async_trait]
impl JobRunner for WakeRunner {
    async fn run(&self, job: &Job) -> Result<(), JobError> {
        let act = Act { key: job.key.clone(), change: Change::Wake, actor: Actor::Worker };
        let received_at = Timestamp::from(self.clock.now());
        match self.committer.submit(Incoming { received_at, content: Content::Act(act) }).await {
            Ok(_) => Ok(()),
            // Written by a newer version, perhaps, which will run it.
            Err(error @ SubmitError::Refused(StoreError::Unreadable { .. })) => {
                Err(JobError::Retry(error.into()))
            }
            Err(error @ SubmitError::Refused(_)) => Err(JobError::GiveUp(error.into())),
            Err(error) => Err(JobError::Retry(error.into())),
        }
    }
}
