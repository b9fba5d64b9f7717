//! What becomes of stored jobs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_outbox::{FanOut, JobError, JobRunner, Outbox, OutboxConfig, RetryPolicy};
use stallkeeper_persistence::{
    Job, JobCounts, JobKind, JobPosition, JobRecord, JobState, JobStore, NewJob, Page, StoreError,
};
use stallkeeper_runtime::FakeClock;
use time::macros::datetime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Jobs in memory, with the rules of the store's contract.
#[derive(Default)]
struct Jobs {
    rows: Mutex<BTreeMap<String, JobRecord>>,
    faults: Mutex<u32>,
    next_faults: Mutex<u32>,
    /// Rows that another worker has locked are due and not handed out.
    locked: Mutex<bool>,
    claims: Mutex<u32>,
}

impl Jobs {
    fn put(&self, id: &str, due_at: Timestamp) {
        self.put_kind(JobKind::Wake, id, due_at);
    }

    fn put_kind(&self, kind: JobKind, id: &str, due_at: Timestamp) {
        let mut rows = self.rows.lock().unwrap();
        let version = rows.get(id).map_or(1, |row| row.job.version + 1);
        let leased_until = rows.get(id).and_then(|row| row.leased_until);
        let job =
            Job { key: key(id), kind, target: String::new(), payload: "{}".into(), version, attempts: 0 };
        let row = JobRecord { job, state: JobState::Due, due_at, leased_until, last_error: None };
        rows.insert(id.to_owned(), row);
    }

    fn row(&self, id: &str) -> Option<JobRecord> {
        self.rows.lock().unwrap().get(id).cloned()
    }

    fn change(&self, job: &Job, change: impl FnOnce(&mut JobRecord)) {
        let mut rows = self.rows.lock().unwrap();
        let row = rows.get_mut(job.key.holder.id()).unwrap();
        if row.job.version == job.version {
            change(row);
        }
        row.leased_until = None;
    }
}

fn key(id: &str) -> SubscriptionKey {
    format!("aws/product/customer/{id}").parse().unwrap()
}

