use std::collections::BTreeMap;

use stallkeeper_ledger::{Allocation, TagError, TagSet};

use crate::desk::{Desk, terms, time};

const AT: &str = "2026-03-10T10:00:00Z";

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn used(desk: &mut Desk, dimension: &str, quantity: &str, pairs: &[(&str, &str)]) {
    let submission = stallkeeper_ledger::Submission {
        tags: tags(pairs),
        ..desk.submission(dimension, quantity, time(AT))
    };
    desk.submit(&submission).unwrap();
}

fn split(desk: &mut Desk, dimension: &str) -> Vec<Allocation> {
    desk.at("2026-03-10T12:00:00Z").look();
    desk.record(dimension, AT).report.clone().unwrap().allocations
}

#[test]
fn five_tags_of_the_allowed_characters_are_taken() {
    let six: BTreeMap<_, _> = (0..6).map(|number| (format!("k{number}"), "v".to_owned())).collect();
    assert_eq!(TagSet::new(six), Err(TagError::TooMany { count: 6 }));
    assert!(TagSet::new(tags(&[("cost center", "a+b-c=d._:\\/@ 9")])).is_ok());
    for (key, value) in [("", "v"), ("k", ""), ("k", "ü"), ("k", "a\nb"), ("k\"", "v"), ("k", "a\0b")] {
        assert!(
            matches!(TagSet::new(tags(&[(key, value)])), Err(TagError::Text { .. })),
            "{key:?} {value:?}"
        );
    }
    assert!(TagSet::new(tags(&[(&"k".repeat(101), "v")])).is_err());
    assert!(TagSet::new(tags(&[("k", &"v".repeat(257))])).is_err());
}

#[test]
fn the_parts_come_to_the_quantity_and_what_has_no_tags_is_one_of_them() {
    let mut desk = Desk::subscribed(terms(), "2026-03-10T10:00:00Z");
    used(&mut desk, "storage", "1.60", &[("team", "a")]);
    used(&mut desk, "storage", "2.70", &[("team", "b")]);
    used(&mut desk, "storage", "0.80", &[]);
    let split = split(&mut desk, "storage");
    let parts: Vec<(usize, i64)> = split.iter().map(|part| (part.tags.tags().len(), part.quantity)).collect();
    assert_eq!(parts, [(1, 1), (1, 2), (0, 2)]);
    assert_eq!(desk.reported("storage", AT).0, 5);
}

#[test]
fn usage_without_tags_is_not_split() {
    let mut desk = Desk::subscribed(terms(), "2026-03-10T10:00:00Z");
    used(&mut desk, "requests", "5", &[]);
    assert_eq!(split(&mut desk, "requests"), []);
}

#[test]
fn a_peak_is_not_split() {
    let mut desk = Desk::subscribed(terms(), "2026-03-10T10:00:00Z");
    used(&mut desk, "seats", "5", &[("team", "a")]);
    used(&mut desk, "seats", "4", &[("team", "b")]);
    assert_eq!(split(&mut desk, "seats"), []);
    assert_eq!(desk.reported("seats", AT).0, 5);
}

fn of_many(count: usize, tags_of: impl Fn(usize) -> BTreeMap<String, String>) -> (usize, i64) {
    let mut desk = Desk::subscribed(terms(), "2026-03-10T10:00:00Z");
    for number in 0..count {
        let plain = desk.submission("requests", "1", time(AT));
        desk.submit(&stallkeeper_ledger::Submission { tags: tags_of(number), ..plain }).unwrap();
    }
    let split = split(&mut desk, "requests");
    assert!(
        split.is_empty()
            || split.iter().map(|part| part.quantity).sum::<i64>() == i64::try_from(count).unwrap()
    );
    (split.len(), desk.reported("requests", AT).0)
}

#[test]
fn up_to_2500_parts_are_told_and_beyond_that_none() {
    let user = |number: usize| tags(&[("user", &format!("u{number}"))]);
    assert_eq!(of_many(2_500, user), (2_500, 2_500));
    assert_eq!(of_many(2_501, user), (0, 2_501));
}

#[test]
fn parts_that_would_make_the_request_too_large_are_not_told() {
    let wordy = |number: usize| {
        let value = "v".repeat(250);
        (0..5).map(|tag| (format!("tag-{tag}-{number}"), value.clone())).collect()
    };
    assert_eq!(of_many(400, wordy), (0, 400));
}

#[test]
fn a_quantity_that_was_cut_to_what_a_record_takes_is_not_split() {
    let mut desk = Desk::subscribed(terms(), "2026-03-10T10:00:00Z");
    used(&mut desk, "requests", "3000000000", &[("team", "a")]);
    used(&mut desk, "requests", "5", &[("team", "b")]);
    assert_eq!(split(&mut desk, "requests"), []);
}
