//! Looking at meters closes hours, seals final usage, and finds its work by what is stored.

use std::slice::from_ref;

use stallkeeper_ledger::ProductKey;
use stallkeeper_lifecycle::{ProductCode, SubscriptionKey};

use super::Fixture;
use super::samples::{act, bound_to, customer, key, marketplace, minute, pending, take, told, wake};
use super::usage_samples::{
    Metered, accepted, api, balance, hour, listing, look, look_around, lost, product, records, report,
    requests, says, send, source, states, stored, subscribe, take_metered, unsent, usage,
};
use crate::usage::{Watermark, WatermarkError, put_watermark};
use crate::{Page, Store, Work};

pub async fn an_hour_closes_after_the_settle_delay_and_not_before(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    look_around(store, &terms, minute(0)).await;
    stored(store, &terms, minute(11), requests("e-1", "tenant-1", 5, minute(10))).await;
    assert_eq!(store.next_look_at().await.expect("readable"), Some(minute(120)));
    assert_eq!(look_around(store, &terms, minute(119)).await, 0);
    assert_eq!(states(store, &buyer).await, ["open"]);
    assert_eq!(look_around(store, &terms, minute(120)).await, 1);
    assert_eq!(states(store, &buyer).await, ["frozen"]);
    let outgoing = unsent(store, minute(120)).await;
    assert_eq!((outgoing.len(), outgoing[0].report.quantity), (1, 5));
    assert_eq!(outgoing[0].report.stamp, hour(0).start());
    assert_eq!(balance(store, &buyer).await, [5, 0, 5, 0]);
}

pub async fn an_hour_closes_by_the_word_of_every_source(fixture: &dyn Fixture) {
    let terms = Metered::new().with_sources(&["api", "batch"]);
    let (store, buyer) = (&*fixture.store(), customer("c-1"));
    let (name, code) = listing();
    subscribe(store, &terms, &buyer, "tenant-1").await;
    look_around(store, &terms, minute(0)).await;
    stored(store, &terms, minute(11), requests("e-1", "tenant-1", 5, minute(10))).await;
    says(store, &terms, "api", None, minute(60), minute(61)).await;
    look(store, &terms, &buyer, minute(61)).await;
    assert_eq!(states(store, &buyer).await, ["open"], "one source has not spoken");
    says(store, &terms, "batch", None, minute(60), minute(62)).await;
    assert_eq!(store.meters_complete(&name, &code, minute(59), 10).await.expect("readable"), []);
    assert_eq!(
        store.meters_complete(&name, &code, minute(60), 10).await.expect("readable"),
        from_ref(&buyer)
    );
    assert_eq!(look(store, &terms, &buyer, minute(62)).await.frozen, 1);
    assert_eq!(store.meters_complete(&name, &code, minute(60), 10).await.expect("readable"), []);
    let words = store.product_watermarks(&product()).await.expect("readable");
    assert_eq!(words, [(source("api"), minute(60)), (source("batch"), minute(60))].into());
}

pub async fn a_tenants_watermark_closes_only_its_own_hours(fixture: &dyn Fixture) {
    let terms = Metered::new().with_sources(&["api"]);
    let store = &*fixture.store();
    let [first, second] = ["c-1", "c-2"].map(customer);
    for (buyer, of) in [(&first, "tenant-1"), (&second, "tenant-2")] {
        subscribe(store, &terms, buyer, of).await;
        stored(store, &terms, minute(11), requests("e-1", of, 5, minute(10))).await;
    }
    look_around(store, &terms, minute(12)).await;
    says(store, &terms, "api", Some("tenant-1"), minute(60), minute(61)).await;
    assert_eq!(store.meters_due(minute(61), 10).await.expect("readable"), from_ref(&first));
    assert_eq!(look_around(store, &terms, minute(61)).await, 1);
    assert_eq!(states(store, &first).await, ["frozen"]);
    assert_eq!(states(store, &second).await, ["open"]);
    assert!(store.product_watermarks(&product()).await.expect("readable").is_empty());
}

