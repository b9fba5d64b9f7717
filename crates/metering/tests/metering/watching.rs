use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use stallkeeper_ledger::Risk;
use stallkeeper_metering::{MeteringConfig, Mode, RecordAnswer, Watch};
use stallkeeper_persistence::usage::LedgerStore as _;
use stallkeeper_persistence::{Actor, JobKind, JobState, JobStore as _, Page};

use crate::world::{Configured, World, key, minute};

const MINUTE: Duration = Duration::from_mins(1);

/// What is logged and counted on this thread.
struct Seen {
    log: Arc<Mutex<Vec<u8>>>,
    metrics: PrometheusHandle,
    _guards: (tracing::subscriber::DefaultGuard, metrics::LocalRecorderGuard<'static>),
}

impl Seen {
    fn start() -> Self {
        let log: Arc<Mutex<Vec<u8>>> = Arc::default();
        let writer = Writer(log.clone());
        let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
        let recorder = PrometheusBuilder::new().build_recorder();
        let metrics = recorder.handle();
        let recorder = Box::leak(Box::new(recorder));
        let guards =
            (tracing::subscriber::set_default(subscriber), metrics::set_default_local_recorder(recorder));
        Self { log, metrics, _guards: guards }
    }

    fn lines_with(&self, words: &str) -> usize {
        let log = String::from_utf8(self.log.lock().unwrap().clone()).unwrap();
        log.lines().filter(|line| line.contains(words)).count()
    }

    fn metric(&self, line: &str) -> String {
        let text = self.metrics.render();
        let found = text.lines().find_map(|known| known.strip_prefix(&format!("{line} ")));
        found.unwrap_or_else(|| panic!("no {line} in {text}")).to_owned()
    }
}

#[derive(Clone)]
struct Writer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn watch(world: &World, config: MeteringConfig) -> Watch {
    Watch::new(world.store(), Arc::new(world.clock.clone()), world.terms.clone(), config)
}

#[tokio::test]
async fn a_record_that_nears_its_end_is_warned_of_twice_also_on_hold() {
    let seen = Seen::start();
    let world = World::open().await;
    world.frozen("prod-1", 2).await;
    let search = "search".parse().unwrap();
    world.store.hold_metering(&search, &Actor::Worker, minute(125)).await.unwrap();
    let watch = watch(&world, World::config());
    let mut told = Vec::new();
    for hours in [3, 13, 14, 19, 20, 23] {
        world.set_clock(minute(hours * 60));
        world.sender().step().await.unwrap();
        watch.step().await.unwrap();
        told.push(seen.lines_with("a usage record has used up much of its time"));
    }
    assert_eq!(told, [0, 0, 1, 2, 2, 2], "frozen two hours after its hour began, over after 24");
    assert_eq!(world.market.sizes(), [0; 0]);
    assert_eq!(seen.metric("stallkeeper_usage_unsent_records"), "2");
    assert_eq!(seen.metric("stallkeeper_usage_at_risk_seconds"), "3600");
    let used: f64 = seen.metric("stallkeeper_usage_urgent_used_ratio").parse().unwrap();
    assert!((0.95..0.96).contains(&used), "21 of 22 hours: {used}");
    assert_eq!(seen.metric("stallkeeper_usage_oldest_unsent_age_seconds"), "79200");
}

async fn risks(world: &World) -> Vec<Risk> {
    let jobs = world.store.jobs(JobState::Due, &Page::first(100)).await.unwrap();
    let told = jobs.iter().filter(|one| one.job.kind == JobKind::PublishRisk);
    told.map(|one| serde_json::from_str(&one.job.payload).unwrap()).collect()
}

#[tokio::test]
async fn endpoints_are_told_once_of_each_record_that_has_used_up_half_of_its_time() {
    let world = World::with(Configured { is_published: true, ..Configured::default() }).await;
    world.frozen("prod-1", 2).await;
    let watch = watch(&world, World::config());
    world.set_clock(minute(13 * 60));
    watch.step().await.unwrap();
    assert_eq!(risks(&world).await, [], "frozen two hours after its hour began, over after 24");
    world.set_clock(minute(14 * 60));
    watch.step().await.unwrap();
    let told = risks(&world).await;
    let units: Vec<String> = told.iter().map(|risk| risk.parts.display(risk.scale)).collect();
    assert_eq!(units, ["1", "2"]);
    assert_eq!(told[0].until, minute(24 * 60));
    for job in world.store.claim_jobs(&[JobKind::PublishRisk], minute(14 * 60), MINUTE, 10).await.unwrap() {
        world.store.finish_job(&job).await.unwrap();
    }
    watch.step().await.unwrap();
    assert_eq!(risks(&world).await, []);
}

#[tokio::test]
async fn nobody_is_told_of_records_at_risk_where_no_endpoint_is_configured() {
    let world = World::open().await;
    world.frozen("prod-1", 1).await;
    world.set_clock(minute(14 * 60));
    watch(&world, World::config()).step().await.unwrap();
    assert_eq!(risks(&world).await, []);
}

#[tokio::test]
async fn a_loss_is_told_once_and_counted_by_its_reason() {
    let seen = Seen::start();
    let world = World::open().await;
    world.frozen("prod-1", 1).await;
    world.market.then_each(RecordAnswer::Duplicate { record_id: None });
    let sender = world.sender();
    sender.step().await.unwrap();
    sender.step().await.unwrap();
    watch(&world, World::config()).step().await.unwrap();
    assert_eq!(seen.lines_with("usage is lost"), 1);
    assert_eq!(seen.lines_with(&key("prod-1", "c0000").to_string()), 1);
    assert_eq!(seen.metric("stallkeeper_usage_lost_total{reason=\"conflict\"}"), "1");
    assert_eq!(seen.metric("stallkeeper_usage_records{state=\"conflict\"}"), "1");
}

#[tokio::test]
async fn many_losses_at_once_are_told_as_a_sum() {
    let seen = Seen::start();
    let world = World::open().await;
    world.frozen("prod-1", 25).await;
    world.market.then_each(RecordAnswer::Duplicate { record_id: None });
    world.sender().step().await.unwrap();
    assert_eq!(seen.lines_with("usage is lost: it will not be billed"), 20);
    assert_eq!(seen.lines_with("more usage is lost"), 1);
    assert_eq!(seen.metric("stallkeeper_usage_lost_total{reason=\"conflict\"}"), "25");
}

#[tokio::test]
async fn a_dry_run_says_so_at_start_and_again_after_a_while() {
    let seen = Seen::start();
    let world = World::open().await;
    let dry = watch(&world, MeteringConfig { mode: Mode::DryRun, ..World::config() });
    dry.step().await.unwrap();
    assert_eq!(seen.lines_with("dry run"), 1);
    for _ in 0..40 {
        dry.step().await.unwrap();
    }
    assert_eq!(seen.lines_with("dry run"), 2);
    assert_eq!(seen.metric("stallkeeper_metering_dry_run"), "1");
    watch(&world, World::config()).step().await.unwrap();
    assert_eq!(seen.metric("stallkeeper_metering_dry_run"), "0");
}
