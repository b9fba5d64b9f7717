use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{Job, JobKind, JobStore, NewJob, StoreError};
use stallkeeper_runtime::{Backoff, WallClock, error_chain, sleep_or_cancelled};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{FanOut, JobError, JobRunner, RetryPolicy};

/// How long an error's words may be that are kept with a job.
const ERROR_CHARS_MAX: usize = 500;

/// How long the loop rests at least where nothing was handed out: what is due may be locked by another worker.
pub(crate) const REST_MIN: Duration = Duration::from_millis(100);

/// Why a job is given up that no runner was ever done with.
const NEVER_ENDED: &str = "its runner panicked or its worker died at every attempt; see the worker's log";

/// The bounds of the loop.
#[derive(Clone, Debug)]
pub struct OutboxConfig {
    /// How many jobs run side by side.
    pub concurrency: u32,
    /// How long a job may run before another worker may take it.
    pub lease: Duration,
    /// How long to sleep at the most before looking for jobs that other workers stored.
    pub poll: Duration,
    /// How often a job is tried.
    pub attempts_max: i32,
    /// The delay after a first failure.
    pub retry_base: Duration,
    /// The longest delay after a failure.
    pub retry_cap: Duration,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self {
            concurrency: 64,
            lease: Duration::from_mins(1),
            poll: Duration::from_secs(5),
            attempts_max: 20,
            retry_base: Duration::from_secs(1),
            retry_cap: Duration::from_mins(5),
        }
    }
}

/// Runs stored jobs.
pub struct Outbox {
    pub(crate) store: Arc<dyn JobStore>,
    clock: Arc<dyn WallClock>,
    runners: BTreeMap<JobKind, Runner>,
    policies: BTreeMap<JobKind, RetryPolicy>,
    pub(crate) jobs_written: Arc<Notify>,
    /// Whose jobs it runs, where not all.
    target: Option<String>,
    led_to_jobs: Vec<Arc<Notify>>,
    pub(crate) config: OutboxConfig,
}

#[derive(Clone)]
enum Runner {
    Plain(Arc<dyn JobRunner>),
    FanOut(Arc<dyn FanOut>),
}

impl Runner {
    async fn run(&self, job: &Job) -> Result<Vec<NewJob>, JobError> {
        match self {
            Self::Plain(runner) => runner.run(job).await.map(|()| Vec::new()),
            Self::FanOut(runner) => runner.fan_out(job).await,
        }
    }
}

impl Outbox {
    /// A loop over the jobs of `store`; `jobs_written` tells it that this worker stored some.
    pub fn new(
        store: Arc<dyn JobStore>,
        clock: Arc<dyn WallClock>,
        jobs_written: Arc<Notify>,
        config: OutboxConfig,
    ) -> Self {
        let (runners, policies, led_to_jobs) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { store, clock, runners, policies, jobs_written, target: None, led_to_jobs, config }
    }

    /// Runs only jobs that are done to this target, so that no other target's keep them waiting.
    #[must_use]
    pub fn only_for(self, target: &str) -> Self {
        Self { target: Some(target.to_owned()), ..self }
    }

    /// Has jobs of a kind run by `runner`.
    #[must_use]
    pub fn with_runner(mut self, kind: JobKind, runner: Arc<dyn JobRunner>) -> Self {
        self.runners.insert(kind, Runner::Plain(runner));
        self
    }

    /// Has jobs of a kind run by `runner`, which leads to others.
    #[must_use]
    pub fn with_fan_out(mut self, kind: JobKind, runner: Arc<dyn FanOut>) -> Self {
        self.runners.insert(kind, Runner::FanOut(runner));
        self
    }

    /// Tells those who wait for `led_to_jobs` whenever a job led to others.
    #[must_use]
    pub fn telling(mut self, led_to_jobs: Arc<Notify>) -> Self {
        self.led_to_jobs.push(led_to_jobs);
        self
    }

    /// Has jobs of a kind tried again by a policy of their own instead of the configuration's.
    #[must_use]
    pub fn with_policy(mut self, kind: JobKind, policy: RetryPolicy) -> Self {
        self.policies.insert(kind, policy);
        self
    }

