//! The marketplace, the worker and the database of one demonstration.

use std::fs;
use std::net::Ipv4Addr;
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
use time::{OffsetDateTime, UtcOffset};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use url::Url;

use super::app::App;
use super::check::{Mismatch, Registrations, Views, compare};
use super::configuration::{self, Metered, QUEUE, Served};
use super::outcome::{Notifications, Sent};
use super::usage_check::Lost;
use crate::commands::act::submit;
use crate::config::{Config, DatabaseKind};
use crate::simulated_clock::drawn;
use crate::store;
use crate::worker::{Role, Worker};

/// How long nothing may be taken in, before the worker is held to be stuck; above the time for which an
/// unanswered receive hides its messages.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);
/// How often progress is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long metering rests at the most: its clock is moved by hours at a time.
const METERING_RESTS: Duration = Duration::from_millis(50);

/// Whether a crowd comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// It does, and moves the clock so fast that nobody could report every idle hour of everyone.
    Comes,
    /// It does not.
    StaysAway,
}

/// Whether somebody is to find it open afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It stays open, with a shop, a console and a page for buyers.
    StaysOpen,
    /// It is closed.
    Closes,
}

/// Everything that a demonstration needs, running.
pub struct Stage {
    pub(super) simulator: Simulator,
    pub(super) config: Config,
    pub(super) store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    worker: JoinHandle<anyhow::Result<()>>,
    pub(super) shutdown: Shutdown,
    metrics: MetricsText,
    registrations: Mutex<Registrations>,
    pub(super) app: App,
    pub(super) planted: Mutex<Vec<Lost>>,
    served: Option<Served>,
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
    pub async fn open(
        seed: u64,
        database: Option<SecretString>,
        crowd: Crowd,
        afterwards: Afterwards,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("there is no place for temporary files")?;
        let served = match afterwards {
            Afterwards::StaysOpen => Some(served().await?),
            Afterwards::Closes => None,
        };
        let mut products = configuration::metered_products();
        if let Some(served) = &served {
            let url = served.fulfilment_url();
            products = products.into_iter().map(|product| product.with_fulfilment_url(&url)).collect();
        }
        let simulator =
            Simulator::start(SimulatorConfig { seed, products, ..SimulatorConfig::default() }).await?;
        let now = simulator.clock().now();
        simulator.market().advance((morning(now) - now).try_into()?).await?;
        let metered = metered(crowd, served.clone());
        let config = worker_config(&simulator, &folder, database, &metered)?;
        let store = store::open_migrated(config.required_database_url()?).await?;
        let before = store.subscriptions(&SubscriptionFilter::All, &Page::first(1)).await?;
        ensure!(before.is_empty(), "the database has subscriptions already; give the demo an empty one");
        let clock: Arc<dyn WallClock> = Arc::new(SharedClock(simulator.clock()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port is free")?;
        let url = Url::parse(&format!("http://{}/", listener.local_addr()?))?;
        let app = App::new(url, metered.token)?;
        let worker = Worker::new(config.clone(), clock.clone())?;
        let worker = worker.listening_on(listener).looking_every(METERING_RESTS);
        let (shutdown, metrics) = (worker.shutdown(), worker.metrics());
        let worker = spawn(worker);
        let (registrations, planted) = (Mutex::default(), Mutex::default());
        Ok(Self {
            simulator,
            config,
            store,
            clock,
            worker,
            shutdown,
            metrics,
            registrations,
            app,
            planted,
            served,
            folder,
        })
    }

    /// The marketplace.
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// The app that reports usage.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        Timestamp::from(self.simulator.clock().now())
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

    /// What it has for people, if it stays open for them.
    pub fn served(&self) -> Option<&Served> {
        self.served.as_ref()
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

/// The next nine o'clock from which weeks are left in the month: hours and months end where the story says so,
/// whenever it is told.
fn morning(now: OffsetDateTime) -> OffsetDateTime {
    const NINE: time::Time = time::macros::time!(9:00:01);
    let today = now.to_offset(UtcOffset::UTC).date();
    let days = (1..=14).map(|days| today.saturating_add(time::Duration::days(days)));
    let day = days.into_iter().find(|day| (2..=17).contains(&day.day())).unwrap_or(today);
    day.with_time(NINE).assume_utc()
}

/// Reports hours without usage, too, unless that would be too many.
fn metered(crowd: Crowd, served: Option<Served>) -> Metered {
    let zero_records = match crowd {
        Crowd::Comes => "skip",
        Crowd::StaysAway => "send",
    };
    Metered { token: token(), zero_records, served }
}

fn token() -> SecretString {
    format!("{:016x}{:016x}", drawn(), drawn()).into()
}

/// A port for buyers that was free a moment ago, as the worker opens it by its configuration.
async fn served() -> anyhow::Result<Served> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port is free")?;
    Ok(Served { public: listener.local_addr()?, operator_token: token() })
}

fn worker_config(
    simulator: &Simulator,
    folder: &TempDir,
    database: Option<SecretString>,
    metered: &Metered,
) -> anyhow::Result<Config> {
    let path = configuration::write(simulator, folder.path(), Some(metered))?;
    let text = fs::read_to_string(path)?;
    let mut config = Config::parse(Some(("the demo's configuration", &text)), [])?;
    if let Some(url) = database {
        config.database_url = Some(url);
    }
    Ok(config)
}
