//! Deadlines: clocks write no facts, and a wake only tells what is so.

use std::time::Duration;

use stallkeeper_lifecycle::{Change, FINAL_WINDOW, Standing, Word};

use super::Fixture;
use super::samples::{
    act, bound_to, customer, history, minute, pending, record, story, success, take, told, wake,
};
use crate::{Actor, JobKind, JobState, Outcome, Page, Settled, Store};

/// A subscription that began at minute 0 and is ending since minute 10.
async fn ending_since_minute_10(store: &dyn Store, id: &str) {
    let buyer = customer(id);
    let name = |part: &str| format!("{id}-{part}");
    take(store, minute(1), &[told(&name("success"), &buyer, minute(0), success())]).await;
    take(store, minute(11), &[told(&name("pending"), &buyer, minute(10), pending())]).await;
}

pub async fn a_wake_at_the_deadline_ends_the_subscription_and_says_so(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    ending_since_minute_10(store, "buyer").await;
    take(store, minute(70), &[wake(&buyer)]).await;
    let record = record(store, &buyer).await;
    assert_eq!((record.word(), record.deadline()), (Word::Ended, None));
    assert_eq!(record.subscription.log.facts().len(), 2, "the clock wrote no fact");
    assert_eq!(story(store, &buyer).await.last().map(String::as_str), Some("window-closed unchanged ended"));
    let line = history(store, &buyer).await.pop().expect("a line").entry;
    assert_eq!((line.actor, line.happened_at, line.at), (Actor::Worker, None, minute(70)));
    assert_eq!(line.detail, r#"{"word_before":"ending"}"#);
    take(store, minute(71), &[wake(&buyer)]).await;
    assert_eq!(history(store, &buyer).await.len(), 3, "it is said once");
}

pub async fn a_wake_before_the_deadline_leaves_no_line(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    ending_since_minute_10(store, "buyer").await;
    let before = record(store, &buyer).await;
    assert_eq!(take(store, minute(69), &[wake(&buyer)]).await, [Outcome::Settled(Settled::Unchanged)]);
    assert_eq!(record(store, &buyer).await, before);
    assert_eq!(history(store, &buyer).await.len(), 2);
}

pub async fn a_wake_beside_a_fact_writes_only_the_line_of_the_fact(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    take(store, minute(1), &[told("n-1", &buyer, minute(0), success()), wake(&buyer)]).await;
    assert_eq!(story(store, &buyer).await, ["subscribe-success applied unclaimed"]);
    take(store, minute(2), &[act(&buyer, bound_to("tenant-1")), wake(&buyer)]).await;
    assert_eq!(story(store, &buyer).await, ["subscribe-success applied unclaimed", "bound applied active"]);
}

pub async fn a_wake_of_an_unknown_subscription_shows_nothing(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let nobody = customer("nobody");
    take(store, minute(1), &[wake(&nobody)]).await;
    assert_eq!(
        take(store, minute(1), &[act(&nobody, Change::Unbind)]).await,
        [Outcome::Settled(Settled::Unchanged)]
    );
    assert_eq!(store.subscription(&nobody).await.expect("readable"), None);
}

pub async fn a_success_after_the_window_opens_a_new_period(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    ending_since_minute_10(store, "buyer").await;
    take(store, minute(90), &[told("again", &buyer, minute(80), success())]).await;
    let record = record(store, &buyer).await;
    assert_eq!(record.word(), Word::Unclaimed);
    let view = record.subscription.announced.expect("announced");
    assert_eq!(view.standing.period().map(|period| period.number), Some(2));
}

pub async fn an_end_within_its_window_stores_a_wake_that_is_due_at_the_deadline(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    ending_since_minute_10(store, "buyer").await;
    let deadline = minute(10).plus(FINAL_WINDOW);
    let record = record(store, &customer("buyer")).await;
    assert_eq!(record.deadline(), Some(deadline));
    let view = record.subscription.announced.expect("announced");
    assert!(matches!(view.standing, Standing::Ending { .. }));
    assert_eq!(store.next_job_at(&JobKind::ALL).await.expect("readable"), Some(deadline));
    let due = store.jobs(JobState::Due, &Page::first(10)).await.expect("readable");
    assert_eq!(
        due.iter().map(|job| (job.job.kind, job.due_at)).collect::<Vec<_>>(),
        [(JobKind::Wake, deadline)]
    );
    let early =
        store.claim_jobs(&JobKind::ALL, minute(69), Duration::from_mins(1), 10).await.expect("readable");
    assert_eq!(early, []);
    assert_eq!(
        store.claim_jobs(&JobKind::ALL, deadline, Duration::from_mins(1), 10).await.expect("readable").len(),
        1
    );
}