pub async fn a_watermark_never_goes_back(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let mut word =
        Watermark { product: product(), tenant: None, source: source("api"), complete_through: minute(60) };
    let put = async |word: &Watermark| {
        let mut transaction = store.begin(Work::Usage).await.expect("begun");
        let is_news = transaction.put_watermark(word, minute(61)).await.expect("stored");
        transaction.commit().await.expect("committed");
        is_news
    };
    assert!(put(&word).await);
    assert!(!put(&word).await, "said before");
    word.complete_through = minute(30);
    assert!(!put(&word).await, "earlier");
    let words = store.product_watermarks(&product()).await.expect("readable");
    assert_eq!(words, [(source("api"), minute(60))].into());
}

pub async fn a_watermark_that_nobody_can_know_is_refused(fixture: &dyn Fixture) {
    let terms = Metered::new().with_sources(&["api"]);
    let store = &*fixture.store();
    let word =
        Watermark { product: product(), tenant: None, source: source("api"), complete_through: minute(60) };
    let refused = async |word: Watermark| put_watermark(store, &word, minute(60), &terms).await.err();
    let future = refused(Watermark { complete_through: minute(61), ..word.clone() }).await;
    assert!(matches!(future, Some(WatermarkError::Future)), "{future:?}");
    let unknown = refused(Watermark { source: source("other"), ..word.clone() }).await;
    assert!(matches!(unknown, Some(WatermarkError::UnknownSource(_))), "{unknown:?}");
    let nobody = refused(Watermark { tenant: "nobody".parse().ok(), ..word.clone() }).await;
    assert!(matches!(nobody, Some(WatermarkError::UnknownTenant(_))), "{nobody:?}");
    let other: ProductKey = "other".parse().expect("a key");
    let unmetered = refused(Watermark { product: other, ..word }).await;
    assert!(matches!(unmetered, Some(WatermarkError::UnknownProduct(_))), "{unmetered:?}");
    assert!(store.product_watermarks(&product()).await.expect("readable").is_empty());
}

pub async fn a_frozen_record_never_changes_what_it_reports(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    stored(store, &terms, minute(11), requests("e-1", "tenant-1", 5, minute(10))).await;
    look_around(store, &terms, minute(121)).await;
    let before = records(store, &buyer).await;
    report(store, &terms, minute(122), &[requests("e-2", "tenant-1", 7, minute(12))]).await;
    look(store, &terms, &buyer, minute(123)).await;
    look(store, &terms, &buyer, minute(200)).await;
    assert_eq!(records(store, &buyer).await, before);
}

pub async fn less_than_a_unit_is_carried_into_the_next_hour(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    let batch = [
        usage("e-1", "tenant-1", "gigabytes", "1.75", minute(10)),
        usage("e-2", "tenant-1", "gigabytes", "0.5", minute(70)),
    ];
    report(store, &terms, minute(71), &batch).await;
    balance(store, &buyer).await;
    look_around(store, &terms, minute(121)).await;
    balance(store, &buyer).await;
    look_around(store, &terms, minute(181)).await;
    balance(store, &buyer).await;
    let quantities: Vec<_> = unsent(store, minute(181)).await.iter().map(|one| one.report.quantity).collect();
    assert_eq!(quantities, [1, 1]);
    send(store, accepted(), minute(182)).await;
    balance(store, &buyer).await;
}

pub async fn hours_without_usage_are_reported_where_that_is_wanted(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new().with_zero_records(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    assert_eq!(look_around(store, &terms, minute(0)).await, 0);
    assert_eq!(look_around(store, &terms, minute(180)).await, 6, "two hours of three dimensions");
    let reports: Vec<_> = unsent(store, minute(180)).await.into_iter().map(|one| one.report).collect();
    assert!(reports.iter().all(|report| report.quantity == 0));
    assert_eq!(reports.iter().filter(|report| report.dimension == api("requests")).count(), 2);
}

/// A buyer with usage in the hour in which he leaves.
async fn leaving(store: &dyn Store, terms: &Metered) -> SubscriptionKey {
    let buyer = customer("c-1");
    subscribe(store, terms, &buyer, "tenant-1").await;
    stored(store, terms, minute(71), requests("e-1", "tenant-1", 5, minute(70))).await;
    take_metered(store, terms, minute(90), &[told("p", &buyer, minute(90), pending())]).await;
    look_around(store, terms, minute(90)).await;
    buyer
}

pub async fn final_usage_is_frozen_once_it_is_complete(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new().with_sources(&["api"]));
    let buyer = leaving(store, &terms).await;
    let (name, code) = listing();
    assert_eq!(states(store, &buyer).await, ["open"]);
    stored(store, &terms, minute(91), requests("e-2", "tenant-1", 2, minute(89))).await;
    says(store, &terms, "api", None, minute(90), minute(92)).await;
    assert_eq!(
        store.meters_complete(&name, &code, minute(90), 10).await.expect("readable"),
        from_ref(&buyer)
    );
    assert_eq!(look(store, &terms, &buyer, minute(92)).await.frozen, 1);
    let sent = send(store, accepted(), minute(93)).await;
    assert_eq!((sent.records[0].report.quantity, sent.records[0].until), (7, minute(150)));
    assert_eq!(balance(store, &buyer).await, [7, 7, 0, 0]);
}

