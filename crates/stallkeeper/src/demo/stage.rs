//! The marketplace, the worker and the database of one demonstration.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use secrecy::SecretString;
use stallkeeper_lifecycle::{Binding, Change, SubscriptionKey, TenantId, Timestamp, View};
use stallkeeper_persistence::{Act, Actor, Content, PAGE_MAX, Page, Store, SubscriptionFilter, TermsOf};
use stallkeeper_runtime::{Shutdown, WallClock};
use stallkeeper_simulator::{Entry, MarketClock, Simulator, SimulatorConfig};
use stallkeeper_web::MetricsText;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::check::{Mismatch, Registrations, Views, compare};
use super::configuration::{self, QUEUE};
use super::outcome::{Notifications, Sent};
use crate::commands::act::submit;
use crate::config::{Config, DatabaseKind};
use crate::store;
use crate::worker::{Role, Worker};

/// How long nothing may be taken in, before the worker is held to be stuck; above the time for which an
/// unanswered receive hides its messages.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often progress is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Everything that a demonstration needs, running.
pub struct Stage {
    simulator: Simulator,
    config: Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    worker: JoinHandle<anyhow::Result<()>>,
    shutdown: Shutdown,
    metrics: MetricsText,
    registrations: Mutex<Registrations>,
    folder: TempDir,
}

/// The worker's view of the marketplace's clock: here they are one.
#[derive(Debug)]
struct SharedClock(MarketClock);

impl WallClock for SharedClock {
    fn now(&self) -> OffsetDateTime {
        self.0.now()
    }
}

impl Stage {
    /// Opens the marketplace and starts a worker on the database, or on an SQLite file of its own.
    ///
    /// # Errors
    /// When a part does not start, or the database is not empty.
    pub async fn open(seed: u64, database: Option<SecretString>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("there is no place for temporary files")?;
        let simulator = Simulator::start(SimulatorConfig { seed, ..SimulatorConfig::default() }).await?;
        let config = worker_config(&simulator, &folder, database)?;
        let store = store::open_migrated(config.required_database_url()?).await?;
        let before = store.subscriptions(&SubscriptionFilter::All, &Page::first(1)).await?;
        ensure!(before.is_empty(), "the database has subscriptions already; give the demo an empty one");
        let clock: Arc<dyn WallClock> = Arc::new(SharedClock(simulator.clock()));
        let worker = Worker::new(config.clone(), clock.clone())?;
        let (shutdown, metrics) = (worker.shutdown(), worker.metrics());
        let worker = spawn(worker);
        let registrations = Mutex::default();
        Ok(Self { simulator, config, store, clock, worker, shutdown, metrics, registrations, folder })
    }

