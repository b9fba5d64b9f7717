use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use clap::ValueEnum;
use metrics_exporter_prometheus::PrometheusHandle;
use stallkeeper_aws::{Account, MeteringClient, QueueUrl, RegistrationClient, sdk_config, sqs_client};
use stallkeeper_contract::{ASK, AskSettings, Asker};
use stallkeeper_entitlement::entitlements;
use stallkeeper_metering::{Lane, MeteringConfig, MeteringHealth, Mode, Reporter};
use stallkeeper_notification::Verifier;
use stallkeeper_outbox::{Outbox, OutboxConfig, RetryPolicy, WakeRunner};
use stallkeeper_persistence::usage::{MeterTermsOf, usage_desk};
use stallkeeper_persistence::{Committer, JobKind, SharedDoor, Store, TermsOf, batcher};
use stallkeeper_poller::{Poller, PollerHealth, SqsQueue};
use stallkeeper_registration::{Desk, DeskConfig};
use stallkeeper_runtime::{
    Backoff, FinalStatus, Shutdown, SystemEntropy, Tasks, WallClock, listen_for_signals, sleep_or_cancelled,
};
use stallkeeper_web::console::{Access, Console, Operators, console_routes};
use stallkeeper_web::{
    AccessApi, ApiTokens, ConnectionBounds, LateRoutes, MetricsText, Public, StoredUsage, access_routes,
    api_routes, internal_routes, public_routes, serve, serve_outsiders,
};
use stallkeeper_webhook::{Channels, DELIVER, DELIVER_ENDING, Deliverer, Publisher};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::look_ups::entitlement_apis;
use super::{Housekeeper, NotificationHandler, WorkerReadiness, metrics};
use crate::config::{Config, LaneConfig, Marketplace, RegistrationConfig};
use crate::console::StoredConsole;
use crate::simulated_clock::Follower;
use crate::store;
use crate::webhooks::{StoredDeliveries, channels};

const CONNECT_RETRY_INITIAL: Duration = Duration::from_millis(500);
const CONNECT_RETRY_CAP: Duration = Duration::from_secs(10);

/// The lanes of deliveries: what a task is called, and how each kind is tried.
const LANES: [(&str, &[(JobKind, RetryPolicy)]); 2] = [
    (
        "deliveries",
        &[
            (JobKind::Deliver, DELIVER),
            (JobKind::DeliverEntitlement, DELIVER),
            (JobKind::DeliverLoss, DELIVER),
            (JobKind::DeliverRisk, DELIVER),
        ],
    ),
    ("endings", &[(JobKind::DeliverEnding, DELIVER_ENDING)]),
];

/// How many questions about entitlements are asked side by side.
const LOOK_UPS: u32 = 8;
/// Longer than the longest answer takes with all its pages, which wait for their quota.
const LOOK_UP_LEASE: Duration = Duration::from_mins(5);

/// What a worker does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Everything.
    #[default]
    All,
    /// Takes notifications in.
    Poll,
    /// Runs stored jobs.
    Jobs,
    /// Closes hours and reports usage.
    Meter,
    /// Takes usage in over HTTP and answers the app.
    Web,
}

impl Role {
    fn is(self, role: Self) -> bool {
        self == Self::All || self == role
    }
}

/// One running worker.
pub struct Worker {
    config: Arc<Config>,
    clock: Arc<dyn WallClock>,
    shutdown: Shutdown,
    tasks: Tasks,
    metrics: PrometheusHandle,
    metering: MeteringConfig,
    listener: Option<TcpListener>,
}

impl Worker {
    /// A worker that does nothing yet but collect the process's metrics; there can be one in a process.
    ///
    /// # Errors
    /// When metrics are collected already.
    pub fn new(config: Config, clock: Arc<dyn WallClock>) -> anyhow::Result<Self> {
        let shutdown = Shutdown::new();
        let (config, tasks) = (Arc::new(config), Tasks::new(shutdown.clone()));
        let (metrics, metering) = (metrics::install()?, MeteringConfig::default());
        Ok(Self { config, clock, shutdown, tasks, metrics, metering, listener: None })
    }

    /// Whether usage is reported to marketplaces; it is unless this says otherwise.
    #[must_use]
    pub fn with_metering(mut self, mode: Mode) -> Self {
        self.metering.mode = mode;
        self
    }

