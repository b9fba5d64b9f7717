//! A job has one runner at a time, and a newer job is never lost to an older runner.

use std::collections::BTreeSet;

use super::Fixture;
use super::jobs::{LEASE, claim, claim_one, list, put, wake_at};
use super::samples::{customer, minute};
use crate::{Job, JobKind, JobState};

pub async fn a_lease_keeps_others_away_until_it_ends(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    put(store, &[wake_at(&customer("buyer"), minute(0))]).await;
    let first = claim_one(store, minute(1)).await;
    assert_eq!(claim(store, minute(5)).await, []);
    assert_eq!(list(store, JobState::Due).await[0].leased_until, Some(minute(1).plus(LEASE)));
    let second = claim_one(store, minute(6)).await;
    assert_eq!((second.version, first.attempts, second.attempts), (first.version, 1, 2));
}

pub async fn runners_that_race_never_get_the_same_job(fixture: &dyn Fixture) {
    const JOBS: usize = 60;
    let store = fixture.store();
    let mut jobs: Vec<_> =
        (0..JOBS).map(|id| wake_at(&customer(&format!("buyer-{id:03}")), minute(0))).collect();
    jobs.sort_by(|a, b| a.key.cmp(&b.key));
    put(&*store, &jobs).await;
    let mut runners = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let store = store.clone();
        runners.spawn(async move {
            let mut mine: Vec<Job> = Vec::new();
            for _ in 0..JOBS {
                mine.extend(store.claim_jobs(&JobKind::ALL, minute(1), LEASE, 7).await.expect("claimed"));
            }
            mine
        });
    }
    let handed: Vec<Job> = runners.join_all().await.into_iter().flatten().collect();
    let different: BTreeSet<_> = handed.iter().map(|job| job.key.clone()).collect();
    // A runner may see nothing while others are at the rest; what is left is handed out now.
    let left = store.claim_jobs(&JobKind::ALL, minute(1), LEASE, 100).await.expect("claimed");
    assert_eq!(different.len(), handed.len(), "nobody shares a job");
    assert_eq!(handed.len() + left.len(), JOBS);
    assert!(left.iter().all(|job| !different.contains(&job.key)));
}

pub async fn a_newer_job_survives_the_finish_of_the_one_it_replaced(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    put(store, &[wake_at(&buyer, minute(0))]).await;
    let old = claim_one(store, minute(1)).await;
    put(store, &[wake_at(&buyer, minute(2))]).await;
    store.finish_job(&old).await.expect("finished");
    let newer = claim_one(store, minute(2)).await;
    assert!(newer.version > old.version, "and it is free at once, though the old lease ran to minute 6");
    assert_eq!(newer.attempts, 1);
    store.finish_job(&old).await.expect("the old runner is slow to tell");
    assert_eq!(list(store, JobState::Due).await.len(), 1);
    assert_eq!(claim(store, minute(3)).await, [], "the new runner's lease holds");
    store.finish_job(&newer).await.expect("finished");
    assert_eq!(list(store, JobState::Due).await, []);
}

pub async fn a_newer_job_survives_the_retry_and_the_failure_of_the_one_it_replaced(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    put(store, &[wake_at(&buyer, minute(0))]).await;
    let old = claim_one(store, minute(1)).await;
    put(store, &[wake_at(&buyer, minute(2))]).await;
    store.retry_job(&old, minute(50), "no answer").await.expect("answered");
    store.fail_job(&old, "refused").await.expect("answered");
    let listed = list(store, JobState::Due).await;
    assert_eq!(listed.len(), 1, "it has not failed");
    assert_eq!((listed[0].due_at, listed[0].last_error.as_deref()), (minute(2), None));
    assert!(claim_one(store, minute(1).plus(LEASE)).await.version > old.version);
}

pub async fn a_newer_job_waits_for_the_lease_of_the_one_it_replaced(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    put(store, &[wake_at(&buyer, minute(0))]).await;
    claim_one(store, minute(1)).await;
    put(store, &[wake_at(&buyer, minute(2))]).await;
    assert_eq!(
        claim(store, minute(5)).await,
        [],
        "two runners are never at one subscription's work of one kind"
    );
    assert_eq!(store.next_job_at(&JobKind::ALL).await.expect("readable"), Some(minute(1).plus(LEASE)));
    assert_eq!(claim_one(store, minute(6)).await.attempts, 1);
}

pub async fn a_job_whose_lease_ended_is_finished_by_whoever_comes_first(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    put(store, &[wake_at(&customer("buyer"), minute(0))]).await;
    let slow = claim_one(store, minute(1)).await;
    let quick = claim_one(store, minute(6)).await;
    store.finish_job(&slow).await.expect("finished");
    store.finish_job(&quick).await.expect("it is gone already");
    assert_eq!(list(store, JobState::Due).await, []);
}