pub async fn final_usage_is_found_and_frozen_at_the_soft_cut(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = leaving(store, &terms).await;
    let aws = marketplace("aws");
    assert_eq!(store.next_cut_by(&aws).await.expect("readable"), Some(minute(150)));
    assert_eq!(store.next_cut_by(&marketplace("alibaba")).await.expect("readable"), None);
    assert_eq!(store.leaving_backlog(std::slice::from_ref(&aws)).await.expect("readable"), 1);
    assert_eq!(store.leaving_backlog(&[marketplace("alibaba")]).await.expect("readable"), 0);
    assert_eq!(store.meters_to_cut(&aws, minute(149), 10).await.expect("readable"), []);
    assert_eq!(store.meters_to_cut(&aws, minute(150), 10).await.expect("readable"), from_ref(&buyer));
    assert_eq!(look(store, &terms, &buyer, minute(140)).await.frozen, 1);
    assert_eq!(store.meters_to_cut(&aws, minute(150), 10).await.expect("readable"), []);
    let health = store.ledger_health().await.expect("readable");
    assert_eq!((health.windows, health.next_window_end), (1, Some(minute(150))));
    send(store, accepted(), minute(141)).await;
    assert_eq!(store.leaving_backlog(&[aws]).await.expect("readable"), 0);
    assert_eq!(balance(store, &buyer).await, [5, 5, 0, 0]);
}

pub async fn usage_that_comes_after_the_seal_goes_to_the_next_hour(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new().with_sources(&["api"]));
    let buyer = leaving(store, &terms).await;
    says(store, &terms, "api", None, minute(90), minute(92)).await;
    look(store, &terms, &buyer, minute(92)).await;
    stored(store, &terms, minute(93), requests("e-2", "tenant-1", 2, minute(89))).await;
    assert_eq!(states(store, &buyer).await, ["frozen", "open"]);
    let aws = marketplace("aws");
    assert_eq!(look_around(store, &terms, minute(119)).await, 0);
    assert_eq!(
        store.meters_to_cut(&aws, minute(150), 10).await.expect("readable"),
        [],
        "it has to begin first"
    );
    assert_eq!(look_around(store, &terms, minute(120)).await, 0, "more may come until the soft cut");
    assert_eq!(store.meters_to_cut(&aws, minute(150), 10).await.expect("readable"), from_ref(&buyer));
    assert_eq!(look(store, &terms, &buyer, minute(140)).await.frozen, 1);
    send(store, accepted(), minute(141)).await;
    assert_eq!(states(store, &buyer).await, ["settled", "settled"]);
    assert_eq!(balance(store, &buyer).await, [7, 7, 0, 0]);
}

pub async fn what_the_window_leaves_over_is_lost_with_its_reason(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let buyer = leaving(store, &terms).await;
    stored(store, &terms, minute(91), usage("e-2", "tenant-1", "gigabytes", "0.5", minute(89))).await;
    take_metered(store, &terms, minute(150), &[wake(&buyer)]).await;
    look_around(store, &terms, minute(151)).await;
    let reasons: Vec<_> = lost(store, &buyer).await;
    assert!(reasons.contains(&("fraction", 50)) && reasons.contains(&("expired", 5)), "{reasons:?}");
    assert_eq!(balance(store, &buyer).await, [5, 0, 0, 5]);
    assert_eq!(unsent(store, minute(151)).await, []);
    assert_eq!(store.ledger_health().await.expect("readable").windows, 0);
    assert_eq!(store.next_look_at().await.expect("readable"), None);
}

