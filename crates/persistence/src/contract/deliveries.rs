//! One announcement, a delivery for each endpoint; and the log of attempts.

use std::time::Duration;

use super::Fixture;
use super::jobs::{LEASE, claim, claim_one, list, put};
use super::samples::{customer, minute};
use crate::{Delivery, DeliveryFilter, JobKind, JobState, NewJob, Page};

fn job(id: &str, kind: JobKind, target: &str) -> NewJob {
    let payload = format!(r#"{{"to":"{target}"}}"#);
    NewJob { key: customer(id), kind, target: target.to_owned(), due_at: minute(0), payload }
}

fn attempt(id: &str, endpoint: &str, message: &str, at: u64) -> Delivery {
    Delivery {
        key: customer(id),
        endpoint: endpoint.to_owned(),
        kind: JobKind::Deliver,
        message: message.to_owned(),
        event: "subscription.activated".to_owned(),
        sequence: 7,
        attempt: 2,
        at: minute(at),
        took: Duration::from_micros(1_234),
        outcome: Ok(204),
        payload: r#"{"日本":1}"#.to_owned(),
    }
}

pub async fn jobs_for_several_targets_stand_side_by_side(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    put(store, &[job("a", JobKind::Deliver, "app"), job("a", JobKind::Deliver, "crm")]).await;
    put(store, &[job("a", JobKind::Deliver, "crm")]).await;
    let mut jobs = claim(store, minute(1)).await;
    let targets: Vec<_> = jobs.iter().map(|job| (job.target.as_str(), job.version)).collect();
    assert_eq!(targets, [("app", 1), ("crm", 2)], "a newer one takes the place of its own target's only");
    store.finish_job(&jobs.remove(0)).await.expect("finished");
    let left = list(store, JobState::Due).await;
    assert_eq!(left.iter().map(|record| record.job.target.as_str()).collect::<Vec<_>>(), ["crm"]);
    store.fail_job(&jobs.remove(0), "refused").await.expect("failed");
    assert!(store.revive_job(&customer("a"), JobKind::Deliver, minute(2)).await.expect("answered"));
    assert_eq!(claim_one(store, minute(2)).await.target, "crm");
}

pub async fn a_job_is_removed_and_those_it_led_to_are_stored_together(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    put(store, &[job("a", JobKind::Publish, "")]).await;
    let publish = claim_one(store, minute(1)).await;
    let next = [job("a", JobKind::Deliver, "app"), job("a", JobKind::Deliver, "crm")];
    store.finish_job_into(&publish, &next).await.expect("finished");
    let jobs = claim(store, minute(1)).await;
    assert_eq!(
        jobs.iter().map(|job| job.payload.as_str()).collect::<Vec<_>>(),
        [r#"{"to":"app"}"#, r#"{"to":"crm"}"#]
    );
}

pub async fn a_job_that_was_replaced_leads_to_nothing_and_the_newer_one_is_free(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    put(store, &[job("a", JobKind::Publish, "")]).await;
    let older = claim_one(store, minute(1)).await;
    put(store, &[job("a", JobKind::Publish, "")]).await;
    store.finish_job_into(&older, &[job("a", JobKind::Deliver, "app")]).await.expect("finished");
    let newer = claim_one(store, minute(1)).await;
    assert_eq!((newer.kind, newer.version), (JobKind::Publish, older.version + 1));
}

pub async fn a_runner_whose_lease_ran_out_removes_nothing_that_came_after_it(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    put(store, &[job("a", JobKind::Wake, "")]).await;
    let late = claim_one(store, minute(1)).await;
    let in_time = claim_one(store, minute(1).plus(LEASE)).await;
    store.finish_job_into(&in_time, &[job("a", JobKind::Wake, "")]).await.expect("finished");
    store.finish_job_into(&late, &[]).await.expect("finished");
    store.finish_job(&late).await.expect("finished");
    assert_eq!(claim(store, minute(9)).await.len(), 1, "what the other one led to is still there");
}

pub async fn attempts_are_kept_in_every_part_and_found(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let good = attempt("a", "app", "msg_1", 1);
    let bad = Delivery { outcome: Err("answered 500".to_owned()), ..attempt("b", "crm", "msg_2", 2) };
    let again = Delivery { attempt: 3, ..attempt("b", "crm", "msg_2", 3) };
    for delivery in [&good, &bad, &again] {
        store.note_delivery(delivery).await.expect("kept");
    }
    let found = async |filter: DeliveryFilter, page: Page<i64>| {
        let records = store.deliveries(&filter, &page).await.expect("readable");
        records.into_iter().map(|record| record.delivery).collect::<Vec<_>>()
    };
    let all = DeliveryFilter::default();
    assert_eq!(found(all.clone(), Page::first(9)).await, [again.clone(), bad.clone(), good.clone()]);
    let last = store.deliveries(&all, &Page::first(2)).await.expect("readable").pop().expect("two").number;
    assert_eq!(found(all.clone(), Page { after: Some(last), limit: 9 }).await, std::slice::from_ref(&good));
    let failed = DeliveryFilter { failed_only: true, ..all.clone() };
    assert_eq!(found(failed, Page::first(9)).await, std::slice::from_ref(&bad));
    let to_app = DeliveryFilter { endpoint: Some("app".to_owned()), ..all };
    assert_eq!(found(to_app, Page::first(9)).await, [good]);
    let of = store.deliveries_of(&customer("b"), &Page::first(9)).await.expect("readable");
    assert_eq!(of.into_iter().map(|record| record.delivery).collect::<Vec<_>>(), [again.clone(), bad]);
    assert_eq!(store.delivery("msg_2").await.expect("readable").expect("found").delivery, again);
    assert_eq!(store.delivery("msg_9").await.expect("readable"), None);
}

pub async fn attempts_older_than_the_horizon_are_removed_at_most_the_limit(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    for at in 1..=4_u64 {
        store.note_delivery(&attempt("a", "app", &format!("msg_{at}"), at)).await.expect("kept");
    }
    assert_eq!(store.prune_deliveries(minute(4), 2).await.expect("pruned"), 2);
    assert_eq!(store.prune_deliveries(minute(4), 2).await.expect("pruned"), 1);
    let left = store.deliveries(&DeliveryFilter::default(), &Page::first(9)).await.expect("readable");
    assert_eq!(left.iter().map(|one| one.delivery.message.as_str()).collect::<Vec<_>>(), ["msg_4"]);
}
