//! Stored work: one of a kind for each subscription, handed out in its time.

use std::time::Duration;

use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};

use super::Fixture;
use super::samples::{customer, minute};
use crate::{Job, JobCounts, JobKind, JobPosition, JobRecord, JobState, NewJob, Page, Store, Work};

pub(super) const LEASE: Duration = Duration::from_mins(5);

pub(super) fn wake_at(key: &SubscriptionKey, due_at: Timestamp) -> NewJob {
    NewJob { key: key.clone(), kind: JobKind::Wake, target: String::new(), due_at, payload: "{}".to_owned() }
}

fn of_kind(key: &SubscriptionKey, kind: JobKind, payload: &str) -> NewJob {
    NewJob { key: key.clone(), kind, target: String::new(), due_at: minute(0), payload: payload.to_owned() }
}

pub(super) async fn put(store: &dyn Store, jobs: &[NewJob]) {
    let mut transaction = store.begin(Work::Notifications).await.expect("begun");
    transaction.put_jobs(jobs).await.expect("put");
    transaction.commit().await.expect("committed");
}

pub(super) async fn claim(store: &dyn Store, now: Timestamp) -> Vec<Job> {
    store.claim_jobs(&JobKind::ALL, now, LEASE, 100).await.expect("claimed")
}

pub(super) async fn claim_one(store: &dyn Store, now: Timestamp) -> Job {
    let mut jobs = claim(store, now).await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.remove(0)
}

pub(super) async fn list(store: &dyn Store, state: JobState) -> Vec<JobRecord> {
    store.jobs(state, &Page::first(100)).await.expect("readable")
}

fn keys(jobs: &[Job]) -> Vec<&str> {
    jobs.iter().map(|job| job.key.holder.id()).collect()
}

