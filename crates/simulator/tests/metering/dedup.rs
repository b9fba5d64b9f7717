//! The first record of an hour counts.

use stallkeeper_simulator::{MeteringCall, MeteringRecord, RecordOutcome};
use time::macros::datetime;
use time::{Duration, OffsetDateTime, UtcOffset};

use crate::stall::{ADA_S_ACCOUNT, ELEVEN, NOW, Stall, ada, license, of_licenses, of_search, part, split};

fn success(outcome: &RecordOutcome) -> &str {
    match outcome {
        RecordOutcome::Success { record_id } => record_id,
        other => panic!("{other:?}"),
    }
}

fn is_duplicate(outcome: &RecordOutcome) -> bool {
    matches!(outcome, RecordOutcome::DuplicateRecord { .. })
}

#[test]
fn a_record_is_billed_in_the_hour_of_its_timestamp() {
    let mut stall = Stall::new();
    let timestamp = ELEVEN + Duration::minutes(59);
    let outcome = stall.send_one(&ada(5, timestamp));
    let entry = &stall.books.bill()[0];
    assert_eq!(entry.record_id, success(&outcome));
    assert_eq!((entry.hour, entry.timestamp, entry.quantity), (ELEVEN, timestamp, 5));
    assert_eq!((entry.number, entry.taken_at, entry.region.as_str()), (1, NOW, "us-east-1"));
    assert_eq!(
        (&*entry.subscription, entry.code.as_str(), entry.dimension.as_str()),
        ("ada", "simsearch", "hits")
    );
    assert_eq!(entry.account, ADA_S_ACCOUNT);
}

#[test]
fn hours_are_those_of_utc() {
    let mut stall = Stall::new();
    let in_kathmandu = (ELEVEN + Duration::minutes(10)).to_offset(UtcOffset::from_hms(5, 45, 0).unwrap());
    stall.send_one(&ada(5, in_kathmandu));
    assert_eq!(stall.books.bill()[0].hour, ELEVEN);
}

#[test]
fn an_identical_record_succeeds_again_with_the_same_id_and_is_billed_once() {
    let mut stall = Stall::new();
    let record = split(5, vec![part(2, [("team", "a")]), part(3, [])]);
    let first = stall.send_one(&record);
    stall.now += Duration::hours(3);
    let again = stall.send_one(&record);
    assert_eq!(success(&again), success(&first));
    assert_eq!(stall.quantities(), [5]);
}

#[test]
fn an_identical_record_is_a_duplicate_where_that_is_set() {
    let mut stall = Stall::new();
    stall.books.answer_identical_as_duplicate(true);
    let first = stall.send_one(&ada(5, ELEVEN));
    let again = stall.send_one(&ada(5, ELEVEN));
    assert!(is_duplicate(&again));
    assert_eq!(again.record_id(), Some(success(&first)));
}

#[test]
fn another_quantity_in_the_hour_is_a_duplicate_that_is_not_billed() {
    let mut stall = Stall::new();
    let first = stall.send_one(&ada(5, ELEVEN));
    let second = stall.send_one(&ada(6, ELEVEN));
    assert!(is_duplicate(&second));
    assert_eq!(second.record_id(), first.record_id());
    assert_eq!(stall.quantities(), [5]);
}

#[test]
fn another_moment_in_the_hour_is_a_duplicate_that_is_not_billed() {
    let mut stall = Stall::new();
    stall.send_one(&ada(5, ELEVEN));
    assert!(is_duplicate(&stall.send_one(&ada(5, ELEVEN + Duration::MINUTE))));
    assert_eq!(stall.quantities(), [5]);
}

#[test]
fn the_same_quantity_split_otherwise_is_a_duplicate() {
    let mut stall = Stall::new();
    stall.send_one(&split(5, vec![part(2, [("team", "a")]), part(3, [])]));
    assert!(is_duplicate(&stall.send_one(&split(5, vec![part(3, [("team", "a")]), part(2, [])]))));
}

