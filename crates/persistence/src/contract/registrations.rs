//! Registrations: buyers on their way to a tenant.

use std::time::Duration;

use stallkeeper_lifecycle::{Binding, Change};
use tokio::task::JoinSet;

use super::Fixture;
use super::samples::{act, bound_to, customer, day, minute, story, take};
use crate::{
    Details, NewRegistration, NewVisit, Outcome, Page, RegistrationFilter, RegistrationId,
    RegistrationRecord, Settled, Store, VisitId,
};

fn registration(number: u8, buyer: &str) -> NewRegistration {
    NewRegistration {
        id: RegistrationId::new([number; 16]),
        subscription: customer(buyer),
        account: "123456789012".parse().ok(),
        license_arn: None,
        agreement: "agmt-1".parse().ok(),
    }
}

fn visit(number: u8) -> NewVisit {
    NewVisit { id: VisitId::new([number; 16]), browser: [number; 32], ends_at: day(1) }
}

fn details(email: &str) -> Details {
    Details {
        company: "Käserei & Söhne".parse().expect("a name"),
        contact: "李 'Mia' <b>".parse().expect("a name"),
        email: email.parse().expect("an address"),
    }
}

async fn register(store: &dyn Store, number: u8, buyer: &str, minutes: u64) {
    let (registration, visit) = (registration(number, buyer), visit(number));
    store.register(&registration, &visit, minute(minutes)).await.expect("stored");
}

async fn visited(store: &dyn Store, number: u8, minutes: u64) -> Option<RegistrationRecord> {
    let visit = visit(number);
    store.visited(&visit.id, &visit.browser, minute(minutes)).await.expect("readable")
}

async fn ids(store: &dyn Store, filter: RegistrationFilter) -> Vec<RegistrationId> {
    let found = store.registrations(filter, &Page::first(10), minute(1)).await.expect("readable");
    found.into_iter().map(|record| record.id).collect()
}

pub async fn a_registration_is_kept_in_every_part(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    register(store, 1, "c1", 0).await;
    let new = registration(1, "c1");
    let stored = RegistrationRecord {
        id: new.id.clone(),
        subscription: new.subscription,
        account: new.account,
        license_arn: None,
        agreement: new.agreement,
        details: None,
        created_at: minute(0),
        seen_at: minute(0),
        ends_at: day(30),
        tenant: None,
    };
    assert_eq!(visited(store, 1, 1).await, Some(stored.clone()));
    store.put_details(&new.id, &details("mia@gmail.com"), minute(2)).await.expect("stored");
    let stored = RegistrationRecord { details: Some((details("mia@gmail.com"), minute(2))), ..stored };
    assert_eq!(store.registration(&new.id, minute(3)).await.expect("readable"), Some(stored));
}

pub async fn a_buyer_who_comes_again_keeps_his_registration(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    register(store, 1, "c1", 0).await;
    store
        .put_details(&RegistrationId::new([1; 16]), &details("mia@gmail.com"), minute(1))
        .await
        .expect("stored");
    register(store, 2, "c1", 10).await;
    let again = visited(store, 2, 11).await.expect("his registration");
    assert_eq!(again.id, RegistrationId::new([1; 16]));
    assert_eq!((again.created_at, again.seen_at), (minute(0), minute(10)));
    assert_eq!(again.ends_at, minute(10).plus(Duration::from_hours(720)), "it lasts anew");
    assert_eq!(again.details.expect("what he said").0, details("mia@gmail.com"));
    assert!(visited(store, 1, 11).await.is_some(), "the first page is still his");
}

pub async fn a_buyer_who_comes_ten_times_at_once_has_one_registration(fixture: &dyn Fixture) {
    let store = fixture.store();
    let mut visits = JoinSet::new();
    for number in 1..=10 {
        let store = store.clone();
        visits.spawn(async move { register(&*store, number, "c1", 0).await });
    }
    visits.join_all().await;
    assert_eq!(ids(&*store, RegistrationFilter::All).await.len(), 1);
    for number in 1..=10 {
        assert!(visited(&*store, number, 1).await.is_some(), "visit {number}");
    }
}

pub async fn a_visits_page_is_its_browsers_alone_and_ends(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    register(store, 1, "c1", 0).await;
    let page = visit(1).id;
    assert_eq!(store.visited(&page, &[2; 32], minute(1)).await.expect("readable"), None, "another browser");
    assert_eq!(store.visited(&VisitId::new([9; 16]), &[1; 32], minute(1)).await.expect("readable"), None);
    assert_eq!(store.visited(&page, &[1; 32], day(1)).await.expect("readable"), None, "over");
}

