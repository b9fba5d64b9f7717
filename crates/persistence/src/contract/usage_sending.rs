//! What is sent is stored before, and every answer is taken in for what it proves.

use std::time::Duration;

use stallkeeper_ledger::{Answer, Loss, LossReason};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};

use super::Fixture;
use super::samples::{customer, key, marketplace, minute, pending, told};
use super::usage_samples::{
    Metered, accepted, all_answered, balance, begin, listing, look, look_around, losses, lost, records,
    requests, send, states, stored, subscribe, take_metered, unsent,
};
use crate::usage::{AttemptOutcome, AttemptResult, Unsent, finish, start};
use crate::{JobKind, JobState, Page, Store};

/// Buyers with one frozen record each, of hours so many after noon.
async fn frozen(store: &dyn Store, terms: &Metered, buyers: &[(&str, u64)]) -> Vec<SubscriptionKey> {
    let mut keys = Vec::new();
    for (id, hours) in buyers {
        let (buyer, of) = (customer(id), format!("tenant-{id}"));
        subscribe(store, terms, &buyer, &of).await;
        stored(store, terms, minute(181), requests("e-1", &of, 5, minute(hours * 60 + 10))).await;
        keys.push(buyer);
    }
    look_around(store, terms, minute(242)).await;
    keys
}

/// One buyer with one frozen record.
async fn one_frozen(store: &dyn Store, terms: &Metered) -> SubscriptionKey {
    frozen(store, terms, &[("c-1", 0)]).await.remove(0)
}

const NOW: u64 = 243;

pub async fn an_attempt_is_stored_before_its_records_are_sent(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = one_frozen(store, &terms).await;
    let started = begin(store, minute(NOW)).await;
    assert_eq!(started.records.len(), 1);
    let attempts = store.attempts(&[started.attempt, started.attempt + 1]).await.expect("readable");
    let [attempt] = attempts.as_slice() else { unreachable!("one attempt: {attempts:?}") };
    assert_eq!((attempt.attempt.lane.as_str(), attempt.attempt.at), ("lane-1", minute(NOW)));
    assert_eq!(attempt.attempt.records, [started.records[0].number]);
    assert_eq!(attempt.outcome, None, "nobody knows yet");
    let record = &records(store, &buyer).await[0].record;
    assert_eq!(record.sending.in_flight, Some(started.attempt));
    assert_eq!(unsent(store, minute(NOW)).await, [], "it is not sent twice at once");
}

pub async fn several_requests_are_stored_at_once_with_numbers_in_their_order(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    frozen(store, &terms, &[("c-1", 0), ("c-2", 0), ("c-3", 0)]).await;
    let numbers: Vec<i64> = unsent(store, minute(NOW)).await.iter().map(|one| one.number).collect();
    let calls = vec![vec![numbers[2]], vec![], vec![numbers[0], numbers[1]], vec![numbers[0] + 1_000]];
    let started = start(store, "lane-1", calls, minute(NOW)).await.expect("stored");
    let sent: Vec<Vec<i64>> =
        started.iter().map(|call| call.records.iter().map(|one| one.number).collect()).collect();
    assert_eq!(sent, [vec![numbers[2]], vec![numbers[0], numbers[1]]], "empty ones are left out");
    let attempts: Vec<i64> = started.iter().map(|call| call.attempt).collect();
    let stored = store.attempts(&attempts).await.expect("readable");
    let stored: Vec<Vec<i64>> = stored.into_iter().map(|attempt| attempt.attempt.records).collect();
    assert_eq!(stored, sent);
    assert!(start(store, "lane-1", vec![numbers], minute(NOW)).await.expect("stored").is_empty());
}

pub async fn an_accepted_record_is_settled_and_never_sent_again(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = one_frozen(store, &terms).await;
    let started = send(store, accepted(), minute(NOW)).await;
    assert_eq!(states(store, &buyer).await, ["settled"]);
    assert_eq!(unsent(store, minute(NOW + 600)).await, []);
    assert_eq!(store.next_send_at(&[marketplace("aws")]).await.expect("readable"), None);
    assert_eq!(balance(store, &buyer).await, [5, 5, 0, 0]);
    let attempts = store.attempts(&[started.attempt]).await.expect("readable");
    let outcome = attempts[0].outcome.clone().expect("ended");
    assert_eq!(outcome.request_id.as_deref(), Some("request-1"));
}

pub async fn an_outcome_that_quotes_a_nul_is_stored(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = one_frozen(store, &terms).await;
    let started = begin(store, minute(NOW)).await;
    let mut result = all_answered(&started, &accepted(), minute(NOW));
    let error = Some("a\0b".to_owned());
    result.outcome = AttemptOutcome { at: minute(NOW), request_id: Some("a\0b".to_owned()), error };
    finish(store, &[result], minute(NOW), false).await.expect("stored");
    assert_eq!(balance(store, &buyer).await, [5, 5, 0, 0]);
    let attempts = store.attempts(&[started.attempt]).await.expect("readable");
    assert!(attempts[0].outcome.is_some());
}

