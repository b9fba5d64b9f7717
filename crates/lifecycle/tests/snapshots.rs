//! Which of several answers counts.

use stallkeeper_lifecycle::{ENTITLEMENTS_MAX, Entitlement, Snapshot, Snapshots, Timestamp};

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn entitlement(value: &str) -> Entitlement {
    Entitlement { dimension: "seats".to_owned(), value: value.to_owned(), expires_at: None }
}

fn granting(micros: i64) -> Snapshot {
    Snapshot { asked_at: at(micros), entitlements: vec![entitlement(&micros.to_string())] }
}

fn empty(micros: i64) -> Snapshot {
    Snapshot { asked_at: at(micros), entitlements: Vec::new() }
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
