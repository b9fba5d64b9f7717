//! Where usage goes, by phase and policy.

use stallkeeper_ledger::{
    Decision, DecisionError, EventState, HeldReason, LateUsage, LossReason, MeterTerms, Profile, Refusal,
    Submission, Target, choose,
};
use stallkeeper_lifecycle::{End, Standing};

use crate::desk::{Desk, ended, ending, hour, subscribed, terms, time};

const TEN: &str = "2026-03-10T10:00:00Z";

fn counted(at: &str) -> EventState {
    EventState::Counted { hour: hour(at) }
}

fn lost(reason: LossReason) -> EventState {
    EventState::Lost { reason }
}

fn held(reason: HeldReason, until: &str) -> EventState {
    EventState::Held { reason, until: time(until) }
}

fn late(policy: LateUsage) -> MeterTerms {
    MeterTerms { profile: Profile { late_usage: policy, ..Profile::AWS }, ..terms() }
}

/// Subscribed at 9:00; at 12:30 hour 10 is frozen.
fn with_ten_frozen(policy: LateUsage) -> Desk {
    let mut desk = Desk::subscribed(late(policy), "2026-03-10T09:00:00Z");
    desk.at("2026-03-10T10:30:00Z").uses("requests", "5", "2026-03-10T10:30:00Z").unwrap();
    desk.at("2026-03-10T12:30:00Z").look();
    desk.settle();
    desk
}

#[test]
fn usage_is_counted_in_its_own_hour() {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.at("2026-03-10T11:20:00Z");
    assert_eq!(desk.uses("requests", "1", "2026-03-10T10:59:59.999Z"), Ok(counted(TEN)));
    assert_eq!(desk.uses("requests", "1", "2026-03-10T11:00:00Z"), Ok(counted("2026-03-10T11:00:00Z")));
}

#[test]
fn a_clock_may_run_ahead_by_five_minutes() {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.at("2026-03-10T10:58:00Z");
    assert_eq!(desk.uses("requests", "1", "2026-03-10T11:03:00Z"), Ok(counted("2026-03-10T11:00:00Z")));
    assert_eq!(desk.uses("requests", "1", "2026-03-10T11:03:00.000001Z"), Err(Refusal::Future));
}

#[test]
fn usage_before_the_word_of_the_marketplace_waits_for_it() {
    let mut desk = Desk::new(terms(), time(TEN));
    let state = desk.uses("requests", "1", TEN);
    assert_eq!(state, Ok(held(HeldReason::BeforeActivation, "2026-03-11T10:00:00Z")));
    desk.at("2026-03-10T10:30:00Z").hear(&subscribed(time("2026-03-10T10:20:00Z")));
    assert_eq!(desk.record("requests", TEN).counted.parts(), 1);
    desk.at("2026-03-10T12:00:00Z").look();
    assert_eq!(desk.reported("requests", TEN), (1, "2026-03-10T10:20:00Z".to_owned()));
}

#[test]
fn what_was_used_before_the_first_period_goes_to_its_first_hour() {
    let mut desk = Desk::new(terms(), time(TEN));
    desk.uses("requests", "1", "2026-03-10T08:10:00Z").unwrap();
    desk.hear(&subscribed(time("2026-03-10T09:50:00Z")));
    desk.at("2026-03-10T11:00:00Z").look();
    assert_eq!(desk.reported("requests", "2026-03-10T09:00:00Z"), (1, "2026-03-10T09:50:00Z".to_owned()));
}

#[test]
fn what_was_used_before_activation_never_crosses_a_month() {
    let mut desk = Desk::new(terms(), time("2026-03-31T23:50:00Z"));
    desk.uses("requests", "1", "2026-03-31T23:50:00Z").unwrap();
    desk.at("2026-04-01T00:10:00Z").hear(&subscribed(time("2026-04-01T00:05:00Z")));
    assert_eq!(desk.lost(), [("api-requests".to_owned(), "1".to_owned(), LossReason::MonthClosed)]);
}

#[test]
fn thousands_of_held_events_are_all_counted_before_an_hour_closes() {
    let mut desk = Desk::new(terms(), time(TEN));
    for _ in 0..100 {
        desk.uses("requests", "1", TEN).unwrap();
    }
    desk.at("2026-03-10T15:00:00Z").hear(&subscribed(time(TEN)));
    while desk.look_at.is_some_and(|at| at <= desk.now) {
        desk.look();
    }
    assert_eq!(desk.reported("requests", TEN).0, 100);
}

#[test]
fn usage_that_no_activation_came_for_is_lost() {
    let mut desk = Desk::new(terms(), time(TEN));
    desk.uses("requests", "1", TEN).unwrap();
    desk.look();
    assert_eq!(desk.look_at, Some(time("2026-03-11T10:00:00Z")));
    desk.at("2026-03-11T10:00:00Z").look();
    assert_eq!(desk.lost(), [("api-requests".to_owned(), "1".to_owned(), LossReason::NotSubscribed)]);
}