    /// Runs jobs until `stop`; what runs then is finished.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut backoff = Backoff::new(self.config.retry_base, self.config.retry_cap);
        while !stop.is_cancelled() {
            match self.run_or_wait(stop).await {
                Ok(()) => backoff.reset(),
                Err(error) => {
                    let delay = backoff.next_delay();
                    tracing::warn!(
                        error = &error as &dyn Error,
                        ?delay,
                        "jobs cannot be read, will try again"
                    );
                    let _stopped = sleep_or_cancelled(stop, delay).await;
                }
            }
        }
    }

    async fn run_or_wait(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        if self.run_due().await? == 0 {
            self.wait(stop).await?;
        }
        Ok(())
    }

    /// Runs what is due now of the kinds that have runners, side by side; answers how many jobs that were.
    ///
    /// # Errors
    /// Where the store cannot hand out jobs; failures of jobs are stored with them.
    pub async fn run_due(&self) -> Result<usize, StoreError> {
        let jobs = self.claim(self.config.concurrency).await?;
        let count = jobs.len();
        let mut running = JoinSet::new();
        for job in jobs {
            if self.is_spent(&job) {
                self.give_up(&job, NEVER_ENDED).await?;
            } else if let Some(runner) = self.runners.get(&job.kind).cloned() {
                running.spawn(async move {
                    let started = Instant::now();
                    let result = runner.run(&job).await;
                    (job, result, started.elapsed())
                });
            }
        }
        while let Some(joined) = running.join_next().await {
            match joined {
                Ok((job, result, took)) => self.settle(&job, result, took).await?,
                // The lease of the job ends by itself, and it is tried again, up to its last attempt.
                Err(panic) => tracing::error!(error = %panic, "a job panicked"),
            }
        }
        Ok(count)
    }

    /// Takes so many jobs that are due, at the most.
    pub(crate) async fn claim(&self, limit: u32) -> Result<Vec<Job>, StoreError> {
        let (target, lease) = (self.target.as_deref(), self.config.lease);
        self.store.claim_jobs_for(target, &self.kinds(), self.now(), lease, limit).await
    }

    /// When the next job is due.
    pub(crate) async fn next_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.next_job_for(self.target.as_deref(), &self.kinds()).await
    }

    async fn settle(
        &self,
        job: &Job,
        result: Result<Vec<NewJob>, JobError>,
        took: Duration,
    ) -> Result<(), StoreError> {
        histogram!("stallkeeper_job_seconds", "kind" => job.kind.as_str()).record(took.as_secs_f64());
        match result {
            Ok(next) if next.is_empty() => {
                count(job.kind, "done");
                self.store.finish_job(job).await
            }
            Ok(next) => {
                count(job.kind, "done");
                self.store.finish_job_into(job, &next).await?;
                self.led_to_jobs.iter().for_each(|waiting| waiting.notify_one());
                Ok(())
            }
            Err(JobError::Retry(error)) if self.policy(job.kind).allows_another(job.attempts) => {
                let delay = self.policy(job.kind).delay(job.attempts);
                count(job.kind, "retried");
                self.store.retry_job(job, self.now().plus(delay), &words(&*error)).await
            }
            Err(JobError::Retry(error) | JobError::GiveUp(error)) => self.give_up(job, &words(&*error)).await,
        }
    }

    /// Runs a job and stores what came of it.
    pub(crate) async fn run_one(&self, job: &Job) -> Result<(), StoreError> {
        if self.is_spent(job) {
            return self.give_up(job, NEVER_ENDED).await;
        }
        let Some(runner) = self.runners.get(&job.kind) else { return Ok(()) };
        let started = Instant::now();
        let result = runner.run(job).await;
        self.settle(job, result, started.elapsed()).await
    }

    async fn give_up(&self, job: &Job, why: &str) -> Result<(), StoreError> {
        count(job.kind, "failed");
        tracing::error!(
            subscription = %job.key, kind = %job.kind, attempts = job.attempts, why,
            "a job is given up; `stallkeeper jobs retry` tries it again"
        );
        self.store.fail_job(job, why).await
    }

    fn policy(&self, kind: JobKind) -> RetryPolicy {
        let OutboxConfig { attempts_max, retry_base: base, retry_cap: cap, .. } = self.config;
        self.policies.get(&kind).copied().unwrap_or(RetryPolicy { attempts_max, base, cap })
    }

    /// Whether it was tried as often as it may be.
    fn is_spent(&self, job: &Job) -> bool {
        job.attempts > self.policy(job.kind).attempts_max
    }

    async fn wait(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        let next = self.next_at().await?;
        let until_next = next.map_or(self.config.poll, |at| at.since(self.now()).min(self.config.poll));
        tokio::select! {
            _stopped = sleep_or_cancelled(stop, until_next.max(REST_MIN)) => {}
            () = self.jobs_written.notified() => {}
        }
        Ok(())
    }

    /// Only these are asked for: another worker, perhaps of a newer version, may run kinds that this one does
    /// not know.
    pub(crate) fn kinds(&self) -> Vec<JobKind> {
        self.runners.keys().copied().collect()
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from(self.clock.now())
    }
}

fn count(kind: JobKind, outcome: &'static str) {
    counter!("stallkeeper_jobs_total", "kind" => kind.as_str(), "outcome" => outcome).increment(1);
}

/// An error with its causes, in one line that is kept with a job.
fn words(error: &(dyn Error + 'static)) -> String {
    error_chain(error).chars().take(ERROR_CHARS_MAX).collect()
}
