//! What the tests of the loop share.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use stallkeeper_poller::{
    Handler, MemoryQueue, Message, PoisonReason, Poller, PollerConfig, PollerHealth, Verdict,
};
use stallkeeper_runtime::{FakeClock, FinalStatus, Shutdown, Tasks};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Long enough for anything; with paused time it costs nothing.
const PATIENCE: Duration = Duration::from_hours(24);

/// Does with a message what its body says.
#[derive(Default)]
pub(crate) struct Scripted {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    started: Vec<(String, Instant)>,
    finished: Vec<String>,
    poisoned: Vec<String>,
    lost: Vec<String>,
    running: usize,
    running_at_once: usize,
    calls: HashMap<String, u32>,
}

impl Scripted {
    pub(crate) fn started(&self) -> Vec<String> {
        self.seen.lock().unwrap().started.iter().map(|(body, _)| body.clone()).collect()
    }

    pub(crate) fn starts_of(&self, body: &str) -> Vec<Instant> {
        let seen = self.seen.lock().unwrap();
        seen.started.iter().filter(|(started, _)| started == body).map(|(_, at)| *at).collect()
    }

    pub(crate) fn finished(&self) -> Vec<String> {
        self.seen.lock().unwrap().finished.clone()
    }

    pub(crate) fn poisoned(&self) -> Vec<String> {
        self.seen.lock().unwrap().poisoned.clone()
    }

    pub(crate) fn lost(&self) -> Vec<String> {
        self.seen.lock().unwrap().lost.clone()
    }

    pub(crate) fn running_at_once(&self) -> usize {
        self.seen.lock().unwrap().running_at_once
    }

    fn begin(&self, body: &str) -> (u32, Running<'_>) {
        let mut seen = self.seen.lock().unwrap();
        seen.started.push((body.to_owned(), Instant::now()));
        seen.running += 1;
        seen.running_at_once = seen.running_at_once.max(seen.running);
        let calls = seen.calls.entry(body.to_owned()).or_default();
        *calls += 1;
        (*calls, Running(self))
    }
}

struct Running<'a>(&'a Scripted);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.seen.lock().unwrap().running -= 1;
    }
}

#[async_trait]
impl Handler for Scripted {
    async fn handle(&self, message: &Message, lost: CancellationToken) -> Verdict {
        let (calls, _running) = self.begin(&message.body);
        let mut words = message.body.split(' ');
        let verdict = match (words.next().unwrap(), words.next()) {
            ("slow", Some(secs)) => {
                tokio::time::sleep(Duration::from_secs_f64(secs.parse().unwrap())).await;
                Verdict::Ack
            }
            ("retry", None) => Verdict::Retry { after: None },
            ("retry", Some(secs)) => {
                Verdict::Retry { after: Some(Duration::from_secs(secs.parse().unwrap())) }
            }
            ("dead", _) => Verdict::Dead { reason: "on purpose".to_owned() },
            ("panic-once", _) => {
                assert!(calls > 1, "on purpose");
                Verdict::Ack
            }
            ("blocked", Some(times)) if calls <= times.parse().unwrap() => Verdict::Blocked,
            ("ack" | "blocked", _) => Verdict::Ack,
            ("until-lost", _) => {
                lost.cancelled().await;
                self.seen.lock().unwrap().lost.push(message.body.clone());
                Verdict::Retry { after: None }
            }
            other => unreachable!("no such script: {other:?}"),
        };
        self.seen.lock().unwrap().finished.push(message.body.clone());
        verdict
    }

    async fn poison(&self, message: &Message, _why: PoisonReason) -> Verdict {
        self.seen.lock().unwrap().poisoned.push(message.body.clone());
        Verdict::Ack
    }
}

/// A running poller over a queue in memory.
pub(crate) struct Stand {
    pub(crate) queue: MemoryQueue,
    pub(crate) handler: Arc<Scripted>,
    pub(crate) poller: Arc<Poller>,
    pub(crate) health: PollerHealth,
    pub(crate) shutdown: Shutdown,
    tasks: Tasks,
}

pub(crate) fn config(permits: usize) -> PollerConfig {
    PollerConfig { permits, commit_batch: 1, ..PollerConfig::default() }
}

impl Stand {
    /// Prepares a queue, then starts the poller.
    pub(crate) fn start(config: PollerConfig, prepare: impl FnOnce(&MemoryQueue)) -> Self {
        let queue = MemoryQueue::new(Arc::new(FakeClock::new(OffsetDateTime::UNIX_EPOCH)));
        prepare(&queue);
        let handler = Arc::new(Scripted::default());
        let shared: Arc<dyn Handler> = Arc::clone(&handler) as _;
        let poller = Arc::new(Poller::new("test", Arc::new(queue.clone()), shared, config).unwrap());
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        let (running, stop) = (Arc::clone(&poller), shutdown.clone());
        tasks.spawn("poller", async move { running.run(&stop).await });
        Self { queue, handler, health: poller.health(), poller, shutdown, tasks }
    }

    /// Waits until the condition holds, moving paused time along.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !condition(self) {
            assert!(begun.elapsed() < PATIENCE, "never happened: {what}");
            tokio::time::sleep((begun.elapsed() / 200).max(Duration::from_millis(1))).await;
        }
    }

    /// Waits until every message has been deleted.
    pub(crate) async fn emptied(&self) {
        timeout(PATIENCE, self.queue.until_empty()).await.unwrap();
    }

    /// Stops softly and waits for the end.
    pub(crate) async fn stop(&self) {
        self.shutdown.stop();
        self.ended().await;
    }

    pub(crate) async fn ended(&self) {
        let status = timeout(PATIENCE, self.tasks.close_and_wait()).await.unwrap();
        assert_eq!(status, FinalStatus::Clean);
    }
}

/// Lets paused time pass.
pub(crate) fn pass(time: Duration) -> impl Future<Output = ()> {
    tokio::time::sleep(time)
}