    /// How long metering rests at the most before it looks at the clock again, which may have been moved.
    #[must_use]
    pub fn looking_every(mut self, rest: Duration) -> Self {
        self.metering.poll = rest;
        self
    }

    /// Serves health, metrics and the app's API here, in place of where the configuration says.
    #[must_use]
    pub fn listening_on(self, listener: TcpListener) -> Self {
        Self { listener: Some(listener), ..self }
    }

    /// Keeps the worker's clock at a simulator's time for as long as it works.
    pub fn follow_clock(&self, follower: Follower) {
        self.tasks.spawn("clock", follower.run(self.shutdown.soft.clone()));
    }

    /// What stops it from elsewhere.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// What renders its metrics as text.
    pub fn metrics(&self) -> MetricsText {
        metrics::text(&self.metrics)
    }

    /// Works until it is told to stop, then finishes what runs.
    ///
    /// # Errors
    /// When it cannot start, or a part of it failed.
    pub async fn run(mut self, role: Role) -> anyhow::Result<()> {
        listen_for_signals(&self.shutdown, &self.tasks, self.config.shutdown_grace)?;
        self.tasks.spawn("metrics", metrics::upkeep(self.metrics.clone(), self.shutdown.soft.clone()));
        let readiness = Arc::new(WorkerReadiness::new(self.shutdown.soft.clone()));
        let listener = self.listen().await?;
        tracing::info!(address = %listener.local_addr()?, "health and metrics are served");
        let routes = LateRoutes::new(internal_routes(readiness.clone(), self.metrics()));
        // Served until the very end, so that a stopping worker still answers.
        self.tasks.spawn("web", serve(listener, routes.clone(), self.shutdown.hard.clone()));
        let ended = self.work(role, &readiness, &routes).await;
        self.shutdown.stop_now();
        let status = self.tasks.close_and_wait().await;
        ended?;
        match status {
            FinalStatus::Clean => Ok(()),
            FinalStatus::Failed { task } => {
                anyhow::bail!("the task {} failed; see the log", task.unwrap_or("that did not let go"))
            }
        }
    }

    async fn listen(&mut self) -> anyhow::Result<TcpListener> {
        if let Some(listener) = self.listener.take() {
            return Ok(listener);
        }
        let address = self.config.internal_listen;
        TcpListener::bind(address).await.with_context(|| format!("internal_listen {address}"))
    }

    /// Everything but what has to outlive the work.
    async fn work(
        &self,
        role: Role,
        readiness: &Arc<WorkerReadiness>,
        late: &LateRoutes,
    ) -> anyhow::Result<()> {
        let Some(store) = self.open_store().await? else { return Ok(()) };
        let work = Tasks::new(self.shutdown.clone());
        let channels = channels(&self.config).await?;
        let terms: Arc<dyn TermsOf> = self.config.clone();
        let (committer, batcher) = batcher(store.clone(), self.clock.clone(), terms);
        readiness.commits_started(committer.health());
        work.spawn("commit", unless(self.shutdown.hard.clone(), batcher.run()));
        if role.is(Role::Web) {
            let door = self.open_door(&work, &committer);
            let desk = Arc::new(self.desk(store.clone(), door.clone()).await);
            self.serve_public(&work, desk.clone()).await?;
            let console = self.console(store.clone(), door, readiness, channels.clone())?;
            let access = self.start_entitlements(&work, store.clone(), desk);
            readiness.entitlements_started(access.entitlements.clone());
            late.open(self.start_api(&work, store.clone(), access)?.merge(console));
        }
        // Only now, so that a worker that is ready answers buyers, too.
        readiness.store_opened(store.clone());
        if role.is(Role::Meter) {
            readiness.metering_started(self.start_metering(&work, store.clone(), &committer).await);
        }
        if role.is(Role::Jobs) {
            self.start_look_ups(&work, &store, &committer).await;
            self.start_jobs(&work, store, &committer, &channels);
        }
        if role.is(Role::Poll) {
            readiness.pollers_started(self.start_pollers(&work, &committer).await?);
        }
        drop(committer);
        match work.close_and_wait().await {
            FinalStatus::Clean => Ok(()),
            FinalStatus::Failed { task } => {
                anyhow::bail!("the task {} failed; see the log", task.unwrap_or("that did not let go"))
            }
        }
    }

