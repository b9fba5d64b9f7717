//! Usage is taken in once, for the right subscription, or refused in words.

use stallkeeper_ledger::{EventState, HeldReason, LateUsage, LossReason, Refusal};
use stallkeeper_lifecycle::{Change, FactKind};

use super::Fixture;
use super::samples::{act, bound_to, customer, gone, minute, pending, success, told};
use super::usage_samples::{
    Metered, accepted, api, balance, every_hour, hour, look, look_around, lost, parts, records, report,
    requests, send, states, stored, subscribe, take_metered, tenant, usage,
};
use crate::Page;
use crate::usage::Taken;

fn counted(hours: u64) -> EventState {
    EventState::Counted { hour: hour(hours) }
}

pub async fn usage_reported_twice_counts_once(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    let event = requests("e-1", "tenant-1", 5, minute(10));
    assert_eq!(stored(store, &terms, minute(11), event.clone()).await, counted(0));
    assert_eq!(report(store, &terms, minute(12), &[event]).await, [Taken::Known]);
    assert_eq!(balance(store, &buyer).await, [5, 0, 5, 0]);
}

pub async fn copies_within_one_batch_of_usage_count_once(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    let event = requests("e-1", "tenant-1", 5, minute(10));
    let other = requests("e-1", "tenant-1", 6, minute(10));
    let taken = report(store, &terms, minute(11), &[event.clone(), event, other]).await;
    let expected = [Taken::Stored(counted(0)), Taken::Known, Taken::Refused(Refusal::IdReused)];
    assert_eq!(taken, expected);
    assert_eq!(balance(store, &buyer).await, [5, 0, 5, 0]);
}

pub async fn the_same_id_with_other_content_is_refused(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    stored(store, &terms, minute(11), requests("e-1", "tenant-1", 5, minute(10))).await;
    for other in [
        requests("e-1", "tenant-1", 6, minute(10)),
        requests("e-1", "tenant-1", 5, minute(9)),
        usage("e-1", "tenant-1", "seats", "5", minute(10)),
    ] {
        let taken = report(store, &terms, minute(12), &[other]).await;
        assert_eq!(taken, [Taken::Refused(Refusal::IdReused)]);
    }
    assert_eq!(balance(store, &buyer).await, [5, 0, 5, 0]);
}

pub async fn the_same_id_of_another_tenant_is_other_usage(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    for number in ["1", "2"] {
        let buyer = customer(&format!("c-{number}"));
        subscribe(store, &terms, &buyer, &format!("tenant-{number}")).await;
        let event = requests("e-1", &format!("tenant-{number}"), 5, minute(10));
        assert_eq!(stored(store, &terms, minute(11), event).await, counted(0));
        assert_eq!(balance(store, &buyer).await, [5, 0, 5, 0]);
    }
}

pub async fn bad_usage_is_refused_beside_good_usage_and_leaves_nothing(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    let batch = [
        requests("e-1", "nobody", 5, minute(10)),
        usage("e-2", "tenant-1", "pages", "5", minute(10)),
        usage("e-3", "tenant-1", "requests", "0.5", minute(10)),
        requests("e-4", "tenant-1", 5, minute(60)),
        requests("e-5", "tenant-1", 5, minute(10)),
    ];
    let taken = report(store, &terms, minute(11), &batch).await;
    let codes: Vec<&str> = taken
        .iter()
        .map(|taken| match taken {
            Taken::Refused(refusal) => refusal.code(),
            Taken::Stored(_) | Taken::Known => "taken",
        })
        .collect();
    assert_eq!(codes, ["unknown_tenant", "unknown_dimension", "too_precise", "in_the_future", "taken"]);
    let page = Page::first(10);
    assert_eq!(store.usage_events(&every_hour(&buyer), &page).await.expect("readable").len(), 1);
    // What was refused may be mended and reported under the same id.
    let mended = requests("e-3", "tenant-1", 1, minute(10));
    assert_eq!(report(store, &terms, minute(12), &[mended]).await, [Taken::Stored(counted(0))]);
}

