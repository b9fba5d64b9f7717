use async_trait::async_trait;
use stallkeeper_persistence::{Job, NewJob};

/// Runs one kind of job.
#[async_trait]
pub trait JobRunner: Send + Sync + 'static {
    /// Runs a job; it may have been run before by a worker that died.
    ///
    /// # Errors
    /// [`JobError`] says whether trying again can help.
    async fn run(&self, job: &Job) -> Result<(), JobError>;
}

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Try again later.
    #[error("will be tried again")]
    Retry(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Trying again is useless.
    #[error("given up")]
    GiveUp(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Runs one kind of job that leads to others, which are stored with its end: together or not at all.
#[async_trait]
pub trait FanOut: Send + Sync + 'static {
    /// The jobs that this one leads to.
    ///
    /// # Errors
    /// [`JobError`] says whether trying again can help.
    async fn fan_out(&self, job: &Job) -> Result<Vec<NewJob>, JobError>;
}