    /// The marketplace.
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Where the worker keeps its books.
    pub fn database(&self) -> &'static str {
        let kind = self.config.database_url.as_ref().and_then(DatabaseKind::of);
        kind.map_or("no database", DatabaseKind::as_str)
    }

    /// Waits until the worker has taken in all that was sent.
    ///
    /// # Errors
    /// When it ends, is told to, or makes no headway.
    pub async fn settle(&self) -> anyhow::Result<()> {
        let queue = self.simulator.queue(QUEUE).context("the simulator has no queue")?;
        let (mut done, mut done_at) = (0, Instant::now());
        loop {
            tokio::select! {
                () = queue.drained() => return Ok(()),
                () = self.shutdown.soft.cancelled() => bail!("interrupted"),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let counts = queue.counts();
            if counts.deleted + counts.put != done {
                (done, done_at) = (counts.deleted + counts.put, Instant::now());
            }
            ensure!(
                done_at.elapsed() < PATIENCE,
                "the worker makes no headway: {:?} in the queue; set STALLKEEPER_LOG_FILTER=warn to see why",
                queue.depth()
            );
        }
    }

    /// Says which tenant a subscription belongs to, as a registration would.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn bind(&self, key: SubscriptionKey, tenant: &str) -> anyhow::Result<()> {
        let change = Change::Bind(Binding { tenant: tenant.parse::<TenantId>()?, user: None });
        self.registrations().insert(key.to_string(), tenant.to_owned());
        let act = Act { key, change, actor: Actor::Operator("demo".to_owned()) };
        submit(Content::Act(act), &self.config, self.store.clone(), &self.clock).await?;
        Ok(())
    }

    /// One subscription as the worker sees it at a moment.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn view(&self, key: &SubscriptionKey, now: Timestamp) -> anyhow::Result<Option<View>> {
        let record = self.store.subscription(key).await?;
        Ok(record.map(|record| record.subscription.view(now, self.config.terms(key))))
    }

    /// The marketplace's books, what the worker says at the same moment, and where they differ.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn judge(&self) -> anyhow::Result<Judgement> {
        let mut books = self.simulator.market().books();
        let as_of = self.simulator.clock().now();
        for entry in &mut books {
            entry.standing = entry.standing.at(as_of);
        }
        let views = self.views(Timestamp::from(as_of)).await?;
        let registrations = self.registrations().clone();
        let mismatches = compare(&books, &registrations, &views);
        Ok(Judgement { books, registrations, views, mismatches, notifications: self.notifications() })
    }

    /// Which tenant each subscription was registered for.
    pub fn registrations(&self) -> MutexGuard<'_, Registrations> {
        self.registrations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn views(&self, now: Timestamp) -> anyhow::Result<Views> {
        let mut views = Views::new();
        let mut page = Page::first(PAGE_MAX);
        loop {
            let records = self.store.subscriptions(&SubscriptionFilter::All, &page).await?;
            let Some(last) = records.last() else { return Ok(views) };
            page.after = Some(last.key.clone());
            for record in &records {
                let view = record.subscription.view(now, self.config.terms(&record.key));
                views.insert(record.key.to_string(), view);
            }
        }
    }

    /// What became of the notifications so far.
    pub fn notifications(&self) -> Notifications {
        let queues = self.simulator.queues().all();
        let delivered = self.simulator.queue(QUEUE).map_or(0, |queue| queue.counts().put);
        let dead =
            queues.iter().filter(|queue| queue.name() != QUEUE).map(|queue| queue.depth().total()).sum();
        let journal = self.simulator.market().notifications(0, usize::MAX);
        let lost = journal.iter().filter(|notification| notification.copies == 0).count();
        let sent = Sent { published: journal.len(), lost, delivered, dead_letters: dead };
        Notifications::counted(sent, &(self.metrics)())
    }

    /// How many notifications the worker has taken in so far.
    pub fn taken_in(&self) -> u64 {
        let counted = Notifications::counted(Sent::default(), &(self.metrics)());
        counted.applied + counted.stale + counted.quarantined
    }

    /// The folder of the worker's files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until somebody wants it to end.
    pub async fn interrupted(&self) {
        self.shutdown.soft.cancelled().await;
    }

    /// Stops the worker, then the marketplace.
    ///
    /// # Errors
    /// When the worker failed.
    pub async fn close(self) -> anyhow::Result<()> {
        self.shutdown.stop();
        let ended = self.worker.await.context("the worker broke")?;
        self.simulator.stop().await;
        ended
    }
}

/// What the judge found.
pub struct Judgement {
    /// What the marketplace says.
    pub books: Vec<Entry>,
    /// Who registered.
    pub registrations: Registrations,
    /// What the worker says.
    pub views: Views,
    /// Where they differ.
    pub mismatches: Vec<Mismatch>,
    /// What became of the notifications.
    pub notifications: Notifications,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the worker has tasks of its own, and is waited for in `close`"
)]
fn spawn(worker: Worker) -> JoinHandle<anyhow::Result<()>> {
    tokio::spawn(worker.run(Role::All))
}

fn worker_config(
    simulator: &Simulator,
    folder: &TempDir,
    database: Option<SecretString>,
) -> anyhow::Result<Config> {
    let path = configuration::write(simulator, folder.path())?;
    let text = fs::read_to_string(path)?;
    let mut config = Config::parse(Some(("the demo's configuration", &text)), [])?;
    config.internal_listen.set_port(0);
    if let Some(url) = database {
        config.database_url = Some(url);
    }
    Ok(config)
}