pub async fn a_tenant_with_several_subscriptions_names_the_one_it_means(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let [first, second, foreign] = ["c-1", "c-2", "c-3"].map(customer);
    subscribe(store, &terms, &first, "tenant-1").await;
    subscribe(store, &terms, &second, "tenant-1").await;
    subscribe(store, &terms, &foreign, "tenant-2").await;
    let unnamed = requests("e-1", "tenant-1", 5, minute(10));
    let mut named = unnamed.clone();
    named.subscription = Some(second.clone());
    let mut stolen = requests("e-2", "tenant-1", 5, minute(10));
    stolen.subscription = Some(foreign.clone());
    let taken = report(store, &terms, minute(11), &[unnamed]).await;
    assert!(matches!(taken.as_slice(), [Taken::Refused(Refusal::Ambiguous(_))]), "{taken:?}");
    let taken = report(store, &terms, minute(11), &[named, stolen]).await;
    let refused = Refusal::UnknownSubscription(foreign.clone());
    assert_eq!(taken, [Taken::Stored(counted(0)), Taken::Refused(refused)]);
    assert_eq!(balance(store, &first).await, [0; 4]);
    assert_eq!(balance(store, &second).await, [5, 0, 5, 0]);
    assert_eq!(balance(store, &foreign).await, [0; 4]);
}

pub async fn usage_of_a_former_tenant_is_refused(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    take_metered(store, &terms, minute(5), &[act(&buyer, bound_to("tenant-2"))]).await;
    let taken = report(store, &terms, minute(11), &[requests("e-1", "tenant-1", 5, minute(10))]).await;
    assert_eq!(taken, [Taken::Refused(Refusal::UnknownTenant(tenant("tenant-1")))]);
    stored(store, &terms, minute(11), requests("e-1", "tenant-2", 5, minute(10))).await;
    take_metered(store, &terms, minute(12), &[act(&buyer, Change::Unbind)]).await;
    let taken = report(store, &terms, minute(13), &[requests("e-2", "tenant-2", 5, minute(10))]).await;
    assert_eq!(taken, [Taken::Refused(Refusal::UnknownTenant(tenant("tenant-2")))]);
    assert_eq!(balance(store, &buyer).await, [5, 0, 5, 0], "what was taken in stays");
}

pub async fn usage_before_the_activation_is_held_and_billed_once_it_comes(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    take_metered(store, &terms, minute(0), &[act(&buyer, bound_to("tenant-1"))]).await;
    let state = stored(store, &terms, minute(11), requests("e-1", "tenant-1", 5, minute(10))).await;
    assert!(matches!(state, EventState::Held { reason: HeldReason::BeforeActivation, .. }), "{state:?}");
    assert_eq!(store.ledger_health().await.expect("readable").held_early, 1);
    take_metered(store, &terms, minute(20), &[told("s", &buyer, minute(0), success())]).await;
    assert_eq!(look_around(store, &terms, minute(20)).await, 0);
    assert_eq!(states(store, &buyer).await, ["open"]);
    assert_eq!(store.held_usage(None, 10).await.expect("readable"), []);
    assert_eq!(store.ledger_health().await.expect("readable").held_early, 0);
    assert_eq!(look_around(store, &terms, minute(121)).await, 1);
    send(store, accepted(), minute(122)).await;
    assert_eq!(balance(store, &buyer).await, [5, 5, 0, 0]);
}

pub async fn usage_before_the_activation_is_lost_where_the_payment_fails(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    take_metered(store, &terms, minute(0), &[act(&buyer, bound_to("tenant-1"))]).await;
    stored(store, &terms, minute(11), requests("e-1", "tenant-1", 5, minute(10))).await;
    assert_eq!(balance(store, &buyer).await, [5, 0, 5, 0]);
    take_metered(store, &terms, minute(20), &[told("f", &buyer, minute(15), FactKind::SubscribeFail)]).await;
    look_around(store, &terms, minute(20)).await;
    assert_eq!(lost(store, &buyer).await, [("payment_failed", 5)]);
    assert_eq!(balance(store, &buyer).await, [5, 0, 0, 5]);
}

pub async fn usage_for_a_closed_hour_is_held_for_an_operator_and_lost_in_the_end(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    stored(store, &terms, minute(11), requests("e-1", "tenant-1", 5, minute(10))).await;
    look_around(store, &terms, minute(121)).await;
    let state = stored(store, &terms, minute(122), requests("e-2", "tenant-1", 7, minute(12))).await;
    let EventState::Held { reason: HeldReason::Late, until } = state else { unreachable!("held: {state:?}") };
    let health = store.ledger_health().await.expect("readable");
    assert_eq!((health.held_late, health.next_held_end), (1, Some(until)));
    send(store, accepted(), minute(123)).await;
    assert_eq!(balance(store, &buyer).await, [12, 5, 7, 0]);
    look(store, &terms, &buyer, until).await;
    assert_eq!(lost(store, &buyer).await, [("late", 7)]);
    assert_eq!(balance(store, &buyer).await, [12, 5, 0, 7]);
}

