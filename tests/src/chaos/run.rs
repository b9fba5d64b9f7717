use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::json;
use xtask::postgres::{Cluster, Durability};

use super::crew::{Crew, in_hand};
use super::load::Load;
use super::outcome;
use super::plan::{Event, Plan, Stop, weather};
use super::report::{Report, Tally};
use crate::market::Market;
use crate::{Database, Worker, eventually};

/// For each thing that is waited for, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_mins(3);
const TOLD_EVERY: Duration = Duration::from_secs(3);
/// Past the window of whoever leaves last, and past all that may still be tried in it.
const LAST_MOVE: Duration = Duration::from_hours(2);
const KILL_ATTEMPTS_MAX: usize = 100;

/// A run that is under way.
pub(super) struct Run {
    plan: Plan,
    rng: Rng,
    events: Vec<Event>,
    postgres: Cluster,
    database: Database,
    market: Market,
    crew: Crew,
    load: Load,
    tally: Tally,
    taken_in: usize,
    started: Instant,
    told: Instant,
}

impl Run {
    pub(super) async fn start(plan: &Plan) -> Self {
        let mut rng = Rng::with_seed(plan.seed);
        let events = plan.events(&mut rng);
        let rounds = u64::try_from(events.len()).expect("events can be counted");
        // Durable, or a Postgres that crashes would forget what it has answered.
        let postgres = Cluster::create(Durability::Fsync);
        let postgres = postgres.unwrap_or_else(|error| panic!("no Postgres of its own: {error:#}"));
        let database = Database::Foreign(postgres.url("postgres"));
        let market = Market::start(plan.seed);
        let mut crew = Crew::start(&market.config(), &database.url(), plan.workers);
        crew.wait_until_ready().await;
        let now = Instant::now();
        Self {
            load: Load::new(plan.notifications.div_ceil(rounds.max(1)), plan.seed),
            plan: plan.clone(),
            rng,
            events,
            postgres,
            database,
            market,
            crew,
            tally: Tally::default(),
            taken_in: 0,
            started: now,
            told: now,
        }
    }

    /// A crowd comes, and while it is there something happens; at the end all settles and is judged.
    pub(super) async fn play(mut self) -> Report {
        self.change_weather().await;
        for event in std::mem::take(&mut self.events) {
            self.surge(&event).await;
            self.crew.assert_alive();
            match event {
                Event::Kill => self.kill().await,
                Event::Relieve => self.relieve().await,
                Event::Restart(stop) => self.restart_postgres(stop).await,
                Event::Disconnect => self.disconnect().await,
                Event::Jump(by) => self.jump(by).await,
                Event::Stretch(span) => self.tally.stretched += span,
                Event::Weather => self.change_weather().await,
            }
        }
        self.settle().await;
        let took = self.started.elapsed();
        outcome::judge(&self.plan, self.tally, &self.market, &self.crew, &self.database, took).await
    }

    /// The clock never jumps while a crowd stretches over time: what that crowd does next would lie in the past.
    async fn surge(&mut self, event: &Event) {
        let span = if let Event::Stretch(span) = event { Some(*span) } else { None };
        self.until("the crowd before has acted", async |run| run.load.surge(&run.market, span).await).await;
    }

    async fn kill(&mut self) {
        let before = self.taken_in;
        let number = self.tally.in_hand.len() + 1;
        for _ in 0..KILL_ATTEMPTS_MAX {
            let victim = self.crew.take(self.rng.usize(..self.crew.len()));
            let held = self
                .busy(&format!("there is progress, and work in hand, before kill {number}"), before, &victim)
                .await;
            victim.kill();
            let in_flight = self.market.queues().await.notifications.in_flight;
            self.crew.add();
            if in_flight > 0 {
                self.tally.in_hand.push(held);
                self.tally.in_flight.push(in_flight);
                return;
            }
        }
        panic!("kill {number} met nothing in flight {KILL_ATTEMPTS_MAX} times");
    }

    /// Waits until more is taken in than before and the worker has messages in its hands; gives how many.
    async fn busy(&mut self, what: &str, taken_in_before: usize, worker: &Worker) -> u64 {
        let mut held = 0;
        self.until(what, async |run| {
            run.taken_in = run.database.count("inbox").await;
            let is_under_way = run.is_work_under_way().await;
            held = in_hand(worker).await;
            run.taken_in > taken_in_before && is_under_way && held > 0
        })
        .await;
        held
    }

