//! Who can be billed for when.

use stallkeeper_simulator::{MeteringRecord, NotSubscribed, RecordOutcome};
use time::Duration;
use time::macros::datetime;

use crate::stall::{ELEVEN, NOW, Stall, ada, license, of_licenses};

fn not_subscribed(outcome: &RecordOutcome) -> NotSubscribed {
    match outcome {
        RecordOutcome::CustomerNotSubscribed(why) => *why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unknown_customer_is_not_subscribed_and_the_others_are_billed() {
    let mut stall = Stall::new();
    let outcomes = stall.send(&[MeteringRecord::of_customer("nobody", "hits", ELEVEN, 5), ada(6, ELEVEN)]);
    assert_eq!(not_subscribed(&outcomes[0]), NotSubscribed::Unknown);
    assert_eq!(stall.quantities(), [6]);
}

#[test]
fn usage_from_before_the_subscription_is_not_billed() {
    let mut stall = Stall::with_periods(&[(ELEVEN + Duration::minutes(1), None)]);
    assert_eq!(not_subscribed(&stall.send_one(&ada(5, ELEVEN))), NotSubscribed::NotYet);
    stall.send_one(&ada(5, ELEVEN + Duration::minutes(1)));
    assert_eq!(stall.quantities(), [5]);
}

#[test]
fn whoever_never_subscribed_heals_by_subscribing() {
    let mut stall = Stall::with_periods(&[]);
    let record = ada(5, ELEVEN + Duration::minutes(30));
    assert_eq!(not_subscribed(&stall.send_one(&record)), NotSubscribed::NotYet);
    stall.periods = Stall::with_periods(&[(ELEVEN, None)]).periods;
    stall.send_one(&record);
    assert_eq!(stall.quantities(), [5]);
}

#[test]
fn records_are_taken_until_the_last_hour_is_over() {
    let over_at = NOW + Duration::minutes(10);
    let mut stall = Stall::with_periods(&[(ELEVEN, Some(over_at))]);
    stall.now = over_at - Duration::SECOND;
    stall.send_one(&ada(5, ELEVEN));
    stall.now = over_at;
    let late = MeteringRecord { dimension: "bytes".to_owned(), ..ada(5, ELEVEN) };
    assert_eq!(not_subscribed(&stall.send_one(&late)), NotSubscribed::Over);
    assert_eq!(stall.quantities(), [5]);
}

#[test]
fn when_it_is_over_not_even_an_identical_record_is_taken() {
    let mut stall = Stall::new();
    stall.send_one(&ada(5, ELEVEN));
    stall.periods[0].to = Some(NOW);
    assert_eq!(not_subscribed(&stall.send_one(&ada(5, ELEVEN))), NotSubscribed::Over);
}

#[test]
fn a_license_is_over_as_a_customer_s_subscription_is() {
    let mut stall = Stall::with_periods(&[(ELEVEN, Some(NOW))]);
    let answer = stall.call(&of_licenses(&[license("l-1", 5, ELEVEN)])).unwrap();
    assert_eq!(not_subscribed(&answer.results[0].outcome), NotSubscribed::Over);
}

#[test]
fn whoever_comes_back_within_the_hour_is_billed_as_if_they_had_stayed() {
    let back_at = datetime!(2026-11-22 11:40 UTC);
    let mut stall = Stall::with_periods(&[(ELEVEN, Some(back_at)), (back_at, None)]);
    stall.send_one(&ada(5, ELEVEN));
    assert_eq!(stall.quantities(), [5]);
}

#[test]
fn whoever_comes_back_later_is_not_billed_for_before_and_between() {
    let (left_at, back_at) = (ELEVEN, datetime!(2026-11-22 12:10 UTC));
    let mut stall = Stall::with_periods(&[(ELEVEN - Duration::HOUR, Some(left_at)), (back_at, None)]);
    let outcomes = stall.send(&[
        ada(5, ELEVEN - Duration::minutes(30)),
        ada(6, ELEVEN + Duration::minutes(30)),
        ada(7, back_at),
    ]);
    assert_eq!(not_subscribed(&outcomes[0]), NotSubscribed::Over);
    assert_eq!(not_subscribed(&outcomes[1]), NotSubscribed::NotYet);
    assert_eq!(stall.quantities(), [7]);
}

#[test]
fn a_suspended_account_is_billed_again_when_it_is_restored() {
    let mut stall = Stall::new();
    stall.is_suspended = true;
    assert_eq!(not_subscribed(&stall.send_one(&ada(5, ELEVEN))), NotSubscribed::Suspended);
    stall.is_suspended = false;
    stall.send_one(&ada(5, ELEVEN));
    assert_eq!(stall.quantities(), [5]);
}