#[test]
fn a_duplicate_is_answered_with_the_record_that_was_sent() {
    let mut stall = Stall::new();
    stall.send_one(&ada(5, ELEVEN));
    let answer = stall.call(&of_search(&[ada(6, ELEVEN)])).unwrap();
    assert_eq!(answer.results[0].record, ada(6, ELEVEN));
}

#[test]
fn of_two_in_one_call_the_first_counts() {
    let mut stall = Stall::new();
    let outcomes = stall.send(&[ada(5, ELEVEN), ada(6, ELEVEN)]);
    assert!(!success(&outcomes[0]).is_empty() && is_duplicate(&outcomes[1]));
    assert_eq!(stall.quantities(), [5]);
}

#[test]
fn zero_takes_the_hour_too() {
    let mut stall = Stall::new();
    stall.send_one(&ada(0, ELEVEN));
    assert!(is_duplicate(&stall.send_one(&ada(5, ELEVEN))));
    assert_eq!(stall.quantities(), [0]);
}

#[test]
fn every_hour_and_every_dimension_is_billed_by_itself() {
    let mut stall = Stall::new();
    let other_dimension = MeteringRecord { dimension: "bytes".to_owned(), ..ada(7, ELEVEN) };
    stall.send(&[ada(5, ELEVEN), ada(6, ELEVEN + Duration::HOUR), other_dimension]);
    assert_eq!(stall.quantities(), [5, 6, 7]);
}

#[test]
fn every_region_bills_by_itself() {
    let mut stall = Stall::new();
    for region in ["us-east-1", "eu-west-1"] {
        let call = MeteringCall { region: region.to_owned(), ..of_search(&[ada(5, ELEVEN)]) };
        success(&stall.call(&call).unwrap().results[0].outcome);
    }
    assert_eq!(stall.quantities(), [5, 5]);
}

#[test]
fn a_customer_is_the_same_by_identifier_and_by_account() {
    let mut stall = Stall::new();
    stall.send_one(&ada(5, ELEVEN));
    let by_account = MeteringRecord {
        customer_identifier: None,
        customer_aws_account_id: Some(ADA_S_ACCOUNT.to_owned()),
        ..ada(6, ELEVEN)
    };
    assert!(is_duplicate(&stall.send_one(&by_account)));
}

#[test]
fn the_same_hour_of_a_customer_and_a_license_is_billed_twice() {
    let mut stall = Stall::new();
    stall.send_one(&ada(5, ELEVEN));
    let answer = stall.call(&of_licenses(&[license("l-3", 5, ELEVEN)])).unwrap();
    success(&answer.results[0].outcome);
    assert_eq!(stall.quantities(), [5, 5]);
    assert_eq!(stall.books.bill_of("l-3").len(), 1);
}

#[test]
fn the_same_calls_make_the_same_bill() {
    let bill = || {
        let mut stall = Stall::new();
        for hours in 0..5 {
            let at = ELEVEN - Duration::hours(hours);
            stall.send(&[ada(hours, at), ada(hours + 1, at)]);
        }
        stall.books.bill().to_vec()
    };
    assert_eq!(bill(), bill());
}

#[test]
fn the_bill_is_read_page_by_page() {
    let mut stall = Stall::new();
    let hour = |hours| -> OffsetDateTime { datetime!(2026-11-22 08:00 UTC) + Duration::hours(hours) };
    stall.send(&[ada(1, hour(0)), ada(2, hour(1)), ada(3, hour(2))]);
    let page = |after, limit| -> Vec<u64> {
        stall.books.bill_after(after, limit).iter().map(|entry| entry.number).collect()
    };
    assert_eq!(page(0, 2), [1, 2]);
    assert_eq!(page(2, 2), [3]);
    assert!(page(u64::MAX, 2).is_empty());
}
