//! Which of several answers counts.
#![expect(clippy::unwrap_used, reason = "a broken set-up fails the test")]

use std::time::Duration;

use stallkeeper_lifecycle::{
    Announced, Binding, Change, ENTITLEMENTS_MAX, Effect, Entitlement, Pricing, Snapshot, Snapshots,
    Subscription, Terms, Timestamp, decide,
};

fn at(minute: i64) -> Timestamp {
    Timestamp::from_micros(minute * 60_000_000)
}

fn entitlement(value: &str) -> Entitlement {
    Entitlement { dimension: "seats".to_owned(), value: value.to_owned(), expires_at: None }
}

fn granting(minute: i64) -> Snapshot {
    Snapshot { asked_at: at(minute), entitlements: vec![entitlement(&minute.to_string())] }
}

fn empty(minute: i64) -> Snapshot {
    Snapshot { asked_at: at(minute), entitlements: Vec::new() }
}

fn after(answers: &[Snapshot]) -> Snapshots {
    let mut snapshots = Snapshots::default();
    for answer in answers {
        snapshots.insert(answer.clone());
    }
    snapshots
}

#[test]
fn the_later_question_wins_whichever_answer_came_first() {
    for answers in [[granting(1), granting(2)], [granting(2), granting(1)]] {
        assert_eq!(after(&answers).granted(), Some(&granting(2)));
    }
}

#[test]
fn an_answer_to_a_question_of_the_same_time_as_the_grants_tells_nothing_new() {
    let mut snapshots = after(&[granting(5)]);
    assert!(!snapshots.insert(granting(5)));
    assert!(!snapshots.insert(empty(5)));
    assert!(snapshots.insert(empty(6)));
    assert_eq!(snapshots.confirmed_empty_at(), None);
}

#[test]
fn the_same_empty_answer_twice_confirms_nothing() {
    assert_eq!(after(&[granting(1), empty(2), empty(2)]).confirmed_empty_at(), None);
}

#[test]
fn two_questions_within_a_minute_are_no_more_than_one() {
    let soon = Snapshot { asked_at: at(2).plus(Duration::from_secs(59)), entitlements: Vec::new() };
    assert_eq!(after(&[granting(1), empty(2), soon]).confirmed_empty_at(), None);
    assert_eq!(after(&[granting(1), empty(2), empty(3)]).confirmed_empty_at(), Some(at(2)));
}

#[test]
fn a_confirmed_end_is_dated_by_the_first_empty_answer() {
    assert_eq!(after(&[granting(1), empty(3), empty(2)]).confirmed_empty_at(), Some(at(2)));
}

#[test]
fn a_later_grant_takes_the_end_back() {
    let snapshots = after(&[granting(1), empty(2), empty(3), granting(4)]);
    assert_eq!((snapshots.granted(), snapshots.confirmed_empty_at()), (Some(&granting(4)), None));
}

#[test]
fn every_order_of_six_answers_comes_to_the_same() {
    let answers = [granting(1), empty(2), granting(3), empty(3), empty(4), empty(5)];
    let mut orders = Vec::new();
    permute(&mut answers.clone(), 0, &mut orders);
    assert_eq!(orders.len(), 720);
    for order in orders {
        assert_eq!(after(&order), after(&answers), "in the order {order:?}");
    }
}

fn permute(answers: &mut [Snapshot], from: usize, orders: &mut Vec<Vec<Snapshot>>) {
    if from == answers.len() {
        orders.push(answers.to_vec());
    }
    for index in from..answers.len() {
        answers.swap(from, index);
        permute(answers, from + 1, orders);
        answers.swap(from, index);
    }
}

#[test]
fn an_answer_without_end_is_cut_at_a_thousand() {
    let endless = Snapshot { asked_at: at(1), entitlements: vec![entitlement("5"); ENTITLEMENTS_MAX + 1] };
    assert_eq!(after(&[endless]).granted().map(|granted| granted.entitlements.len()), Some(ENTITLEMENTS_MAX));
}

#[test]
fn empty_answers_without_end_stay_confirmed_from_the_first() {
    let mut answers = vec![granting(1)];
    answers.extend((2..100).map(empty));
    let snapshots = after(&answers);
    assert_eq!((snapshots.confirmed_empty_at(), snapshots.granted()), (Some(at(2)), Some(&answers[0])));
}

fn contract() -> Terms {
    Terms { pricing: Pricing::Contract, ..Terms::default() }
}

fn bound(terms: Terms) -> (Subscription, Vec<Effect>) {
    let mut subscription = Subscription::default();
    let binding = Binding { tenant: "acme".parse().unwrap(), user: None };
    let effects = decide(&mut subscription, [Change::Bind(binding)], at(0), terms).effects;
    (subscription, effects)
}

#[test]
fn a_contract_that_nobody_spoke_of_is_asked_about_when_its_holder_becomes_a_tenant() {
    assert!(bound(contract()).1.contains(&Effect::QueryEntitlements));
    assert!(!bound(Terms::default()).1.contains(&Effect::QueryEntitlements));
}

#[test]
fn the_app_is_told_of_another_quantity_and_not_of_the_same_again() {
    let (mut subscription, _) = bound(contract());
    let mut told = |asked_at, answer: Snapshot| {
        let change = Change::Snapshot(Snapshot { asked_at: at(asked_at), ..answer });
        let effects = decide(&mut subscription, [change], at(asked_at), contract()).effects;
        let announced = |effect| match effect {
            Effect::Announce(announcement) => Some(announcement.event),
            _ => None,
        };
        effects.into_iter().filter_map(announced).collect::<Vec<_>>()
    };
    assert_eq!(told(1, granting(1)), [Announced::Activated]);
    assert_eq!(told(2, granting(1)), []);
    assert_eq!(told(3, granting(3)), [Announced::Changed]);
}