pub async fn a_record_whose_time_is_over_is_found_and_lost(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    stored(store, &terms, minute(11), requests("e-1", "tenant-1", 5, minute(10))).await;
    look_around(store, &terms, minute(121)).await;
    let day = 24 * 60;
    assert_eq!(store.meters_expired(minute(day - 1), 10).await.expect("readable"), []);
    assert_eq!(store.next_look_at().await.expect("readable"), Some(minute(day)));
    assert_eq!(store.meters_expired(minute(day), 10).await.expect("readable"), from_ref(&buyer));
    assert_eq!(unsent(store, minute(day)).await, [], "it is too old to be sent");
    look_around(store, &terms, minute(day)).await;
    assert_eq!(lost(store, &buyer).await, [("expired", 5)]);
    assert_eq!(store.meters_expired(minute(day), 10).await.expect("readable"), []);
    let health = store.ledger_health().await.expect("readable");
    assert_eq!((health.unsent, health.expired), (0, 1));
    assert_eq!(balance(store, &buyer).await, [5, 0, 0, 5]);
}

pub async fn meters_are_due_the_longest_first_and_within_the_limit(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let [first, second, third] = ["c-3", "c-1", "c-2"].map(customer);
    for (buyer, of, at) in [(&first, "t-1", 10), (&second, "t-2", 70), (&third, "t-3", 130)] {
        subscribe(store, &terms, buyer, of).await;
        look(store, &terms, buyer, minute(0)).await;
        stored(store, &terms, minute(131), requests("e-1", of, 5, minute(at))).await;
    }
    assert_eq!(store.meters_due(minute(119), 10).await.expect("readable"), []);
    let due = store.meters_due(minute(240), 10).await.expect("readable");
    assert_eq!(due, [first.clone(), second.clone(), third]);
    assert_eq!(store.meters_due(minute(240), 2).await.expect("readable"), [first.clone(), second]);
    assert_eq!(store.meters_due(minute(120), 10).await.expect("readable"), [first]);
}

pub async fn a_meter_that_cannot_be_read_holds_no_other_up(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let [damaged, sound] = ["c-1", "c-2"].map(customer);
    subscribe(store, &terms, &damaged, "tenant-1").await;
    subscribe(store, &terms, &sound, "tenant-2").await;
    fixture.damage_meter(&damaged).await;
    // It is the first to be due, and only one is asked for.
    store.meters_due(minute(0), 1).await.expect("readable");
    assert_eq!(store.meters_due(minute(0), 1).await.expect("readable"), [sound]);
    let error = store.meter(&damaged).await.expect_err("unreadable");
    assert!(error.to_string().contains("c-1"), "it names the meter: {error}");
}

pub async fn subscriptions_without_a_meter_are_found_page_by_page(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let unmetered = ["c-1", "c-3", "c-4"].map(customer);
    for buyer in &unmetered {
        take(store, minute(0), &[act(buyer, bound_to("tenant-1"))]).await;
    }
    take(store, minute(0), &[act(&key("aws/prod-10/customer/c-1"), bound_to("tenant-1"))]).await;
    subscribe(store, &terms, &customer("c-2"), "tenant-2").await;
    let (name, code) = listing();
    let missing = async |after: Option<SubscriptionKey>, limit: u32| {
        store.meters_missing(&name, &code, &Page { after, limit }).await.expect("readable")
    };
    assert_eq!(missing(None, 10).await, unmetered);
    assert_eq!(missing(None, 2).await, unmetered[..2]);
    assert_eq!(missing(Some(unmetered[1].clone()), 2).await, unmetered[2..]);
    let other: ProductCode = "prod-2".parse().expect("a code");
    assert_eq!(store.meters_missing(&name, &other, &Page::first(10)).await.expect("readable"), []);
    take_metered(store, &terms, minute(1), &unmetered.clone().map(|buyer| wake(&buyer))).await;
    assert_eq!(missing(None, 10).await, [], "a look at each makes its meter");
}
