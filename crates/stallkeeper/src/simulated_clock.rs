//! A clock that follows a simulator's, so that the marketplace's time and the worker's move together.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use stallkeeper_runtime::{Backoff, SystemClock, WallClock, error_chain, sleep_or_cancelled};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::config::Config;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the simulator may hold a question back until its clock is moved.
const WAIT_SECS: u64 = 20;
/// Above that wait.
const TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_INITIAL: Duration = Duration::from_millis(50);
const RETRY_CAP: Duration = Duration::from_secs(1);

/// Shows a simulator's time: the machine's clock, and what the simulator's is ahead of it.
#[derive(Clone, Debug, Default)]
pub struct SimulatedClock {
    ahead: Arc<Mutex<time::Duration>>,
}

/// Keeps a [`SimulatedClock`] at the simulator's time.
#[derive(Debug)]
pub struct Follower {
    clock: SimulatedClock,
    client: reqwest::Client,
    url: Url,
    /// What no other process calls itself: in containers, each is process 1.
    name: String,
    moves: u64,
}

/// What the simulator's clock shows.
#[derive(Debug, Deserialize)]
struct Reading {
    #[serde(with = "time::serde::rfc3339")]
    now: OffsetDateTime,
    /// How often it was moved.
    moves: u64,
}

/// Some number that no other process draws.
pub(crate) fn drawn() -> u64 {
    // Its keys are the machine's randomness, as nobody shall foresee where a hash map puts things.
    RandomState::new().hash_one("stallkeeper")
}

/// The clock that the configuration asks for: the machine's, unless it names a simulator.
///
/// # Errors
/// When the simulator's clock cannot be read.
pub async fn clock_of(config: &Config) -> anyhow::Result<(Arc<dyn WallClock>, Option<Follower>)> {
    let Some(url) = &config.simulator_url else { return Ok((Arc::new(SystemClock), None)) };
    let follower = Follower::of(&url.join("control/clock")?).await?;
    Ok((Arc::new(follower.clock.clone()), Some(follower)))
}

impl SimulatedClock {
    fn show(&self, now: OffsetDateTime) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = now - SystemClock.now();
    }
}

impl WallClock for SimulatedClock {
    fn now(&self) -> OffsetDateTime {
        SystemClock.now().saturating_add(*self.ahead.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Follower {
    async fn of(url: &Url) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .no_proxy()
            .build()
            .context("the simulator's clock cannot be asked")?;
        let mut follower = Self {
            clock: SimulatedClock::default(),
            client,
            url: url.clone(),
            name: format!("{:016x}", drawn()),
            moves: 0,
        };
        let reading = follower.ask(&[]).await.with_context(|| {
            format!("simulator_url: {url} cannot be read; is `stallkeeper simulate` running there?")
        })?;
        follower.learn(&reading);
        Ok(follower)
    }

    /// Follows until it is told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        tracing::warn!(url = %self.url, "a simulator stands in for AWS and moves the clock; this is no production");
        let mut backoff = Backoff::new(RETRY_INITIAL, RETRY_CAP);
        loop {
            let (after, wait) = (self.moves.to_string(), WAIT_SECS.to_string());
            let question = [("after", after.as_str()), ("wait_secs", &wait), ("follower", &self.name)];
            let answer = tokio::select! {
                () = stop.cancelled() => return,
                answer = self.ask(&question) => answer,
            };
            match answer {
                Ok(reading) => {
                    self.learn(&reading);
                    backoff.reset();
                }
                Err(error) => {
                    tracing::warn!(error = error_chain(&error), "the simulator's clock cannot be read");
                    if sleep_or_cancelled(&stop, backoff.next_delay()).await.is_break() {
                        return;
                    }
                }
            }
        }
    }

    async fn ask(&self, question: &[(&str, &str)]) -> reqwest::Result<Reading> {
        let mut url = self.url.clone();
        if !question.is_empty() {
            url.query_pairs_mut().extend_pairs(question);
        }
        let answer = self.client.get(url).send().await?.error_for_status()?;
        answer.json().await
    }

    fn learn(&mut self, reading: &Reading) {
        self.clock.show(reading.now);
        self.moves = reading.moves;
    }
}

#[cfg(test)]
mod tests {
    use stallkeeper_simulator::{Simulator, SimulatorConfig};

    use super::*;

    #[tokio::test]
    async fn no_two_followers_share_a_name() {
        let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
        let url = format!("{}/control/clock", simulator.url()).parse().unwrap();
        let (one, other) = (Follower::of(&url).await.unwrap(), Follower::of(&url).await.unwrap());
        assert_ne!(one.name, other.name);
        simulator.stop().await;
    }
}
