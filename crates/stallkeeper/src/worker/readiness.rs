use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use stallkeeper_entitlement::{Entitlements, NotNow};
use stallkeeper_metering::{LaneTrouble, MeteringHealth};
use stallkeeper_persistence::{CommitHealth, Store};
use stallkeeper_poller::{PollerHealth, Standing};
use stallkeeper_web::{Problem, Readiness};
use tokio_util::sync::CancellationToken;

/// How long the database may take to answer before it counts as down.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether the worker can do its work: its database answers, its queues can be read, and it is not stopping.
pub struct WorkerReadiness {
    store: OnceLock<Arc<dyn Store>>,
    commits: OnceLock<CommitHealth>,
    pollers: OnceLock<Vec<(String, PollerHealth)>>,
    metering: OnceLock<MeteringHealth>,
    entitlements: OnceLock<Entitlements>,
    stopping: CancellationToken,
}

impl WorkerReadiness {
    /// Not ready, until it is told of a store.
    pub fn new(stopping: CancellationToken) -> Self {
        Self {
            store: OnceLock::new(),
            commits: OnceLock::new(),
            pollers: OnceLock::new(),
            metering: OnceLock::new(),
            entitlements: OnceLock::new(),
            stopping,
        }
    }

    /// The database is open; a second one is not taken.
    pub fn store_opened(&self, store: Arc<dyn Store>) {
        let _first_counts = self.store.set(store);
    }

    /// Commits are made; a second kind is not taken.
    pub fn commits_started(&self, commits: CommitHealth) {
        let _first_counts = self.commits.set(commits);
    }

    /// These queues are polled; a second list is not taken.
    pub fn pollers_started(&self, pollers: Vec<(String, PollerHealth)>) {
        let _first_counts = self.pollers.set(pollers);
    }

    /// Usage is reported; a second kind is not taken.
    pub fn metering_started(&self, metering: MeteringHealth) {
        let _first_counts = self.metering.set(metering);
    }

    /// Questions about who may use what are answered; a second kind is not taken.
    pub fn entitlements_started(&self, entitlements: Entitlements) {
        let _first_counts = self.entitlements.set(entitlements);
    }

    /// The queues that this process polls.
    pub fn pollers(&self) -> &[(String, PollerHealth)] {
        self.pollers.get().map(Vec::as_slice).unwrap_or_default()
    }

    /// The lanes of metering that are in trouble.
    pub fn lane_troubles(&self) -> Vec<LaneTrouble> {
        self.metering.get().map(MeteringHealth::troubles).unwrap_or_default()
    }

    fn metering_problems(&self) -> Vec<Problem> {
        let problem = |trouble: LaneTrouble| Problem {
            part: format!("metering {}", trouble.lane),
            problem: trouble.problem,
            remedy: trouble.remedy,
        };
        self.lane_troubles().into_iter().map(problem).collect()
    }

    /// Before all is read once, nobody can be told what he may use; later on the database's own problem says it all.
    fn entitlements_problem(&self) -> Option<Problem> {
        match self.entitlements.get()?.trouble()? {
            trouble @ NotNow::NotLoaded => Some(Problem {
                part: "entitlements".to_owned(),
                problem: trouble.to_string(),
                remedy: "wait until they are read; until then, questions are answered with 503".to_owned(),
            }),
            NotNow::Stale { .. } => None,
        }
    }

    async fn database_problem(&self) -> Option<Problem> {
        let remedy = "start it or restore the way to it; messages stay in the queue until then".to_owned();
        let part = "database".to_owned();
        let Some(store) = self.store.get() else {
            return Some(Problem { part, problem: "it is not open yet".to_owned(), remedy });
        };
        let problem = match tokio::time::timeout(PING_TIMEOUT, store.ping()).await {
            // It answers; whether it takes anything is another question, as where the disk is full.
            Ok(Ok(())) => {
                format!("it does not store: {}", self.commits.get().and_then(CommitHealth::trouble)?)
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it did not answer within {} s", PING_TIMEOUT.as_secs()),
        };
        Some(Problem { part, problem, remedy })
    }

    fn queue_problems(&self) -> Vec<Problem> {
        self.pollers().iter().filter_map(|(name, health)| queue_problem(name, health)).collect()
    }
}

fn queue_problem(name: &str, health: &PollerHealth) -> Option<Problem> {
    match health.snapshot().standing {
        Standing::Failing(problem) if problem.kind.blocks_readiness() => Some(Problem {
            part: format!("queue {name}"),
            problem: format!("{}: {}", problem.kind, problem.detail),
            remedy: problem.kind.remedy().to_owned(),
        }),
        // A first receive from an empty queue takes as long as its long poll.
        Standing::Starting | Standing::Working | Standing::Failing(_) => None,
    }
}

#[async_trait]
impl Readiness for WorkerReadiness {
    async fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self.database_problem().await.into_iter().collect();
        problems.extend(self.queue_problems());
        problems.extend(self.metering_problems());
        problems.extend(self.entitlements_problem());
        if self.stopping.is_cancelled() {
            problems.push(Problem {
                part: "worker".to_owned(),
                problem: "it is stopping".to_owned(),
                remedy: "none is needed".to_owned(),
            });
        }
        problems
    }
}