#[test]
fn usage_of_a_buyer_whose_payment_failed_is_lost() {
    let mut desk = Desk::new(terms(), time(TEN));
    desk.uses("requests", "1", TEN).unwrap();
    desk.hear(&Standing::Failed { at: time(TEN) });
    assert_eq!(desk.lost(), [("api-requests".to_owned(), "1".to_owned(), LossReason::PaymentFailed)]);
    assert_eq!(desk.uses("requests", "2", TEN), Ok(lost(LossReason::PaymentFailed)));
}

#[test]
fn late_usage_is_kept_for_an_operator() {
    let mut desk = with_ten_frozen(LateUsage::Hold);
    let state = desk.uses("requests", "1", "2026-03-10T10:40:00Z");
    assert_eq!(state, Ok(held(HeldReason::Late, "2026-03-11T10:00:00Z")));
    desk.at("2026-03-11T10:00:00Z").look();
    assert_eq!(desk.lost(), [("api-requests".to_owned(), "1".to_owned(), LossReason::Late)]);
}

#[test]
fn an_operator_carries_late_usage_to_the_first_open_hour_or_writes_it_off() {
    let mut desk = with_ten_frozen(LateUsage::Hold);
    desk.uses("requests", "1", "2026-03-10T10:40:00Z").unwrap();
    assert_eq!(desk.decide(Decision::Carry), Ok(()));
    assert_eq!(desk.record("requests", "2026-03-10T11:00:00Z").counted.parts(), 1);
    desk.uses("requests", "2", "2026-03-10T10:40:00Z").unwrap();
    assert_eq!(desk.decide(Decision::WriteOff), Ok(()));
    assert_eq!(desk.lost(), [("api-requests".to_owned(), "2".to_owned(), LossReason::WrittenOff)]);
    assert_eq!(desk.decide(Decision::Carry), Err(DecisionError::NotHeld));
}

#[test]
fn an_operator_cannot_carry_across_a_month() {
    let mut desk = Desk::subscribed(terms(), "2026-03-31T22:00:00Z");
    desk.at("2026-04-01T01:10:00Z").look();
    desk.uses("requests", "1", "2026-03-31T23:10:00Z").unwrap();
    assert_eq!(desk.decide(Decision::Carry), Err(DecisionError::NoHour));
    assert_eq!(desk.decide(Decision::WriteOff), Ok(()));
}

#[test]
fn late_usage_is_carried_forward_where_that_is_the_policy() {
    let mut desk = with_ten_frozen(LateUsage::CarryForward);
    assert_eq!(desk.uses("requests", "1", "2026-03-10T10:40:00Z"), Ok(counted("2026-03-10T11:00:00Z")));
}

#[test]
fn late_usage_is_never_carried_across_a_month() {
    let mut desk = Desk::subscribed(late(LateUsage::CarryForward), "2026-03-31T22:00:00Z");
    desk.at("2026-04-01T01:10:00Z").look();
    assert_eq!(desk.uses("requests", "1", "2026-03-31T23:10:00Z"), Ok(lost(LossReason::MonthClosed)));
}

#[test]
fn late_usage_is_refused_where_that_is_the_policy() {
    let mut desk = with_ten_frozen(LateUsage::Refuse);
    assert_eq!(desk.uses("requests", "1", "2026-03-10T10:40:00Z"), Err(Refusal::HourClosed));
}

#[test]
fn an_hour_that_is_closed_without_a_record_takes_nothing_either() {
    let mut desk = with_ten_frozen(LateUsage::Refuse);
    assert_eq!(desk.uses("storage", "1", "2026-03-10T10:40:00Z"), Err(Refusal::HourClosed));
}

#[test]
fn usage_older_than_the_marketplace_takes_is_refused() {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.at("2026-03-11T10:00:00Z");
    assert_eq!(desk.uses("requests", "1", "2026-03-10T10:59:00Z"), Err(Refusal::TooOld));
    let mut desk = Desk::subscribed(terms(), "2026-03-31T23:00:00Z");
    desk.at("2026-04-01T06:00:00Z");
    assert_eq!(desk.uses("requests", "1", "2026-03-31T23:30:00Z"), Err(Refusal::TooOld));
}

#[test]
fn usage_from_days_before_the_first_period_is_not_billed_in_it() {
    let mut desk = Desk::subscribed(terms(), TEN);
    assert_eq!(desk.uses("requests", "1", "2026-03-08T10:00:00Z"), Err(Refusal::TooOld));
}