pub async fn a_code_is_taken_once_and_before_it_is_over(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    register(store, 1, "c1", 0).await;
    let page = visit(1).id;
    let take = async |code: u8, at| {
        let taken = store.take_code(&[code; 32], minute(at)).await.expect("readable");
        taken.map(|record| record.subscription)
    };
    store.put_code(&page, &[7; 32], minute(10)).await.expect("stored");
    assert_eq!(take(8, 1).await, None, "unknown");
    assert_eq!(take(7, 1).await, Some(customer("c1")));
    assert_eq!(take(7, 1).await, None, "taken before");
    store.put_code(&page, &[5; 32], minute(10)).await.expect("stored");
    assert_eq!(take(5, 10).await, None, "over");
    store.put_code(&page, &[6; 32], minute(20)).await.expect("stored");
    assert_eq!(take(5, 1).await, None, "a newer code took its place");
    assert_eq!(take(6, 11).await, Some(customer("c1")));
}

pub async fn a_registration_is_pending_from_the_buyers_word_until_its_tenant(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    register(store, 1, "c1", 0).await;
    register(store, 2, "c2", 0).await;
    assert_eq!(ids(store, RegistrationFilter::Pending).await, []);
    for number in [1, 2] {
        let id = RegistrationId::new([number; 16]);
        store.put_details(&id, &details("mia@example.com"), minute(1)).await.expect("stored");
    }
    assert_eq!(ids(store, RegistrationFilter::Pending).await.len(), 2);
    take(store, minute(2), &[act(&customer("c1"), bound_to("AAA"))]).await;
    assert_eq!(ids(store, RegistrationFilter::Pending).await, [RegistrationId::new([2; 16])]);
    let bound = store.registration(&RegistrationId::new([1; 16]), minute(3)).await.expect("readable");
    assert_eq!(bound.expect("there").tenant, "AAA".parse().ok());
}

pub async fn registrations_are_paged(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    for number in 1..=3 {
        register(store, number, &format!("c{number}"), 0).await;
    }
    let page = Page { after: Some(RegistrationId::new([1; 16])), limit: 1 };
    let found = store.registrations(RegistrationFilter::All, &page, minute(1)).await.expect("readable");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, RegistrationId::new([2; 16]));
}

pub async fn what_is_over_is_forgotten_and_removed(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    register(store, 1, "c1", 0).await;
    register(store, 2, "c2", 5).await;
    let first = RegistrationId::new([1; 16]);
    assert_eq!(store.registration(&first, day(30)).await.expect("readable"), None, "forgotten");
    assert_eq!(
        store.prune_registrations(day(30), 100).await.expect("pruned"),
        2,
        "two visits, one registration"
    );
    assert_eq!(store.prune_registrations(day(30), 100).await.expect("pruned"), 0);
    assert_eq!(store.registration(&first, minute(1)).await.expect("readable"), None, "removed");
    assert!(store.registration(&RegistrationId::new([2; 16]), day(30)).await.expect("readable").is_some());
}

pub async fn of_two_tenants_who_register_at_once_one_gets_the_subscription(fixture: &dyn Fixture) {
    let store = fixture.store();
    let registers = |tenant: &str| {
        let binding = Binding { tenant: tenant.parse().expect("an id"), user: None };
        act(&customer("c1"), Change::Register(binding))
    };
    let mut racers = JoinSet::new();
    for tenant in ["AAA", "BBB"] {
        let (store, batch) = (store.clone(), vec![registers(tenant)]);
        racers.spawn(async move { take(&*store, minute(1), &batch).await });
    }
    let mut outcomes = racers.join_all().await.concat();
    outcomes.sort_by_key(|outcome| *outcome != Outcome::Settled(Settled::Applied));
    assert_eq!(outcomes, [Outcome::Settled(Settled::Applied), Outcome::Settled(Settled::Taken)]);
    let record = store.subscription(&customer("c1")).await.expect("readable").expect("there");
    let winner = record.tenant().expect("bound").to_string();
    assert_eq!(
        take(&*store, minute(2), &[registers(&winner)]).await,
        [Outcome::Settled(Settled::Unchanged)],
        "the winner's own second try is no second tenant"
    );
    let lines = story(&*store, &customer("c1")).await;
    let told = ["bound applied registered", "bound taken registered", "bound unchanged registered"];
    assert_eq!(lines, told, "the history tells of who was refused, too");
}