    /// Waits for the database for as long as it takes; none where the worker is told to stop first.
    async fn open_store(&self) -> anyhow::Result<Option<Arc<dyn Store>>> {
        let url = self.config.required_database_url()?;
        let mut backoff = Backoff::new(CONNECT_RETRY_INITIAL, CONNECT_RETRY_CAP);
        loop {
            match store::open_migrated(url).await {
                Ok(store) => return Ok(Some(store)),
                Err(store::OpenError::Unavailable(error)) => {
                    let delay = backoff.next_delay();
                    tracing::warn!(error = &*error, ?delay, "the database cannot be opened, will try again");
                    if sleep_or_cancelled(&self.shutdown.soft, delay).await.is_break() {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn start_pollers(
        &self,
        work: &Tasks,
        committer: &Committer,
    ) -> anyhow::Result<Vec<(String, PollerHealth)>> {
        let verifier = Arc::new(self.config.verifier()?);
        let mut health = Vec::new();
        for marketplace in &self.config.marketplaces {
            let Some(queue_url) = &marketplace.queue_url else { continue };
            let poller = self.poller(marketplace, queue_url, verifier.clone(), committer.clone()).await?;
            health.push((marketplace.name.to_string(), poller.health()));
            let shutdown = self.shutdown.clone();
            work.spawn("poller", async move { poller.run(&shutdown).await });
        }
        anyhow::ensure!(
            !health.is_empty(),
            "no marketplace has a queue_url, so there is nothing to poll; see `stallkeeper config default`"
        );
        Ok(health)
    }

    async fn poller(
        &self,
        marketplace: &Marketplace,
        queue_url: &QueueUrl,
        verifier: Arc<Verifier>,
        committer: Committer,
    ) -> anyhow::Result<Poller> {
        let account = marketplace.account();
        let client = sqs_client(&sdk_config(&account).await, &account);
        let queue = Arc::new(SqsQueue::new(&client, queue_url.as_str()));
        let feed = marketplace.feed(&self.config)?;
        let handler = Arc::new(NotificationHandler::new(feed, verifier, committer, self.clock.clone()));
        let name = marketplace.name.to_string();
        Poller::new(name.clone(), queue, handler, self.config.queue.poller_config())
            .with_context(|| format!("queue of the marketplace {name}"))
    }

    /// Takes usage in from now on; answers the routes that the app calls.
    fn start_api(&self, work: &Tasks, store: Arc<dyn Store>, access: AccessApi) -> anyhow::Result<Router> {
        let terms: Arc<dyn MeterTermsOf> = self.config.clone();
        let (intake_desk, intake) = usage_desk(store.clone(), self.clock.clone(), terms.clone());
        let soft = self.shutdown.soft.clone();
        let intake = async move { intake.run(soft.cancelled()).await };
        work.spawn("usage", unless(self.shutdown.hard.clone(), intake));
        let usage = StoredUsage { store, desk: intake_desk, clock: self.clock.clone(), terms };
        let tokens = ApiTokens::new(self.config.api_tokens.iter().cloned()).context("api_token")?;
        Ok(api_routes(Arc::new(usage), &tokens).merge(access_routes(Arc::new(access), &tokens)))
    }

    /// Follows the store from now on; answers what the routes about access need.
    fn start_entitlements(&self, work: &Tasks, store: Arc<dyn Store>, desk: Arc<Desk>) -> AccessApi {
        let catalog = Arc::new(self.config.catalog());
        let max_age = self.config.entitlements_max_age;
        let (entitlements, follower) = entitlements(store.clone(), self.clock.clone(), &catalog, max_age);
        let soft = self.shutdown.soft.clone();
        let following = async move { follower.run(&soft).await };
        work.spawn("entitlements", unless(self.shutdown.hard.clone(), following));
        AccessApi {
            entitlements,
            store,
            clock: self.clock.clone(),
            terms: self.config.clone(),
            desk,
            catalog,
        }
    }

    /// The way through the commit for whoever calls, until the worker is told to stop.
    fn open_door(&self, work: &Tasks, committer: &Committer) -> SharedDoor {
        let door = SharedDoor::new(committer.clone(), self.clock.clone());
        let (shut, soft) = (door.clone(), self.shutdown.soft.clone());
        work.spawn("door", async move {
            soft.cancelled().await;
            shut.shut();
        });
        door
    }

    /// Where buyers are let in.
    async fn desk(&self, store: Arc<dyn Store>, door: SharedDoor) -> Desk {
        let mut entrances = Vec::new();
        for marketplace in &self.config.marketplaces {
            // Tokens are resolved where the marketplace is, wherever the queue lies.
            let account = Account { region: marketplace.region.clone(), ..marketplace.account() };
            let client = Arc::new(RegistrationClient::new(&sdk_config(&account).await, &account));
            entrances.extend(RegistrationConfig::entrance(&self.config, marketplace, client));
        }
        Desk::new(DeskConfig {
            store,
            door: Arc::new(door),
            clock: self.clock.clone(),
            terms: self.config.clone(),
            entropy: Arc::new(SystemEntropy),
            entrances,
            way: self.config.registration.way.clone(),
        })
    }

    /// Serves buyers' pages, where the configuration says that and where.
    async fn serve_public(&self, work: &Tasks, desk: Arc<Desk>) -> anyhow::Result<()> {
        let (Some(address), Some(url)) = (self.config.public_listen, self.config.public_url.clone()) else {
            return Ok(());
        };
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("public_listen {address}"))?;
        tracing::info!(address = %listener.local_addr()?, "buyers' pages are served");
        let seller = self.config.registration.seller.clone();
        let routes = public_routes(Public { desk, seller, url });
        let bounds = ConnectionBounds::default();
        work.spawn("public", serve_outsiders(listener, routes, bounds, self.shutdown.soft.clone()));
        Ok(())
    }

    /// The operators' console.
    fn console(
        &self,
        store: Arc<dyn Store>,
        door: SharedDoor,
        readiness: &Arc<WorkerReadiness>,
        channels: Channels,
    ) -> anyhow::Result<Router> {
        let (config, clock, readiness) = (self.config.clone(), self.clock.clone(), readiness.clone());
        let access = Access {
            operators: Operators::new(config.operators.iter().cloned()).context("operator")?,
            jwt: config.console.jwt.clone(),
            is_https: config.console.is_https(),
        };
        let deliveries = Arc::new(StoredDeliveries { store: store.clone(), channels, clock: clock.clone() });
        let api = Arc::new(StoredConsole { store, config, clock, door, readiness });
        let entropy = Arc::new(SystemEntropy);
        Ok(console_routes(Console { api, deliveries, access, entropy })?)
    }

    /// Closes hours and reports usage from now on.
    async fn start_metering(
        &self,
        work: &Tasks,
        store: Arc<dyn Store>,
        committer: &Committer,
    ) -> MeteringHealth {
        let mut lanes = Vec::new();
        for LaneConfig { name, marketplaces, calls_per_sec, account } in self.config.lanes() {
            let client = MeteringClient::new(&sdk_config(&account).await, &account, &account.region);
            lanes.push(Lane { name, marketplaces, api: Arc::new(client), calls_per_sec });
        }
        let (terms, news): (Arc<dyn MeterTermsOf>, _) = (self.config.clone(), committer.metering_news());
        let (holder, config) = (holder(), self.metering.clone());
        let reporter = Reporter::new(store, self.clock.clone(), terms, lanes, &holder, news, config);
        let health = reporter.health();
        let (committer, soft) = (committer.clone(), self.shutdown.soft.clone());
        let reporting = async move { reporter.run(committer, &soft).await };
        work.spawn("metering", unless(self.shutdown.hard.clone(), reporting));
        health
    }

    fn start_jobs(&self, work: &Tasks, store: Arc<dyn Store>, committer: &Committer, channels: &Channels) {
        let wake = Arc::new(WakeRunner::new(committer.clone(), self.clock.clone()));
        let outbox =
            Outbox::new(store.clone(), self.clock.clone(), committer.jobs_written(), OutboxConfig::default())
                .with_runner(JobKind::Wake, wake);
        let outbox = self.start_deliveries(work, &store, outbox, channels);
        let stop = self.shutdown.soft.clone();
        work.spawn("outbox", unless(self.shutdown.hard.clone(), async move { outbox.run(&stop).await }));
        let Config { inbox_retention, usage_retention, delivery_retention, .. } = *self.config;
        let housekeeper =
            Housekeeper::new(store, self.clock.clone(), inbox_retention, usage_retention, delivery_retention);
        let keeping = housekeeper.run(self.shutdown.soft.clone());
        work.spawn("housekeeper", unless(self.shutdown.hard.clone(), keeping));
    }

    /// Asks marketplaces what buyers are entitled to, in a lane of its own: an answer may be slow, and questions
    /// wait for their quota.
    async fn start_look_ups(&self, work: &Tasks, store: &Arc<dyn Store>, committer: &Committer) {
        let asker = Arc::new(Asker::new(AskSettings {
            apis: entitlement_apis(&self.config).await,
            store: store.clone(),
            committer: committer.clone(),
            terms: self.config.clone(),
            clock: self.clock.clone(),
        }));
        let written = committer.slow_jobs_written();
        // More would only wait for the quota, and their leases would run out.
        let config = OutboxConfig { concurrency: LOOK_UPS, lease: LOOK_UP_LEASE, ..OutboxConfig::default() };
        let mut lane = Outbox::new(store.clone(), self.clock.clone(), written, config);
        for kind in Asker::KINDS {
            lane = lane.with_fan_out(kind, asker.clone()).with_policy(kind, ASK);
        }
        let (lane, stop) = (Arc::new(lane), self.shutdown.soft.clone());
        let asking = async move { lane.run_overlapping(&stop).await };
        work.spawn("look-ups", unless(self.shutdown.hard.clone(), asking));
    }

    /// Has the outbox publish announcements, and delivers what it publishes. Each endpoint has lanes of its own, so
    /// that one that hangs keeps no other waiting, and one of them is for open final-usage windows, so that these wait
    /// behind nothing else.
    fn start_deliveries(
        &self,
        work: &Tasks,
        store: &Arc<dyn Store>,
        outbox: Outbox,
        channels: &Channels,
    ) -> Outbox {
        if channels.is_empty() {
            return outbox;
        }
        let publisher = Arc::new(Publisher::new(channels.clone(), self.clock.clone()));
        let deliverer = Arc::new(Deliverer::new(channels.clone(), store.clone(), self.clock.clone()));
        let mut outbox = outbox
            .with_fan_out(JobKind::Publish, publisher.clone())
            .with_fan_out(JobKind::PublishEnding, publisher.clone())
            .with_fan_out(JobKind::PublishLoss, publisher.clone())
            .with_fan_out(JobKind::PublishRisk, publisher);
        let endpoints = channels.names().map(Some);
        // Besides, for all: news of usage, and what is left of endpoints that are configured no more.
        for (endpoint, (name, kinds)) in endpoints.chain([None]).flat_map(|one| LANES.map(|lane| (one, lane)))
        {
            let written = Arc::new(Notify::new());
            outbox = outbox.telling(written.clone());
            let mut lane = Outbox::new(store.clone(), self.clock.clone(), written, OutboxConfig::default());
            if let Some(endpoint) = endpoint {
                lane = lane.only_for(endpoint);
            }
            for (kind, policy) in kinds {
                lane = lane.with_runner(*kind, deliverer.clone()).with_policy(*kind, *policy);
            }
            let (lane, stop) = (Arc::new(lane), self.shutdown.soft.clone());
            let delivering = async move { lane.run_overlapping(&stop).await };
            work.spawn(name, unless(self.shutdown.hard.clone(), delivering));
        }
        outbox
    }
}

/// What this process is called in leases: the machine's name and the process's number.
fn holder() -> String {
    let machine = std::env::var("HOSTNAME").unwrap_or_else(|_| "worker".to_owned());
    format!("{machine}/{}", std::process::id())
}

/// Work that is let go at a hard stop, even in the middle: transactions roll back, leases run out.
async fn unless(hard: CancellationToken, work: impl Future<Output = ()> + Send) {
    tokio::select! {
        biased;
        () = hard.cancelled() => {}
        () = work => {}
    }
}