pub async fn a_loss_is_published_once_and_only_where_that_is_wanted(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyers = frozen(store, &terms, &[("a", 1), ("b", 1)]).await;
    let started = begin(store, minute(NOW)).await;
    let refused = Answer::Refused { code: "InvalidUsageDimension".to_owned() };
    let whole = all_answered(&started, &refused, minute(NOW));
    for (index, is_published) in [(0, false), (1, true), (1, true)] {
        let result = AttemptResult { answers: vec![whole.answers[index].clone()], ..whole.clone() };
        finish(store, &[result], minute(NOW), is_published).await.expect("stored");
    }
    let jobs = store.jobs(JobState::Due, &Page::first(100)).await.expect("readable");
    let told: Vec<_> = jobs.into_iter().filter(|one| one.job.kind == JobKind::PublishLoss).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let loss: Loss = serde_json::from_str(&told[0].job.payload).expect("a loss");
    assert_eq!(loss.reason, LossReason::Rejected);
    assert!(buyers.contains(&told[0].job.key) && told[0].job.key == loss.subscription);
}

pub async fn the_same_results_may_be_stored_again(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = one_frozen(store, &terms).await;
    let started = begin(store, minute(NOW)).await;
    let refused = Answer::Refused { code: "InvalidUsageDimension".to_owned() };
    let result = all_answered(&started, &refused, minute(NOW));
    for _ in 0..2 {
        finish(store, std::slice::from_ref(&result), minute(NOW), false).await.expect("stored");
    }
    assert_eq!(lost(store, &buyer).await, [("rejected", 5)]);
    assert_eq!(balance(store, &buyer).await, [5, 0, 0, 5]);
}

pub async fn a_refused_record_is_lost_and_counted(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = one_frozen(store, &terms).await;
    send(store, Answer::Refused { code: "InvalidUsageDimension".to_owned() }, minute(NOW)).await;
    assert_eq!(states(store, &buyer).await, ["rejected"]);
    let lines = losses(store, &buyer).await;
    assert!(lines[0].loss.detail.contains("InvalidUsageDimension"), "{lines:?}");
    assert_eq!(store.ledger_health().await.expect("readable").rejected, 1);
    assert_eq!(balance(store, &buyer).await, [5, 0, 0, 5]);
}

pub async fn a_record_that_was_not_done_is_sent_again_at_once(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = one_frozen(store, &terms).await;
    let first = send(store, Answer::NotDone, minute(NOW)).await;
    let second = send(store, accepted(), minute(NOW + 1)).await;
    assert_eq!(first.records, second.records, "with the same bytes");
    assert_eq!(balance(store, &buyer).await, [5, 5, 0, 0]);
}

pub async fn a_record_of_nobody_subscribed_waits_and_is_sent_again(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = one_frozen(store, &terms).await;
    let aws = [marketplace("aws")];
    send(store, Answer::NotSubscribed, minute(NOW)).await;
    assert_eq!(unsent(store, minute(NOW + 1)).await, []);
    let again = store.next_send_at(&aws).await.expect("readable").expect("it waits");
    assert!(again > minute(NOW + 1) && again < minute(NOW + 61), "{again}");
    assert_eq!(unsent(store, again).await.len(), 1);
    send(store, accepted(), again).await;
    assert_eq!(balance(store, &buyer).await, [5, 5, 0, 0]);
}

pub async fn a_duplicate_after_an_unanswered_attempt_is_taken_for_ours(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = one_frozen(store, &terms).await;
    // The worker ends before the answer is stored.
    begin(store, minute(NOW)).await;
    assert_eq!(unsent(store, minute(NOW)).await, []);
    send(store, Answer::Duplicate { record_id: None }, minute(NOW + 1)).await;
    assert_eq!(states(store, &buyer).await, ["settled_assumed"]);
    assert_eq!(balance(store, &buyer).await, [5, 5, 0, 0]);
}

pub async fn a_duplicate_without_doubt_is_a_conflict(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = one_frozen(store, &terms).await;
    send(store, Answer::Duplicate { record_id: Some("record-9".to_owned()) }, minute(NOW)).await;
    assert_eq!(states(store, &buyer).await, ["conflict"]);
    assert_eq!(lost(store, &buyer).await, [("conflict", 5)]);
    assert_eq!(store.ledger_health().await.expect("readable").conflicts, 1);
    assert_eq!(balance(store, &buyer).await, [5, 0, 0, 5]);
}

