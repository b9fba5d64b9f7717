//! The seller's app: reports usage over a few connections that it keeps open.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use stallkeeper_lifecycle::Timestamp;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::process::Process;
use crate::seller::{DIMENSIONS, PRODUCT, TOKEN, tenant};

/// How many connections report at once.
pub(crate) const CONNECTIONS: usize = 8;
/// How long a worker that starts may take until it answers.
const START: Duration = Duration::from_secs(30);
const PROBE_EVERY: Duration = Duration::from_millis(20);

/// What there is to report, in requests.
pub(crate) struct Reports {
    bodies: VecDeque<String>,
    pub(crate) events: u64,
}

impl Reports {
    /// Events of tenants and dimensions in no order, but the same in every run.
    pub(crate) fn of(events: u64, tenants: u64, of_request: usize, at: Timestamp) -> anyhow::Result<Self> {
        let mut bodies = VecDeque::new();
        let mut body = String::new();
        let mut drawn = Drawn(0x5eed_5eed_5eed_5eed);
        for number in 0..events {
            let (tenant, dimension) = (tenant(drawn.below(tenants)), drawn.below(DIMENSIONS.len() as u64));
            let dimension = DIMENSIONS.get(usize::try_from(dimension)?).context("no such dimension")?;
            body.push(if body.is_empty() { '[' } else { ',' });
            write!(
                body,
                r#"{{"id":"request-{number:012}","tenant":"{tenant}","product":"{PRODUCT}","dimension":"{dimension}","quantity":{},"occurred_at":"{at}"}}"#,
                number % 97 + 1
            )?;
            let is_last = number + 1 == events;
            if is_last || (number + 1).is_multiple_of(u64::try_from(of_request)?) {
                body.push(']');
                bodies.push_back(std::mem::take(&mut body));
            }
        }
        Ok(Self { bodies, events })
    }
}

/// Numbers without an order, the same in every run (xorshift64).
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

/// What an answer says of each event, as far as it matters here.
#[derive(Deserialize)]
struct Answer {
    results: Vec<EventResult>,
}

#[derive(Deserialize)]
struct EventResult {
    status: String,
}

/// How reporting went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported {
    pub(crate) took: Duration,
    /// How often a request was turned away, and sent again.
    pub(crate) turned_away: u64,
    /// The worker's memory when a quarter, a half and all of it was reported, in bytes.
    pub(crate) resident: [u64; 3],
}

/// Waits until a worker answers its app.
pub(crate) async fn wait_for(worker: &mut Process, url: &str) -> anyhow::Result<()> {
    let http = Client::new();
    let deadline = Instant::now() + START;
    loop {
        worker.ensure_running()?;
        let answer = http.get(format!("{url}/readyz")).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the worker is not ready after {START:?}");
        tokio::time::sleep(PROBE_EVERY).await;
    }
}

/// Reports all of it; each event has to count.
pub(crate) async fn report(worker: &Process, url: &str, reports: Reports) -> anyhow::Result<Reported> {
    let waiting = Arc::new(Mutex::new(reports.bodies));
    let requests = waiting.lock().unwrap_or_else(PoisonError::into_inner).len();
    let mut connections = JoinSet::new();
    let started = Instant::now();
    for _ in 0..CONNECTIONS {
        connections.spawn(report_some(format!("{url}/v1/usage"), waiting.clone()));
    }
    let mut marks = [(requests * 3 / 4, None), (requests / 2, None), (0, None)];
    while let Some((left, mark)) = marks.iter_mut().find(|(_, mark)| mark.is_none()) {
        if waiting.lock().unwrap_or_else(PoisonError::into_inner).len() <= *left {
            *mark = Some(worker.resident_bytes()?);
        } else {
            tokio::time::sleep(PROBE_EVERY).await;
        }
    }
    let mut turned_away = 0;
    let mut answers = Vec::with_capacity(requests);
    while let Some(some) = connections.join_next().await {
        let some = some??;
        turned_away += some.turned_away;
        answers.extend(some.answers);
    }
    let took = started.elapsed();
    let counted = answers.iter().map(|text| counted(text)).sum::<anyhow::Result<u64>>()?;
    ensure!(counted == reports.events, "only {counted} of {} events count", reports.events);
    Ok(Reported { took, turned_away, resident: marks.map(|(_, mark)| mark.unwrap_or_default()) })
}

/// What one connection heard.
#[derive(Default)]
struct Heard {
    answers: Vec<String>,
    turned_away: u64,
}

async fn report_some(url: String, waiting: Arc<Mutex<VecDeque<String>>>) -> anyhow::Result<Heard> {
    // A client of its own is a connection of its own, as no two of its requests run at once.
    let http = Client::builder().pool_max_idle_per_host(1).no_proxy().build()?;
    let mut heard = Heard::default();
    while let Some(body) = next(&waiting) {
        loop {
            let call = http.post(&url).bearer_auth(TOKEN).header("content-type", "application/json");
            let answer = call.body(body.clone()).send().await?;
            let (status, text) = (answer.status(), answer.text().await?);
            if status == StatusCode::OK {
                heard.answers.push(text);
                break;
            }
            ensure!(status == StatusCode::SERVICE_UNAVAILABLE, "{url} answers {status}: {text}");
            heard.turned_away += 1;
            tokio::time::sleep(PROBE_EVERY).await;
        }
    }
    Ok(heard)
}

fn next(waiting: &Mutex<VecDeque<String>>) -> Option<String> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

fn counted(answer: &str) -> anyhow::Result<u64> {
    let Answer { results } = serde_json::from_str(answer).context("an answer of /v1/usage")?;
    Ok(u64::try_from(results.iter().filter(|result| result.status == "counted").count())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_in_one_request_and_requests_are_of_the_size_asked_for() {
        let at = Timestamp::from_micros(0);
        let reports = Reports::of(250, 10, 100, at).unwrap();
        let sizes: Vec<usize> = reports.bodies.iter().map(|body| body.matches("\"id\"").count()).collect();
        assert_eq!((sizes, reports.events), (vec![100, 100, 50], 250));
    }

    #[test]
    fn an_event_that_is_held_does_not_count() {
        let answer =
            r#"{"results":[{"index":0,"id":"a","status":"counted"},{"index":1,"id":"b","status":"held"}]}"#;
        assert_eq!(counted(answer).unwrap(), 1);
    }
}
