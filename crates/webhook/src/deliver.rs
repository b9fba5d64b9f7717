use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metrics::{counter, histogram};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_outbox::{JobError, JobRunner, RetryPolicy};
use stallkeeper_persistence::{Delivery, DeliveryStore, Job, JobKind};
use stallkeeper_runtime::{WallClock, error_chain};
use tokio::time::Instant;

use crate::{Accepted, Channels, DeliveryError, Message, Payload, endpoint_of};

/// How deliveries are tried: for about three days, in the end once an hour.
pub const DELIVER: RetryPolicy =
    RetryPolicy { attempts_max: 80, base: Duration::from_secs(5), cap: Duration::from_hours(1) };

/// How the news of an open final-usage window is tried: until its deadline, which ends it before the attempts do.
pub const DELIVER_ENDING: RetryPolicy =
    RetryPolicy { attempts_max: 1_000, base: Duration::from_secs(2), cap: Duration::from_secs(20) };

/// After how long without an answer of 200 to 299 a person is told of an undelivered final-usage window.
const OVERDUE: Duration = Duration::from_mins(5);

/// How many characters of why an attempt failed are kept.
const ERROR_CHARS_MAX: usize = 500;

/// The status of an endpoint that wants nothing any more.
const GONE: u16 = 410;

/// Makes one attempt of a delivery, and keeps what came of it.
pub struct Deliverer {
    channels: Channels,
    store: Arc<dyn DeliveryStore>,
    clock: Arc<dyn WallClock>,
}

impl Deliverer {
    /// One that delivers to these receivers.
    pub fn new(channels: Channels, store: Arc<dyn DeliveryStore>, clock: Arc<dyn WallClock>) -> Self {
        Self { channels, store, clock }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from(self.clock.now())
    }

    /// An attempt, and the line of the log that it left; a line that is not stored holds no delivery up.
    async fn attempt(&self, job: &Job, payload: &Payload, message: &Message) -> Result<(), DeliveryError> {
        let Some(channel) = self.channels.get(endpoint_of(&job.target)) else { return Ok(()) };
        let (at, started) = (self.now(), Instant::now());
        let result = channel.deliver(message, at.as_micros() / 1_000_000).await;
        let took = started.elapsed();
        let outcome = if result.is_ok() { "delivered" } else { "failed" };
        let endpoint = endpoint_of(&job.target).to_owned();
        counter!("stallkeeper_deliveries_total", "endpoint" => endpoint.clone(), "outcome" => outcome)
            .increment(1);
        histogram!("stallkeeper_delivery_seconds", "endpoint" => endpoint).record(took.as_secs_f64());
        let line = line(job, payload, message, at, took, &result);
        if let Err(error) = self.store.note_delivery(&line).await {
            tracing::warn!(error = &error as &dyn Error, "an attempt to deliver is missing in the log");
        }
        result.map(drop)
    }

    /// A final-usage window that nobody was told of is money that nobody reports.
    fn alarm(&self, job: &Job, payload: &Payload, error: &DeliveryError) {
        if job.kind != JobKind::DeliverEnding || self.now() < payload.announced_at.plus(OVERDUE) {
            return;
        }
        counter!("stallkeeper_endings_overdue_total", "endpoint" => job.target.clone()).increment(1);
        tracing::error!(
            subscription = %job.key, endpoint = job.target, deadline = ?payload.deadline.map(|at| at.to_string()),
            error = error_chain(error),
            "the app has not been told for 5 minutes that a final-usage window is open; mend the endpoint"
        );
    }
}

#[async_trait]
impl JobRunner for Deliverer {
    async fn run(&self, job: &Job) -> Result<(), JobError> {
        let payload: Payload =
            serde_json::from_str(&job.payload).map_err(|error| JobError::GiveUp(error.into()))?;
        if payload.deadline.is_some_and(|deadline| deadline <= self.now()) {
            return Err(JobError::GiveUp("the time it speaks of was over before anybody took it".into()));
        }
        let endpoint = endpoint_of(&job.target);
        if self.channels.get(endpoint).is_none() {
            return Err(JobError::GiveUp("no endpoint is called so any more".into()));
        }
        let Some(message) = payload.message(&job.key.to_string(), endpoint) else {
            return Err(JobError::GiveUp(format!("there is no event {:?}", payload.event).into()));
        };
        let Err(error) = self.attempt(job, &payload, &message).await else { return Ok(()) };
        self.alarm(job, &payload, &error);
        match error {
            DeliveryError::Status { status: GONE, .. } => Err(JobError::GiveUp(error.into())),
            error => Err(JobError::Retry(error.into())),
        }
    }
}

fn line(
    job: &Job,
    payload: &Payload,
    message: &Message,
    at: Timestamp,
    took: Duration,
    result: &Result<Accepted, DeliveryError>,
) -> Delivery {
    let words = |error: &DeliveryError| {
        error_chain(error).chars().filter(|char| *char != '\0').take(ERROR_CHARS_MAX).collect()
    };
    Delivery {
        key: job.key.clone(),
        endpoint: endpoint_of(&job.target).to_owned(),
        kind: job.kind,
        message: message.id.to_string(),
        event: payload.event.clone(),
        sequence: payload.sequence,
        attempt: job.attempts,
        at,
        took,
        outcome: result.as_ref().map(|accepted| accepted.status).map_err(words),
        payload: job.payload.clone(),
    }
}