pub async fn late_usage_is_carried_or_refused_where_the_terms_say_so(fixture: &dyn Fixture) {
    let (store, buyer) = (&*fixture.store(), customer("c-1"));
    let carrying = Metered::new().with_late_usage(LateUsage::CarryForward);
    let refusing = Metered::new().with_late_usage(LateUsage::Refuse);
    subscribe(store, &carrying, &buyer, "tenant-1").await;
    stored(store, &carrying, minute(11), requests("e-1", "tenant-1", 5, minute(10))).await;
    look_around(store, &carrying, minute(121)).await;
    let late = requests("e-2", "tenant-1", 7, minute(12));
    let taken = report(store, &refusing, minute(122), std::slice::from_ref(&late)).await;
    assert_eq!(taken, [Taken::Refused(Refusal::HourClosed)]);
    assert_eq!(stored(store, &carrying, minute(122), late).await, counted(1));
    assert_eq!(balance(store, &buyer).await, [12, 0, 12, 0]);
}

pub async fn usage_after_the_end_is_lost_with_its_reason(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    let batch = [told("p", &buyer, minute(30), pending()), told("g", &buyer, minute(50), gone())];
    take_metered(store, &terms, minute(50), &batch).await;
    let state = stored(store, &terms, minute(55), requests("e-1", "tenant-1", 5, minute(10))).await;
    assert_eq!(state, EventState::Lost { reason: LossReason::WindowClosed });
    assert_eq!(lost(store, &buyer).await, [("window_closed", 5)]);
    assert_eq!(balance(store, &buyer).await, [5, 0, 0, 5]);
}

pub async fn the_largest_value_of_an_hour_counts_for_a_peak(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    for (id, seats) in [("e-1", "3"), ("e-2", "7"), ("e-3", "5")] {
        stored(store, &terms, minute(11), usage(id, "tenant-1", "seats", seats, minute(10))).await;
        balance(store, &buyer).await;
    }
    let sums = store.usage_sums(&buyer).await.expect("readable");
    assert_eq!(sums.len(), 1);
    assert_eq!((sums[0].dimension.clone(), sums[0].recorded), (api("seats"), parts(7)));
    assert_eq!(records(store, &buyer).await[0].record.counted, parts(7));
}

pub async fn an_event_is_kept_in_every_part(fixture: &dyn Fixture) {
    let (store, terms, buyer) = (&*fixture.store(), Metered::new(), customer("c-1"));
    subscribe(store, &terms, &buyer, "tenant-1").await;
    let mut event = usage("e-1 ünï ☃", "tenant-1", "gigabytes", "1.25", minute(10));
    event.user = "mia".parse().ok();
    event.tags = [("team".to_owned(), "a/b".to_owned())].into();
    stored(store, &terms, minute(11), event.clone()).await;
    let lines = store.usage_events(&every_hour(&buyer), &Page::first(10)).await.expect("readable");
    let [line] = lines.as_slice() else { unreachable!("one event: {lines:?}") };
    assert_eq!((&line.event.key, &line.event.subscription), (&event.key(), &buyer));
    assert_eq!((line.event.quantity, line.event.counted), (parts(125), parts(125)));
    assert_eq!((line.event.occurred_at, line.event.received_at), (minute(10), minute(11)));
    assert_eq!((line.event.user.as_ref(), line.event.tags.tags()), (event.user.as_ref(), &event.tags));
    assert_eq!((line.event.api_name.clone(), line.event.state), (api("gigabytes"), counted(0)));
    let record = &records(store, &buyer).await[0].record;
    assert_eq!(record.parts.values().copied().collect::<Vec<_>>(), [parts(125)]);
}

pub async fn a_large_batch_of_usage_is_taken_whole(fixture: &dyn Fixture) {
    let (store, terms) = (&*fixture.store(), Metered::new());
    let mut batch = Vec::new();
    for number in 0..10 {
        let of = format!("tenant-{number}");
        subscribe(store, &terms, &customer(&format!("c-{number}")), &of).await;
        batch.extend((0..100).map(|id| requests(&format!("e-{id}"), &of, 1, minute(id % 60))));
    }
    let taken = report(store, &terms, minute(60), &batch).await;
    assert!(taken.iter().all(|taken| *taken == Taken::Stored(counted(0))));
    let again = report(store, &terms, minute(61), &batch).await;
    assert!(again.iter().all(|taken| *taken == Taken::Known));
    for number in 0..10 {
        assert_eq!(balance(store, &customer(&format!("c-{number}"))).await, [100, 0, 100, 0]);
    }
}