#[async_trait]
impl JobStore for Jobs {
    async fn claim_jobs_for(
        &self,
        _target: Option<&str>,
        kinds: &[JobKind],
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError> {
        let mut claims = self.claims.lock().unwrap();
        *claims += 1;
        assert!(*claims < 1_000, "asked without rest");
        if *self.locked.lock().unwrap() {
            return Ok(Vec::new());
        }
        let mut faults = self.faults.lock().unwrap();
        if *faults > 0 {
            *faults -= 1;
            return Err(StoreError::Unavailable("gone".into()));
        }
        let mut rows = self.rows.lock().unwrap();
        let free = rows.values_mut().filter(|row| {
            row.state == JobState::Due
                && kinds.contains(&row.job.kind)
                && row.due_at <= now
                && row.leased_until.is_none_or(|until| until <= now)
        });
        let claimed = free.take(limit as usize).map(|row| {
            row.leased_until = Some(now.plus(lease));
            row.job.attempts += 1;
            row.job.clone()
        });
        Ok(claimed.collect())
    }

    async fn finish_job(&self, job: &Job) -> Result<(), StoreError> {
        let id = job.key.holder.id().to_owned();
        let is_newest = self.row(&id).unwrap().job.version == job.version;
        if is_newest {
            self.rows.lock().unwrap().remove(&id);
        } else {
            self.change(job, |_| {});
        }
        Ok(())
    }

    async fn finish_job_into(&self, job: &Job, next: &[NewJob]) -> Result<(), StoreError> {
        self.finish_job(job).await?;
        for new in next {
            self.put_kind(new.kind, new.key.holder.id(), new.due_at);
        }
        Ok(())
    }

    async fn retry_job(&self, job: &Job, due_at: Timestamp, error: &str) -> Result<(), StoreError> {
        self.change(job, |row| (row.due_at, row.last_error) = (due_at, Some(error.to_owned())));
        Ok(())
    }

    async fn fail_job(&self, job: &Job, error: &str) -> Result<(), StoreError> {
        self.change(job, |row| (row.state, row.last_error) = (JobState::Failed, Some(error.to_owned())));
        Ok(())
    }

    async fn next_job_for(
        &self,
        _target: Option<&str>,
        kinds: &[JobKind],
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut faults = self.next_faults.lock().unwrap();
        if *faults > 0 {
            *faults -= 1;
            return Err(StoreError::Unavailable("gone".into()));
        }
        let rows = self.rows.lock().unwrap();
        let due = rows.values().filter(|row| row.state == JobState::Due && kinds.contains(&row.job.kind));
        Ok(due.map(|row| row.leased_until.unwrap_or(row.due_at)).min())
    }

    async fn unpark_jobs(&self, _: &[JobKind]) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn jobs(&self, _: JobState, _: &Page<JobPosition>) -> Result<Vec<JobRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn revive_job(&self, _: &SubscriptionKey, _: JobKind, _: Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn job_counts(&self) -> Result<JobCounts, StoreError> {
        Ok(JobCounts::default())
    }
}

/// Answers as scripted, then with success; remembers what it ran.
#[derive(Default)]
struct Scripted {
    answers: Mutex<Vec<Result<(), JobError>>>,
    ran: Mutex<Vec<String>>,
    jobs: Mutex<Option<Arc<Jobs>>>,
}

#[async_trait]
impl JobRunner for Scripted {
    async fn run(&self, job: &Job) -> Result<(), JobError> {
        let id = job.key.holder.id().to_owned();
        if let Some(jobs) = self.jobs.lock().unwrap().take() {
            jobs.put(&id, noon());
        }
        self.ran.lock().unwrap().push(id);
        self.answers.lock().unwrap().pop().unwrap_or(Ok(()))
    }
}

struct House {
    jobs: Arc<Jobs>,
    clock: FakeClock,
    runner: Arc<Scripted>,
    written: Arc<Notify>,
    outbox: Outbox,
}

fn noon() -> Timestamp {
    datetime!(2026-11-22 12:00 UTC).into()
}

fn house() -> House {
    let jobs = Arc::new(Jobs::default());
    let clock = FakeClock::new(datetime!(2026-11-22 12:00 UTC));
    let runner = Arc::new(Scripted::default());
    let written = Arc::new(Notify::new());
    let config = OutboxConfig { attempts_max: 3, ..OutboxConfig::default() };
    let outbox = Outbox::new(jobs.clone(), Arc::new(clock.clone()), written.clone(), config)
        .with_runner(JobKind::Wake, runner.clone());
    House { jobs, clock, runner, written, outbox }
}

fn retry() -> Result<(), JobError> {
    Err(JobError::Retry("busy".into()))
}

#[tokio::test]
async fn a_due_job_is_run_once_and_gone() {
    let house = house();
    house.jobs.put("a", noon());
    assert_eq!(house.outbox.run_due().await.unwrap(), 1);
    assert_eq!(house.outbox.run_due().await.unwrap(), 0);
    assert_eq!(*house.runner.ran.lock().unwrap(), ["a"]);
    assert_eq!(house.jobs.row("a"), None);
}

#[tokio::test]
async fn a_job_waits_for_its_time() {
    let house = house();
    house.jobs.put("a", noon().plus(Duration::from_hours(1)));
    assert_eq!(house.outbox.run_due().await.unwrap(), 0);
    house.clock.advance(Duration::from_hours(1));
    assert_eq!(house.outbox.run_due().await.unwrap(), 1);
}

#[tokio::test]
async fn a_failed_job_is_tried_again_later_and_says_why() {
    let house = house();
    house.jobs.put("a", noon());
    house.runner.answers.lock().unwrap().push(retry());
    house.outbox.run_due().await.unwrap();
    let row = house.jobs.row("a").unwrap();
    assert!(row.due_at > noon());
    assert_eq!((row.state, row.last_error.as_deref()), (JobState::Due, Some("busy")));
    assert_eq!(house.outbox.run_due().await.unwrap(), 0, "not before its delay");
}

#[tokio::test]
async fn a_job_that_keeps_failing_is_given_up() {
    let house = house();
    house.jobs.put("a", noon());
    house.runner.answers.lock().unwrap().extend([retry(), retry(), retry()]);
    for _ in 0..3 {
        house.outbox.run_due().await.unwrap();
        house.clock.advance(Duration::from_hours(1));
    }
    assert_eq!(house.jobs.row("a").unwrap().state, JobState::Failed);
    assert_eq!(house.outbox.run_due().await.unwrap(), 0);
}

#[tokio::test]
async fn a_kind_with_a_policy_of_its_own_rests_and_gives_up_by_it() {
    let mut house = house();
    let (base, cap) = (Duration::from_hours(1), Duration::from_hours(9));
    house.outbox = house.outbox.with_policy(JobKind::Wake, RetryPolicy { attempts_max: 2, base, cap });
    house.jobs.put("a", noon());
    house.runner.answers.lock().unwrap().extend([retry(), retry()]);
    house.outbox.run_due().await.unwrap();
    let rested = house.jobs.row("a").unwrap().due_at.since(noon());
    assert!(rested >= base / 3 && rested <= base * 2, "about its own first delay: {rested:?}");
    house.clock.advance(base * 2);
    house.outbox.run_due().await.unwrap();
    assert_eq!(house.jobs.row("a").unwrap().state, JobState::Failed, "after two attempts, not three");
}

#[tokio::test]
async fn a_job_that_says_so_is_given_up_at_once() {
    let house = house();
    house.jobs.put("a", noon());
    house.runner.answers.lock().unwrap().push(Err(JobError::GiveUp("nonsense".into())));
    house.outbox.run_due().await.unwrap();
    assert_eq!(house.jobs.row("a").unwrap().state, JobState::Failed);
}

#[tokio::test]
async fn a_newer_job_that_took_the_place_of_the_running_one_is_run_too() {
    let house = house();
    house.jobs.put("a", noon());
    *house.runner.jobs.lock().unwrap() = Some(house.jobs.clone());
    house.outbox.run_due().await.unwrap();
    assert_eq!(house.outbox.run_due().await.unwrap(), 1);
    assert_eq!(*house.runner.ran.lock().unwrap(), ["a", "a"]);
}

#[tokio::test]
async fn a_job_of_a_worker_that_died_is_run_when_its_lease_ends() {
    let house = house();
    house.jobs.put("a", noon());
    let lease = OutboxConfig::default().lease;
    house.jobs.claim_jobs(&[JobKind::Wake], noon(), lease, 1).await.unwrap();
    assert_eq!(house.outbox.run_due().await.unwrap(), 0);
    house.clock.advance(lease);
    assert_eq!(house.outbox.run_due().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn jobs_written_by_this_worker_are_run_without_waiting_and_a_stop_ends_the_loop() {
    let house = house();
    let stop = CancellationToken::new();
    let started = tokio::time::Instant::now();
    let write = async {
        tokio::task::yield_now().await;
        house.jobs.put("a", noon());
        house.written.notify_one();
        while house.jobs.row("a").is_some() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::join!(house.outbox.run(&stop), write);
    assert!(started.elapsed() < OutboxConfig::default().poll, "it slept through the news");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_does_not_end_the_loop() {
    let house = house();
    *house.jobs.faults.lock().unwrap() = 5;
    house.jobs.put("a", noon());
    let stop = CancellationToken::new();
    let done = async {
        while house.jobs.row("a").is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
    };
    tokio::join!(house.outbox.run(&stop), done);
    assert_eq!(*house.runner.ran.lock().unwrap(), ["a"]);
}

#[tokio::test]
async fn a_job_that_nothing_here_runs_is_left_to_others() {
    let house = house();
    house.jobs.put_kind(JobKind::Announce, "a", noon());
    let before = house.jobs.row("a");
    assert_eq!(house.outbox.run_due().await.unwrap(), 0);
    assert_eq!(house.jobs.row("a"), before);
}

#[tokio::test]
async fn a_job_that_panics_every_time_is_given_up() {
    struct Panics;
    #[async_trait]
    impl JobRunner for Panics {
        async fn run(&self, _: &Job) -> Result<(), JobError> {
            panic!("a bug")
        }
    }
    let house = house();
    house.jobs.put("a", noon());
    let outbox = house.outbox.with_runner(JobKind::Wake, Arc::new(Panics));
    for _ in 0..3 {
        outbox.run_due().await.unwrap();
        assert_eq!(house.jobs.row("a").unwrap().state, JobState::Due);
        house.clock.advance(OutboxConfig::default().lease);
    }
    outbox.run_due().await.unwrap();
    let row = house.jobs.row("a").unwrap();
    assert_eq!(row.state, JobState::Failed);
    assert!(row.last_error.unwrap().contains("panicked"));
}

/// Runs the loop for a second of tokio's time; answers how often it asked for jobs.
async fn claims_in_a_second(house: &House) -> u32 {
    let stop = CancellationToken::new();
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.cancel();
    };
    tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(house.outbox.run(&stop), second) })
        .await
        .unwrap();
    *house.jobs.claims.lock().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_due_job_that_another_worker_has_locked_is_not_asked_for_without_rest() {
    let house = house();
    house.jobs.put("a", noon());
    *house.jobs.locked.lock().unwrap() = true;
    let claims = claims_in_a_second(&house).await;
    assert!((2..=11).contains(&claims), "asked {claims} times");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_cannot_tell_when_the_next_job_is_due_is_not_asked_without_rest() {
    let house = house();
    *house.jobs.next_faults.lock().unwrap() = 1_000;
    let claims = claims_in_a_second(&house).await;
    assert!((1..=5).contains(&claims), "asked {claims} times");
}

#[tokio::test]
async fn what_a_job_leads_to_is_stored_with_its_end_and_told() {
    struct Leads;
    #[async_trait]
    impl FanOut for Leads {
        async fn fan_out(&self, job: &Job) -> Result<Vec<NewJob>, JobError> {
            let (kind, target, payload) = (JobKind::Deliver, "app".to_owned(), "{}".to_owned());
            Ok(vec![NewJob { key: job.key.clone(), kind, target, due_at: noon(), payload }])
        }
    }
    let mut house = house();
    let told = Arc::new(Notify::new());
    house.outbox = house.outbox.with_fan_out(JobKind::Publish, Arc::new(Leads)).telling(told.clone());
    house.jobs.put_kind(JobKind::Publish, "a", noon());
    house.outbox.run_due().await.unwrap();
    assert_eq!(house.jobs.row("a").unwrap().job.kind, JobKind::Deliver);
    tokio::time::timeout(Duration::from_secs(1), told.notified()).await.unwrap();
}

/// Never ends for one id, and tells of the others.
struct SlowFor(&'static str, Mutex<Vec<String>>);

#[async_trait]
impl JobRunner for SlowFor {
    async fn run(&self, job: &Job) -> Result<(), JobError> {
        if job.key.holder.id() == self.0 {
            tokio::time::sleep(Duration::from_secs(30)).await;
            return retry();
        }
        self.1.lock().unwrap().push(job.key.holder.id().to_owned());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn where_jobs_overlap_a_slow_one_holds_no_later_one_up() {
    let house = house();
    let runner = Arc::new(SlowFor("slow", Mutex::default()));
    let outbox = Arc::new(house.outbox.with_runner(JobKind::Wake, runner.clone()));
    house.jobs.put("slow", noon());
    let stop = CancellationToken::new();
    let later = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        house.jobs.put("later", noon());
        house.written.notify_one();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(*runner.1.lock().unwrap(), ["later"], "it waited for the slow one");
        stop.cancel();
    };
    tokio::join!(outbox.run_overlapping(&stop), later);
    assert_eq!(house.jobs.row("slow").unwrap().last_error.as_deref(), Some("busy"), "it was finished too");
}