pub async fn a_record_given_up_that_was_taken_is_recovered(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = one_frozen(store, &terms).await;
    let started = begin(store, minute(24 * 60 - 1)).await;
    look_around(store, &terms, minute(24 * 60)).await;
    assert_eq!(balance(store, &buyer).await, [5, 0, 0, 5]);
    let result = all_answered(&started, &accepted(), minute(24 * 60 + 1));
    finish(store, &[result], minute(24 * 60 + 1), false).await.expect("stored");
    assert_eq!(states(store, &buyer).await, ["settled"]);
    let lines = losses(store, &buyer).await;
    assert_eq!((lines.len(), lines[0].recovered_at), (1, Some(minute(24 * 60 + 1))));
    assert_eq!(balance(store, &buyer).await, [5, 5, 0, 0]);
}

pub async fn what_runs_out_first_is_sent_first(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let keys = frozen(store, &terms, &[("c-1", 2), ("c-2", 0), ("c-3", 1)]).await;
    // This one was tried before, and is as urgent as ever.
    let urgent = records(store, &keys[1]).await[0].number;
    start(store, "lane-1", vec![vec![urgent]], minute(NOW)).await.expect("stored");
    let later = minute(NOW + 1);
    let of = async |limit: u32| -> Vec<String> {
        let query = Unsent { marketplaces: vec![marketplace("aws")], but: Vec::new(), now: later, limit };
        let outgoing = store.unsent(&query).await.expect("readable");
        let customer = |who: &stallkeeper_ledger::Who| match who {
            stallkeeper_ledger::Who::Customer { customer, .. } => customer.to_string(),
            stallkeeper_ledger::Who::License { .. } => unreachable!("no license"),
        };
        outgoing.iter().map(|one| customer(&one.report.who)).collect()
    };
    assert_eq!(of(10).await, ["c-2", "c-3", "c-1"]);
    assert_eq!(of(2).await, ["c-2", "c-3"]);
    // A buyer leaves: the record's time is over earlier.
    take_metered(store, &terms, minute(NOW), &[told("p", &keys[0], minute(NOW), pending())]).await;
    look(store, &terms, &keys[0], minute(NOW)).await;
    assert_eq!(of(10).await, ["c-1", "c-2", "c-3"]);
}

pub async fn held_listings_and_other_marketplaces_are_not_sent(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    one_frozen(store, &terms).await;
    let count = async |marketplaces: &[&str], but: &[(&str, &str)]| {
        let query = Unsent {
            marketplaces: marketplaces.iter().map(|name| marketplace(name)).collect(),
            but: but.iter().map(|(name, code)| (marketplace(name), code.parse().expect("a code"))).collect(),
            now: minute(NOW),
            limit: 10,
        };
        store.unsent(&query).await.expect("readable").len()
    };
    assert_eq!(count(&["aws"], &[]).await, 1);
    assert_eq!(count(&["alibaba", "aws", "aws"], &[]).await, 1);
    assert_eq!(count(&["alibaba"], &[]).await, 0);
    assert_eq!(count(&[], &[]).await, 0);
    assert_eq!(count(&["aws"], &[("aws", "prod-1")]).await, 0);
    assert_eq!(count(&["aws"], &[("alibaba", "prod-1"), ("aws", "prod-2")]).await, 1);
    assert_eq!(listing().0, key("aws/prod-1/customer/c").marketplace);
}

pub async fn a_record_that_cannot_be_read_holds_no_other_up(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let keys = frozen(store, &terms, &[("c-1", 0), ("c-2", 1)]).await;
    let damaged = records(store, &keys[0]).await[0].number;
    let sound = records(store, &keys[1]).await[0].number;
    fixture.damage_record(damaged).await;
    let query =
        Unsent { marketplaces: vec![marketplace("aws")], but: Vec::new(), now: minute(NOW), limit: 1 };
    // It is the first to run out, and only one is asked for.
    store.unsent(&query).await.expect("readable");
    let outgoing = store.unsent(&query).await.expect("readable");
    assert_eq!(outgoing.iter().map(|one| one.number).collect::<Vec<_>>(), [sound]);
    let all = super::usage_samples::every_hour(&keys[0]);
    store.usage_records(&all, &crate::Page::first(10)).await.expect_err("a listing says so");
}

pub async fn the_next_time_to_send_is_the_earliest(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let aws = [marketplace("aws")];
    let next = async || store.next_send_at(&aws).await.expect("readable");
    assert_eq!(next().await, None);
    frozen(store, &terms, &[("c-1", 0), ("c-2", 1)]).await;
    assert!(next().await.is_some_and(|at| at <= minute(NOW)), "at once");
    let started = begin(store, minute(NOW)).await;
    let again: Option<Timestamp> = next().await;
    assert_eq!(again, Some(minute(NOW).plus(Duration::from_mins(1))), "when no answer has come by then");
    let mut result = all_answered(&started, &accepted(), minute(NOW));
    result.answers[1].1 = Answer::NotDone;
    finish(store, &[result], minute(NOW), false).await.expect("stored");
    assert!(next().await.is_some_and(|at| at <= minute(NOW)), "what was not done, at once");
    assert_eq!(store.next_send_at(&[marketplace("alibaba")]).await.expect("readable"), None);
}