    /// Whether messages are in flight; the next crowd comes before the queue runs dry.
    async fn is_work_under_way(&mut self) -> bool {
        let depth = self.market.queues().await.notifications;
        if depth.visible + depth.delayed == 0 {
            self.load.surge(&self.market, None).await;
        }
        depth.in_flight > 0
    }

    async fn relieve(&mut self) {
        let mut worker = self.crew.take(self.rng.usize(..self.crew.len()));
        worker.wait_until_ready().await;
        worker.terminate();
        let status = worker.wait().await;
        if !status.success() {
            self.tally.unclean.push(format!("{status}"));
        }
        self.crew.add();
        self.tally.reliefs += 1;
    }

    async fn restart_postgres(&mut self, stop: Stop) {
        self.until("there is work under way", async |run| run.is_work_under_way().await).await;
        let stopped = match stop {
            Stop::Fast => self.postgres.stop(),
            Stop::Immediate => self.postgres.crash(),
        };
        stopped.unwrap_or_else(|error| panic!("Postgres does not stop: {error:#}"));
        self.until("a worker misses the database", async |run| run.crew.misses_the_database().await).await;
        self.postgres.start().unwrap_or_else(|error| panic!("Postgres does not start again: {error:#}"));
        self.tally.restarts += 1;
    }

    async fn disconnect(&mut self) {
        const END_ALL: &str = "SELECT CAST(count(*) FILTER (WHERE pg_terminate_backend(pid)) AS TEXT) \
                               FROM pg_stat_activity WHERE application_name = 'stallkeeper'";
        let mut ended = 0;
        self.until("a worker is connected to Postgres", async |run| {
            let rows = run.database.rows(END_ALL).await;
            ended = rows.first().and_then(|row| row.first()?.parse().ok()).expect("a count is a number");
            ended > 0
        })
        .await;
        self.tally.connections += ended;
        self.tally.disconnects += 1;
    }

    async fn jump(&mut self, by: Duration) {
        self.market.advance(by).await;
        self.tally.jumps += 1;
        self.tally.jumped += by;
    }

    async fn change_weather(&mut self) {
        self.market.set_faults(weather(&mut self.rng)).await;
        self.tally.weathers += 1;
    }

    /// No more faults: what is left to come comes, all windows close, and the workers have nothing to do.
    async fn settle(&mut self) {
        self.market.set_faults(json!({})).await;
        let wanted = self.plan.notifications;
        self.until("all crowds have acted", async |run| {
            let (published, done) = run.load.published(&run.market).await;
            if done && published < wanted {
                run.load.surge(&run.market, None).await;
            }
            done && published >= wanted
        })
        .await;
        self.until_empty().await;
        self.market.advance(LAST_MOVE).await;
        self.until_empty().await;
        let overdue = outcome::overdue(&self.market).await;
        self.until("all timers that are due have run", async |run| run.database.count(&overdue).await == 0)
            .await;
    }

    async fn until_empty(&mut self) {
        self.until("the queue is empty", async |run| {
            run.taken_in = run.database.count("inbox").await;
            run.market.queues().await.notifications.total() == 0
        })
        .await;
        self.crew.assert_alive();
    }

    /// Waits for a condition, and tells now and then how it goes.
    async fn until(&mut self, what: &str, mut condition: impl AsyncFnMut(&mut Self) -> bool) {
        let run = self;
        eventually(what, PATIENCE, async || {
            run.tell().await;
            condition(run).await
        })
        .await;
    }

    async fn tell(&mut self) {
        if self.told.elapsed() < TOLD_EVERY {
            return;
        }
        self.told = Instant::now();
        let (published, _) = self.load.published(&self.market).await;
        let depth = self.market.queues().await.notifications;
        println!(
            "{:>5} s  {published} published, {} taken in, {} kills, {} restarts, {} in flight, {} waiting",
            self.started.elapsed().as_secs(),
            self.taken_in,
            self.tally.in_hand.len(),
            self.tally.restarts,
            depth.in_flight,
            depth.visible + depth.delayed,
        );
    }
}