pub async fn a_newer_job_takes_the_place_of_an_unfinished_one(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    put(store, &[wake_at(&buyer, minute(10)), wake_at(&customer("other"), minute(10))]).await;
    let before = list(store, JobState::Due).await.swap_remove(0);
    assert_eq!((&before.job.key, before.job.attempts, before.leased_until), (&buyer, 0, None));
    put(store, &[NewJob { payload: r#"{"new":1}"#.to_owned(), ..wake_at(&buyer, minute(20)) }]).await;
    let jobs = list(store, JobState::Due).await;
    assert_eq!(jobs.len(), 2);
    assert_eq!((jobs[0].due_at, jobs[0].job.payload.as_str()), (minute(20), r#"{"new":1}"#));
    assert!(jobs[0].job.version > before.job.version);
    assert_eq!(jobs[1].due_at, minute(10), "another subscription's job is left alone");
}

pub async fn parked_jobs_are_never_handed_out(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    put(store, &[of_kind(&buyer, JobKind::Announce, "{}")]).await;
    assert_eq!(claim(store, minute(99)).await, []);
    assert_eq!(
        store.next_job_at(&JobKind::ALL).await.expect("readable"),
        None,
        "nor does anybody wake up for them"
    );
    let kinds: Vec<_> = list(store, JobState::Parked).await.iter().map(|job| job.job.kind).collect();
    assert_eq!(kinds, [JobKind::Announce]);
}

pub async fn what_another_version_parked_is_unparked_by_kind(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    put(store, &[of_kind(&customer("buyer"), JobKind::Announce, "{}")]).await;
    assert_eq!(store.unpark_jobs(&[JobKind::Wake]).await.expect("unparked"), 0);
    assert_eq!(store.unpark_jobs(&[JobKind::Announce]).await.expect("unparked"), 1);
    assert_eq!(claim_one(store, minute(0)).await.kind, JobKind::Announce);
}

pub async fn due_jobs_are_handed_out_the_longest_due_first_and_within_the_limit(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let jobs =
        [("a", 30), ("b", 10), ("c", 20), ("d", 40)].map(|(id, at)| wake_at(&customer(id), minute(at)));
    put(store, &jobs).await;
    let first = store.claim_jobs(&JobKind::ALL, minute(50), LEASE, 3).await.expect("claimed");
    assert_eq!(keys(&first), ["b", "c", "a"]);
    assert!(first.iter().all(|job| job.attempts == 1 && job.kind == JobKind::Wake));
    assert_eq!(keys(&claim(store, minute(50)).await), ["d"]);
    assert_eq!(claim(store, minute(50)).await, []);
}

pub async fn a_job_is_not_handed_out_before_its_time(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    put(store, &[wake_at(&customer("buyer"), minute(10))]).await;
    assert_eq!(claim(store, minute(9)).await, []);
    assert_eq!(claim(store, minute(10)).await.len(), 1, "at the very moment");
}

pub async fn only_jobs_of_the_kinds_asked_for_are_handed_out(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    put(store, &[wake_at(&customer("buyer"), minute(0))]).await;
    for others in [&[][..], &[JobKind::Announce, JobKind::Reconcile]] {
        assert_eq!(store.claim_jobs(others, minute(1), LEASE, 100).await.expect("claimed"), []);
        assert_eq!(store.next_job_at(others).await.expect("readable"), None);
    }
    let both = [JobKind::Announce, JobKind::Wake];
    assert_eq!(store.next_job_at(&both).await.expect("readable"), Some(minute(0)));
    let claimed = store.claim_jobs(&both, minute(1), LEASE, 100).await.expect("claimed");
    assert_eq!(claimed.iter().map(|job| job.attempts).collect::<Vec<_>>(), [1]);
}

pub async fn a_job_of_an_unknown_kind_is_left_alone_and_holds_nobody_up(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    fixture.put_strange_job(&customer("buyer").to_string(), "of-a-newer-version").await;
    put(store, &[wake_at(&customer("buyer"), minute(0))]).await;
    let wake = claim_one(store, minute(1)).await;
    store.finish_job(&wake).await.expect("finished");
    assert_eq!(store.next_job_at(&JobKind::ALL).await.expect("readable"), None);
    assert_eq!(claim(store, minute(99)).await, []);
    assert_eq!(store.job_counts().await.expect("readable").due, 1, "it waits for those who know it");
}

pub async fn a_job_that_cannot_be_read_holds_no_other_up(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    fixture.put_strange_job("no key", JobKind::Wake.as_str()).await;
    put(store, &[wake_at(&customer("a"), minute(0)), wake_at(&customer("b"), minute(0))]).await;
    assert_eq!(keys(&claim(store, minute(1)).await), ["a", "b"]);
    let next = store.next_job_at(&JobKind::ALL).await.expect("readable");
    assert_eq!(next, Some(minute(1).plus(LEASE)), "it is leased, so that nobody is busy with it");
}

pub async fn a_finished_job_is_gone(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    put(store, &[wake_at(&customer("buyer"), minute(0)), wake_at(&customer("other"), minute(90))]).await;
    let job = claim_one(store, minute(1)).await;
    store.finish_job(&job).await.expect("finished");
    assert_eq!(store.job_counts().await.expect("readable"), JobCounts { due: 1, ..JobCounts::default() });
    store.finish_job(&job).await.expect("finishing twice harms nobody");
    put(store, &[wake_at(&customer("buyer"), minute(2))]).await;
    assert_eq!(keys(&claim(store, minute(2)).await), ["buyer"]);
}

pub async fn a_retried_job_comes_back_at_its_new_time(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    put(store, &[wake_at(&customer("buyer"), minute(0))]).await;
    let job = claim_one(store, minute(1)).await;
    store.retry_job(&job, minute(2), "no answer").await.expect("retried");
    let listed = list(store, JobState::Due).await.swap_remove(0);
    assert_eq!((listed.due_at, listed.leased_until), (minute(2), None), "its lease is given back");
    assert_eq!(listed.last_error.as_deref(), Some("no answer"));
    assert_eq!(claim(store, minute(1)).await, []);
    let again = claim_one(store, minute(2)).await;
    assert_eq!((again.version, again.attempts), (job.version, 2));
}

pub async fn a_failed_job_waits_for_a_person(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    put(store, &[wake_at(&customer("buyer"), minute(0))]).await;
    let job = claim_one(store, minute(1)).await;
    store.fail_job(&job, "refused: 日本").await.expect("failed");
    assert_eq!(claim(store, minute(90)).await, []);
    assert_eq!(store.next_job_at(&JobKind::ALL).await.expect("readable"), None);
    let failed = list(store, JobState::Failed).await;
    assert_eq!(failed.len(), 1);
    assert_eq!((failed[0].last_error.as_deref(), failed[0].job.attempts), (Some("refused: 日本"), 1));
    assert_eq!(list(store, JobState::Due).await, []);
}

pub async fn a_failed_job_is_revived_once(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    let revive = async |kind, at| store.revive_job(&buyer, kind, minute(at)).await.expect("answered");
    put(store, &[of_kind(&buyer, JobKind::Announce, "{}"), wake_at(&buyer, minute(0))]).await;
    assert!(!revive(JobKind::Wake, 1).await, "a job that did not fail");
    assert!(!revive(JobKind::Announce, 1).await, "a parked one least of all");
    let job = claim_one(store, minute(1)).await;
    store.fail_job(&job, "refused").await.expect("failed");
    assert!(revive(JobKind::Wake, 30).await);
    assert!(!revive(JobKind::Wake, 30).await);
    assert_eq!(store.next_job_at(&JobKind::ALL).await.expect("readable"), Some(minute(30)));
    assert_eq!(claim_one(store, minute(30)).await.kind, JobKind::Wake);
}

pub async fn a_newer_job_takes_the_place_of_a_failed_one(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    put(store, &[wake_at(&buyer, minute(0))]).await;
    let job = claim_one(store, minute(1)).await;
    store.fail_job(&job, "refused").await.expect("failed");
    put(store, &[wake_at(&buyer, minute(3))]).await;
    assert_eq!(list(store, JobState::Failed).await, []);
    let newer = claim_one(store, minute(3)).await;
    assert_eq!(newer.attempts, 1, "it starts afresh");
    assert!(newer.version > job.version);
    assert_eq!(list(store, JobState::Due).await[0].last_error, None);
}

pub async fn jobs_are_listed_by_state_and_paged(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let mut jobs: Vec<NewJob> = Vec::new();
    for id in ["B", "a", "c/d", "é"] {
        let buyer = customer(id);
        let parked = of_kind(&buyer, JobKind::Announce, "{}");
        jobs.extend([parked.clone(), NewJob { target: "t".to_owned(), ..parked }]);
        jobs.push(wake_at(&buyer, minute(0)));
    }
    put(store, &jobs).await;
    assert_eq!(list(store, JobState::Failed).await, []);
    assert_eq!(list(store, JobState::Due).await.len(), 4);
    let whole = list(store, JobState::Parked).await;
    let place = JobRecord::position;
    let parked = jobs.iter().filter(|job| job.kind != JobKind::Wake);
    let expected: Vec<_> = parked
        .map(|job| JobPosition { key: job.key.clone(), kind: job.kind, target: job.target.clone() })
        .collect();
    assert_eq!(whole.iter().map(place).collect::<Vec<_>>(), expected);
    for limit in 1..10 {
        let mut read: Vec<JobRecord> = Vec::new();
        loop {
            let page = Page { after: read.last().map(place), limit };
            let part = store.jobs(JobState::Parked, &page).await.expect("readable");
            if part.is_empty() {
                break;
            }
            assert!(part.len() <= limit as usize);
            read.extend(part);
        }
        assert_eq!(read, whole, "pages of {limit}");
    }
}

pub async fn jobs_are_counted_by_state(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    assert_eq!(store.job_counts().await.expect("readable"), JobCounts::default());
    let jobs = ["a", "b", "c"].map(|id| wake_at(&customer(id), minute(0)));
    put(store, &jobs).await;
    put(store, &[of_kind(&customer("a"), JobKind::Announce, "{}")]).await;
    let claimed = store.claim_jobs(&JobKind::ALL, minute(1), LEASE, 2).await.expect("claimed");
    store.fail_job(&claimed[0], "refused").await.expect("failed");
    let counts = store.job_counts().await.expect("readable");
    assert_eq!(counts, JobCounts { parked: 1, due: 2, failed: 1 }, "a leased job counts as due");
}

pub async fn the_next_job_is_the_earliest_due_or_leased(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let next = async || store.next_job_at(&JobKind::ALL).await.expect("readable");
    assert_eq!(next().await, None);
    put(store, &[wake_at(&customer("a"), minute(10)), wake_at(&customer("b"), minute(60))]).await;
    assert_eq!(next().await, Some(minute(10)), "also when it is past");
    let job = claim_one(store, minute(12)).await;
    assert_eq!(next().await, Some(minute(17)), "the end of its lease");
    store.finish_job(&job).await.expect("finished");
    assert_eq!(next().await, Some(minute(60)));
}
