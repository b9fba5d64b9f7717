use std::collections::BTreeMap;

use stallkeeper_ledger::Hour;

use super::app::Used;
use super::units::Units;
use super::usage_check::{Cell, Line, Lost, UsageBooks};

const KEY: &str = "aws/simsearch/customer/C1";

fn units(text: &str) -> Units {
    Units::parse(text).unwrap()
}

fn line() -> Line {
    (KEY.to_owned(), "requests".to_owned())
}

fn cell(hour: i64) -> Cell {
    Cell { subscription: KEY.to_owned(), dimension: "requests".to_owned(), hour: Hour::new(hour) }
}

fn late() -> Lost {
    Lost {
        subscription: KEY.to_owned(),
        dimension: "requests".to_owned(),
        id: Some("aurora-2".to_owned()),
        units: units("1"),
        reason: "window_closed".to_owned(),
    }
}

fn used(id: &str, quantity: &str) -> Used {
    Used {
        id: id.to_owned(),
        buyer: "aurora".to_owned(),
        product: "search".to_owned(),
        subscription: None,
        dimension: "requests".to_owned(),
        units: units(quantity),
        at: Hour::new(9).start(),
    }
}

/// Of six units five are billed, in two hours, and one came too late, as planned.
fn right() -> UsageBooks {
    let billed = BTreeMap::from([(cell(9), units("3")), (cell(10), units("2"))]);
    UsageBooks {
        buyers: [(KEY.to_owned(), "aurora".to_owned())].into(),
        reported: vec![used("aurora-1", "5"), used("aurora-2", "1")],
        planted: vec![late()],
        recorded: [(line(), units("6"))].into(),
        billed: billed.clone(),
        pending: BTreeMap::new(),
        lost: vec![late()],
        bill: billed,
    }
}

#[test]
fn usage_that_is_billed_once_or_lost_as_planned_is_no_problem() {
    assert_eq!(right().problems(), Vec::<String>::new());
    let usage = right().usage();
    let row = usage.buyers.first().unwrap();
    assert_eq!((row.recorded, row.billed, row.lost), (units("6"), units("5"), units("1")));
    assert_eq!(row.why.iter().collect::<Vec<_>>(), ["window_closed"]);
    assert_eq!((usage.marketplace_billed, usage.planted_lost), (units("5"), units("1")));
}

#[test]
fn a_bill_that_says_otherwise_is_named_with_its_hour() {
    let mut books = right();
    books.bill.insert(cell(10), units("4"));
    let expected = "aurora, requests in the hour from 10:00: the marketplace bills 4, and the worker holds 2 to be billed";
    assert_eq!(books.problems(), [expected]);
    let mut books = right();
    books.bill.remove(&cell(9));
    assert!(books.problems().join("").contains("the marketplace bills nothing"), "{:?}", books.problems());
}

#[test]
fn the_same_total_in_other_hours_is_a_problem_too() {
    let mut books = right();
    books.bill = [(cell(9), units("2")), (cell(10), units("3"))].into();
    assert_eq!(books.problems().len(), 2, "{:?}", books.problems());
}

#[test]
fn units_that_are_nowhere_are_named() {
    let mut books = right();
    books.recorded.insert(line(), units("7"));
    let problems = books.problems().join("\n");
    assert!(problems.contains("7 were taken in, but 5 billed, 0 pending and 1 lost are 6"), "{problems}");
    assert!(problems.contains("the app reported 6, and 7 were taken in"), "{problems}");
}

#[test]
fn what_stays_pending_is_named() {
    let mut books = right();
    books.pending.insert(line(), units("0.5"));
    let problems = books.problems().join("\n");
    assert!(problems.contains("aurora, requests: 0.5 are still to be billed"), "{problems}");
}

#[test]
fn a_planted_loss_that_is_not_listed_is_named() {
    let mut books = right();
    books.lost.clear();
    let problems = books.problems().join("\n");
    let expected = "aurora, requests: 1 (aurora-2) as window_closed had to be listed as lost, and is not";
    assert!(problems.contains(expected), "{problems}");
}

#[test]
fn a_loss_that_nobody_planted_is_named() {
    let mut books = right();
    books.lost.push(Lost { id: None, reason: "expired".to_owned(), ..late() });
    let problems = books.problems().join("\n");
    assert!(problems.contains("aurora, requests: 1 as expired is lost, and nobody planned it"), "{problems}");
    let mut books = right();
    books.lost = vec![Lost { reason: "late".to_owned(), ..late() }];
    assert_eq!(books.problems().len(), 2, "another reason: {:?}", books.problems());
}
