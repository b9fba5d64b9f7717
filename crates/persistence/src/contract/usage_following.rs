//! A subscription's meter follows it in the same commit.

use std::slice::from_ref;

use stallkeeper_ledger::{Hour, Phase, Seal};
use stallkeeper_lifecycle::{FactKind, Licensee, Timestamp};

use super::Fixture;
use super::samples::{act, bound_to, customer, gone, key, license, minute, pending, success, told, wake};
use super::usage_samples::{
    Metered, accepted, balance, hour, listing, look, look_around, records, requests, says, send, states,
    stored, subscribe, take_metered, tenant,
};
use crate::Store;

async fn phase(store: &dyn Store, id: &str) -> Phase {
    store.meter(&customer(id)).await.expect("readable").expect("a meter").phase
}

pub async fn a_subscription_makes_a_running_meter_and_says_so(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    assert!(take_metered(store, &terms, minute(1), &[told("s", &buyer, minute(1), success())]).await);
    let meter = store.meter(&buyer).await.expect("readable").expect("a meter");
    assert_eq!((meter.phase, meter.period, meter.period_start), (Phase::Running, 1, Some(minute(1))));
    assert_eq!((meter.tenant, meter.first_hour), (None, hour(0)));
    assert!(take_metered(store, &terms, minute(2), &[act(&buyer, bound_to("tenant-1"))]).await);
    let meter = store.meter(&buyer).await.expect("readable").expect("a meter");
    assert_eq!(meter.tenant, Some(tenant("tenant-1")));
    assert_eq!(store.meters_due(minute(2), 10).await.expect("readable"), from_ref(&buyer));
    look_around(store, &terms, minute(2)).await;
    assert!(
        !take_metered(store, &terms, minute(3), &[told("s", &buyer, minute(1), success())]).await,
        "a copy"
    );
    assert_eq!(store.meters_due(minute(3), 10).await.expect("readable"), []);
}

pub async fn a_listing_that_is_not_metered_makes_no_meter(fixture: &dyn Fixture) {
    let (store, terms, other) = (&*fixture.store(), Metered::new(), key("aws/prod-2/customer/c-1"));
    assert!(!take_metered(store, &terms, minute(1), &[told("s", &other, minute(1), success())]).await);
    assert_eq!(store.meter(&other).await.expect("readable"), None);
    assert_eq!(store.next_look_at().await.expect("readable"), None);
}

pub async fn an_end_opens_the_final_window_and_its_close_ends_it(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    take_metered(store, &terms, minute(30), &[told("p", &buyer, minute(30), pending())]).await;
    let (since, deadline) = (minute(30), minute(90));
    let open = Phase::Ending { since, deadline, until: deadline, seal: Seal::Open };
    assert_eq!(phase(store, "c-1").await, open);
    assert_eq!(store.next_cut_by(&listing().0).await.expect("readable"), Some(deadline));
    take_metered(store, &terms, deadline, &[wake(&buyer)]).await;
    assert!(matches!(phase(store, "c-1").await, Phase::Over { .. }));
    assert_eq!(store.next_cut_by(&listing().0).await.expect("readable"), None);
}

pub async fn an_end_without_a_window_ends_the_meter_at_once(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    take_metered(store, &terms, minute(30), &[told("g", &buyer, minute(30), gone())]).await;
    assert!(matches!(phase(store, "c-1").await, Phase::Over { .. }));
}

pub async fn a_failed_payment_fails_the_meter(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    take_metered(store, &terms, minute(1), &[told("f", &buyer, minute(1), FactKind::SubscribeFail)]).await;
    assert_eq!(phase(store, "c-1").await, Phase::Failed);
}

pub async fn a_license_is_metered_for_whom_it_was_granted_to(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), license("l-1"));
    let licensee = Licensee {
        license_arn: "arn:aws:license-manager::1:license:l-1".parse().expect("an arn"),
        account: "123456789012".parse().expect("an account"),
    };
    let kind = FactKind::LicenseUpdated { offer: None, agreement: None, licensee: Some(licensee.clone()) };
    take_metered(store, &terms, minute(1), &[told("u", &buyer, minute(1), kind)]).await;
    let meter = store.meter(&buyer).await.expect("readable").expect("a meter");
    assert_eq!((meter.licensee, meter.phase), (Some(licensee), Phase::Running));
}

pub async fn a_new_period_in_the_window_keeps_off_the_hours_that_are_frozen(fixture: &dyn Fixture) {
    let terms = Metered::new().with_sources(&["api"]);
    let (store, buyer) = (&*fixture.store(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    stored(store, &terms, minute(71), requests("e-1", "tenant-1", 5, minute(70))).await;
    take_metered(store, &terms, minute(90), &[told("p", &buyer, minute(90), pending())]).await;
    says(store, &terms, "api", None, minute(90), minute(91)).await;
    assert_eq!(look(store, &terms, &buyer, minute(91)).await.frozen, 1);
    let frozen = records(store, &buyer).await;
    take_metered(store, &terms, minute(100), &[told("again", &buyer, minute(100), success())]).await;
    stored(store, &terms, minute(106), requests("e-2", "tenant-1", 2, minute(105))).await;
    look_around(store, &terms, minute(107)).await;
    let after = records(store, &buyer).await;
    assert_eq!(after[0].record.report, frozen[0].record.report, "the frozen hour is as it was");
    let next: Vec<(Hour, u32)> =
        after.iter().map(|line| (line.record.key.hour, line.record.period)).collect();
    assert_eq!(next, [(hour(1), 1), (hour(2), 2)]);
    send(store, accepted(), minute(108)).await;
    look_around(store, &terms, minute(241)).await;
    let sent = send(store, accepted(), minute(242)).await;
    let stamp: Timestamp = sent.records[0].report.stamp;
    assert_eq!(stamp, hour(2).start());
    assert_eq!(states(store, &buyer).await, ["settled", "settled"]);
    assert_eq!(balance(store, &buyer).await, [7, 7, 0, 0]);
}