#[test]
fn in_china_usage_may_come_until_an_hour_after_its_own() {
    let china = MeterTerms { profile: Profile::AWS_CHINA, ..terms() };
    let mut desk = Desk::new(china, time("2026-03-10T10:05:00Z"));
    let state = desk.uses("requests", "1", "2026-03-10T10:05:00Z");
    assert_eq!(state, Ok(held(HeldReason::BeforeActivation, "2026-03-10T11:59:59Z")));
}

#[test]
fn hours_before_meter_from_are_another_systems() {
    let from = MeterTerms { meter_from: Some(hour("2026-03-10T11:00:00Z")), ..terms() };
    let mut desk = Desk::subscribed(from, TEN);
    desk.at("2026-03-10T11:10:00Z");
    assert_eq!(desk.uses("requests", "1", "2026-03-10T10:59:00Z"), Err(Refusal::BeforeMeterFrom));
    assert_eq!(desk.uses("requests", "1", "2026-03-10T11:00:00Z"), Ok(counted("2026-03-10T11:00:00Z")));
}

#[test]
fn usage_of_an_earlier_period_is_lost() {
    let mut desk = Desk::subscribed(terms(), "2026-03-10T06:00:00Z");
    desk.at("2026-03-10T08:00:00Z").hear(&ended(time("2026-03-10T06:00:00Z"), time("2026-03-10T07:50:00Z")));
    desk.at(TEN).hear(&subscribed(time(TEN)));
    assert_eq!(desk.uses("requests", "1", "2026-03-10T07:40:00Z"), Ok(lost(LossReason::EarlierPeriod)));
}

#[test]
fn usage_after_the_end_is_lost() {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.at("2026-03-10T10:40:00Z").hear(&ended(time(TEN), time("2026-03-10T10:35:00Z")));
    assert_eq!(desk.uses("requests", "1", "2026-03-10T10:20:00Z"), Ok(lost(LossReason::WindowClosed)));
}

#[test]
fn a_window_that_nobody_has_closed_yet_takes_nothing_after_its_end() {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.at("2026-03-10T10:31:00Z").hear(&ending(time(TEN), time("2026-03-10T10:30:00Z")));
    desk.at("2026-03-10T11:30:00Z");
    assert_eq!(desk.uses("requests", "1", "2026-03-10T11:20:00Z"), Ok(lost(LossReason::WindowClosed)));
}

#[test]
fn a_dimension_with_another_name_is_counted_as_before() {
    let mut desk = Desk::new(terms(), time(TEN));
    desk.uses("seats", "3", TEN).unwrap();
    desk.uses("seats", "5", TEN).unwrap();
    let seats = desk.terms.dimensions.remove(&"seats".parse().unwrap()).unwrap();
    desk.terms.dimensions.insert("places".parse().unwrap(), seats);
    desk.hear(&subscribed(time(TEN)));
    assert_eq!(desk.record("seats", TEN).counted.parts(), 5);
}

#[test]
fn unknown_dimensions_are_refused() {
    let mut desk = Desk::subscribed(terms(), TEN);
    assert_eq!(desk.uses("gadgets", "1", TEN), Err(Refusal::UnknownDimension("gadgets".parse().unwrap())));
}

#[test]
fn a_tenant_of_several_subscriptions_names_one_unless_only_one_is_not_over() {
    let desk = Desk::subscribed(terms(), TEN);
    let other = |phase| stallkeeper_ledger::Meter {
        key: "aws/code/customer/buyer-2".parse().unwrap(),
        phase,
        ..desk.meter.clone()
    };
    let chosen = |other: &stallkeeper_ledger::Meter, named: Option<&str>| {
        let subscription = named.map(|named| named.parse().unwrap());
        let submission = Submission { subscription, ..desk.submission("requests", "1", time(TEN)) };
        let targets = [&desk.meter, other].map(|meter| Target { meter, terms: &desk.terms });
        choose(&submission, &targets).map(|target| target.meter.key.to_string())
    };
    let (running, over) = (other(desk.meter.phase), other(stallkeeper_ledger::Phase::Failed));
    assert!(matches!(chosen(&running, None), Err(Refusal::Ambiguous(_))));
    assert_eq!(
        chosen(&running, Some("aws/code/customer/buyer-2")),
        Ok("aws/code/customer/buyer-2".to_owned())
    );
    assert_eq!(chosen(&over, None), Ok("aws/code/customer/buyer-1".to_owned()));
    assert!(matches!(chosen(&over, Some("aws/code/customer/x")), Err(Refusal::UnknownSubscription(_))));
}

#[test]
fn a_lapse_and_a_last_word_are_both_the_end() {
    for end in [End::Lapsed, End::Said, End::Final] {
        let mut desk = Desk::subscribed(terms(), TEN);
        let at = time("2026-03-10T10:10:00Z");
        desk.hear(&Standing::Ended { at, end, period: None, attempts_until: None });
        assert_eq!(desk.uses("requests", "1", TEN), Ok(lost(LossReason::WindowClosed)));
    }
}
