use serde_json::Value;

use super::verdict::View;
use crate::{Installation, Worker};

/// Messages of a worker that was killed come again soon.
const SETTINGS: [(&str, &str); 2] =
    [("STALLKEEPER_QUEUE_WAIT_SECS", "2"), ("STALLKEEPER_QUEUE_VISIBILITY_SECS", "6")];
const IN_HAND: &str = "stallkeeper_queue_in_flight";

/// Workers on one database.
#[derive(Debug)]
pub(super) struct Crew {
    installation: Installation,
    workers: Vec<Worker>,
}

impl Crew {
    /// Brings the database to its schema and starts so many workers.
    pub(super) fn start(config: &str, database_url: &str, workers: usize) -> Self {
        let mut installation = Installation::new(config, database_url);
        for (name, value) in SETTINGS {
            installation = installation.variable(name, value);
        }
        installation.run(&["migrate"]).expect_success();
        let mut crew = Self { installation, workers: Vec::new() };
        (0..workers).for_each(|_| crew.add());
        crew
    }

    pub(super) fn len(&self) -> usize {
        self.workers.len()
    }

    /// One more, which is not ready yet.
    pub(super) fn add(&mut self) {
        self.workers.push(self.installation.start());
    }

    /// Hands one over, which no longer belongs to the crew.
    pub(super) fn take(&mut self, index: usize) -> Worker {
        self.workers.swap_remove(index)
    }

    pub(super) async fn wait_until_ready(&mut self) {
        for worker in &mut self.workers {
            worker.wait_until_ready().await;
        }
    }

    /// Panics, with its log, where a worker ended that nobody told to.
    pub(super) fn assert_alive(&mut self) {
        for worker in &mut self.workers {
            assert!(!worker.has_ended(), "a worker ended by itself:\n{}", worker.logs());
        }
    }

    /// Whether a worker says that the database is away.
    pub(super) async fn misses_the_database(&self) -> bool {
        for worker in &self.workers {
            if worker.problems().await.iter().any(|problem| problem.part == "database") {
                return true;
            }
        }
        false
    }

    /// Every subscription as `subscriptions list` tells it.
    pub(super) fn views(&self) -> Vec<View> {
        let (mut views, mut after) = (Vec::new(), None);
        loop {
            let mut args = vec!["subscriptions", "list", "--json", "--limit", "1000"];
            args.extend(after.iter().flat_map(|key: &String| ["--after", key.as_str()]));
            let list = self.installation.run(&args).json();
            let page = list.get("subscriptions").and_then(Value::as_array).expect("a list of subscriptions");
            let read = |line: &Value| serde_json::from_value(line.clone()).expect("a subscription's line");
            views.extend(page.iter().map(read));
            after = list.get("next_after").and_then(Value::as_str).map(str::to_owned);
            if after.is_none() {
                return views;
            }
        }
    }
}

/// How many messages a worker has in its hands; none as long as it is not ready.
pub(super) async fn in_hand(worker: &Worker) -> u64 {
    if !worker.is_ready().await {
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let count = worker.metric(IN_HAND).await.max(0.0) as u64;
    count
}
