//! When hours close, and what they leave over.

use stallkeeper_ledger::{LossReason, MeterTerms, Profile, ZeroRecords};

use crate::desk::{Desk, ending, terms, time, with_sources};

const TEN: &str = "2026-03-10T10:00:00Z";

fn zeros() -> MeterTerms {
    MeterTerms { zero_records: ZeroRecords::Send, ..terms() }
}

fn hours_reported(desk: &Desk, dimension: &str) -> Vec<(String, i64)> {
    let of_dimension = |record: &&stallkeeper_ledger::Record| {
        record.key.dimension == crate::desk::api(dimension) && record.report.is_some()
    };
    let line = |record: &stallkeeper_ledger::Record| {
        (record.key.hour.to_string(), record.report.as_ref().unwrap().quantity)
    };
    desk.records.values().filter(of_dimension).map(line).collect()
}

#[test]
fn an_hour_closes_an_hour_after_its_end_and_not_before() {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.at("2026-03-10T10:10:00Z").uses("requests", "5", "2026-03-10T10:10:00Z").unwrap();
    assert_eq!(desk.look_at, Some(time("2026-03-10T12:00:00Z")));
    desk.at("2026-03-10T11:59:59.999999Z").look();
    assert_eq!(desk.word("requests", TEN), Some("open"));
    desk.at("2026-03-10T12:00:00Z").look();
    assert_eq!(desk.reported("requests", TEN), (5, TEN.to_owned()));
    assert_eq!(desk.record("requests", TEN).expires_at, Some(time("2026-03-11T10:00:00Z")));
}

#[test]
fn in_china_an_hour_closes_two_minutes_after_its_end_and_carries_its_last_second() {
    let mut desk = Desk::subscribed(MeterTerms { profile: Profile::AWS_CHINA, ..terms() }, TEN);
    desk.uses("requests", "5", TEN).unwrap();
    desk.at("2026-03-10T11:02:00Z").look();
    assert_eq!(desk.reported("requests", TEN), (5, "2026-03-10T10:59:59Z".to_owned()));
    assert_eq!(desk.record("requests", TEN).expires_at, Some(time("2026-03-10T11:59:59Z")));
}

#[test]
fn an_hour_closes_at_once_when_the_tenants_usage_is_complete() {
    let mut desk = Desk::subscribed(with_sources(terms(), &["app"]), TEN);
    desk.uses("requests", "5", TEN).unwrap();
    desk.at("2026-03-10T11:01:00Z").complete("app", "2026-03-10T10:59:59Z");
    assert_eq!(desk.word("requests", TEN), Some("open"));
    desk.complete("app", "2026-03-10T11:00:00Z");
    assert_eq!(desk.word("requests", TEN), Some("frozen"));
}

#[test]
fn an_hour_closes_at_once_when_the_whole_products_usage_is_complete() {
    let mut desk = Desk::subscribed(with_sources(terms(), &["app"]), TEN);
    desk.uses("requests", "5", TEN).unwrap();
    assert_eq!(desk.meter.closes_by_word(&desk.terms), Some(time("2026-03-10T11:00:00Z")));
    desk.at("2026-03-10T11:00:30Z").all_complete("app", "2026-03-10T11:00:00Z");
    assert_eq!(desk.word("requests", TEN), Some("frozen"));
}

#[test]
fn every_source_has_to_say_so_for_the_tenant_or_the_product() {
    let mut desk = Desk::subscribed(with_sources(terms(), &["app", "batch"]), TEN);
    desk.uses("requests", "5", TEN).unwrap();
    desk.at("2026-03-10T11:10:00Z").complete("app", "2026-03-10T11:00:00Z");
    assert_eq!(desk.word("requests", TEN), Some("open"));
    desk.all_complete("batch", "2026-03-10T11:05:00Z");
    assert_eq!(desk.word("requests", TEN), Some("frozen"));
}

#[test]
fn a_source_that_says_nothing_is_waited_for_no_longer_than_the_settle_delay() {
    let mut desk = Desk::subscribed(with_sources(terms(), &["app"]), TEN);
    desk.uses("requests", "5", TEN).unwrap();
    desk.at("2026-03-10T12:00:00Z").look();
    assert_eq!(desk.word("requests", TEN), Some("frozen"));
}

#[test]
fn a_word_about_the_hour_at_hand_does_not_close_it() {
    let mut desk = Desk::subscribed(with_sources(terms(), &["app"]), TEN);
    desk.uses("requests", "5", TEN).unwrap();
    desk.at("2026-03-10T10:30:00Z").complete("app", "2026-03-10T10:30:00Z");
    assert_eq!(desk.word("requests", TEN), Some("open"));
}

#[test]
fn an_hour_without_usage_is_reported_in_every_dimension_once_it_is_closed() {
    let mut desk = Desk::subscribed(zeros(), "2026-03-10T10:20:00Z");
    assert_eq!(desk.look_at, Some(time("2026-03-10T12:00:00Z")));
    desk.at("2026-03-10T12:00:00Z").look();
    for dimension in ["requests", "seats", "storage"] {
        assert_eq!(desk.reported(dimension, TEN), (0, "2026-03-10T10:20:00Z".to_owned()));
    }
    assert_eq!(desk.records.len(), 3);
    assert_eq!(desk.look_at, Some(time("2026-03-10T13:00:00Z")));
}

#[test]
fn an_hour_without_usage_is_not_reported_where_those_are_skipped() {
    let mut desk = Desk::subscribed(terms(), TEN);
    assert_eq!(desk.look_at, None);
    desk.at("2026-03-10T20:00:00Z").look();
    assert_eq!(desk.records.len(), 0);
}

#[test]
fn after_hours_of_downtime_each_hour_is_reported_once() {
    let mut desk = Desk::subscribed(zeros(), TEN);
    desk.uses("requests", "5", TEN).unwrap();
    desk.at("2026-03-10T15:10:00Z").look();
    let expected =
        [(TEN, 5), ("2026-03-10T11:00:00Z", 0), ("2026-03-10T12:00:00Z", 0), ("2026-03-10T13:00:00Z", 0)];
    assert_eq!(
        hours_reported(&desk, "requests"),
        expected.map(|(hour, quantity)| (hour.to_owned(), quantity))
    );
}

#[test]
fn after_days_of_downtime_old_usage_is_lost_and_hours_too_old_are_not_reported() {
    let mut desk = Desk::subscribed(zeros(), TEN);
    desk.uses("requests", "5", TEN).unwrap();
    desk.at("2026-03-13T10:30:00Z").look();
    assert_eq!(desk.word("requests", TEN), Some("expired"));
    assert_eq!(desk.lost(), [("api-requests".to_owned(), "5".to_owned(), LossReason::Expired)]);
    let idle = hours_reported(&desk, "seats");
    assert_eq!((idle.len(), idle[0].0.as_str()), (22, "2026-03-12T11:00:00Z"));
    assert_eq!(desk.look_at, Some(time("2026-03-13T11:00:00Z")));
}

#[test]
fn less_than_a_unit_is_left_over_for_the_next_hour_with_usage() {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.uses("storage", "1.75", TEN).unwrap();
    desk.at("2026-03-10T12:00:00Z").look();
    assert_eq!(desk.reported("storage", TEN).0, 1);
    desk.uses("storage", "0.25", "2026-03-10T12:00:00Z").unwrap();
    desk.at("2026-03-10T14:00:00Z").look();
    assert_eq!(desk.reported("storage", "2026-03-10T12:00:00Z").0, 1);
    assert!(desk.meter.carries.is_empty());
}

#[test]
fn less_than_a_unit_is_lost_when_its_month_is_over() {
    let mut desk = Desk::subscribed(terms(), "2026-03-31T23:00:00Z");
    desk.uses("storage", "1.75", "2026-03-31T23:00:00Z").unwrap();
    desk.at("2026-04-01T01:00:00Z").look();
    assert_eq!((desk.lost(), desk.look_at), (vec![], Some(time("2026-04-01T02:00:00Z"))));
    desk.at("2026-04-01T02:00:00Z").look();
    assert_eq!(desk.lost(), [("api-storage".to_owned(), "0.75".to_owned(), LossReason::Fraction)]);
    assert_eq!(desk.look_at, None);
}

#[test]
fn less_than_a_unit_does_not_go_into_the_next_month_also_when_both_close_at_once() {
    let mut desk = Desk::subscribed(terms(), "2026-03-31T23:00:00Z");
    desk.uses("storage", "1.75", "2026-03-31T23:00:00Z").unwrap();
    desk.at("2026-04-01T00:10:00Z").uses("storage", "1.25", "2026-04-01T00:10:00Z").unwrap();
    desk.at("2026-04-01T02:00:00Z").look();
    assert_eq!(desk.reported("storage", "2026-04-01T00:00:00Z").0, 1);
    assert_eq!(desk.lost(), [("api-storage".to_owned(), "0.75".to_owned(), LossReason::Fraction)]);
}

#[test]
fn more_than_a_record_takes_goes_on_hour_by_hour_and_into_no_hour_more() {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.uses("requests", "5000000000", TEN).unwrap();
    desk.at("2026-03-10T20:00:00Z").look();
    let most = 2_147_483_647;
    let expected = [(TEN, most), ("2026-03-10T11:00:00Z", most), ("2026-03-10T12:00:00Z", 705_032_706)];
    assert_eq!(
        hours_reported(&desk, "requests"),
        expected.map(|(hour, quantity)| (hour.to_owned(), quantity))
    );
}

#[test]
fn a_look_is_asked_for_to_report_what_a_record_did_not_take() {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.uses("requests", "3000000000", TEN).unwrap();
    desk.at("2026-03-10T12:00:00Z").look();
    assert_eq!(desk.look_at, Some(time("2026-03-10T13:00:00Z")));
    desk.at("2026-03-10T13:00:00Z").look();
    assert_eq!(desk.reported("requests", "2026-03-10T11:00:00Z").0, 852_516_353);
    assert_eq!(desk.look_at, None);
}

#[test]
fn more_than_the_last_record_of_a_month_takes_is_lost() {
    let mut desk = Desk::subscribed(terms(), "2026-03-31T23:00:00Z");
    desk.uses("requests", "2147483650", "2026-03-31T23:00:00Z").unwrap();
    desk.at("2026-04-01T05:00:00Z").look();
    assert_eq!(desk.lost(), [("api-requests".to_owned(), "3".to_owned(), LossReason::MonthClosed)]);
}

#[test]
fn what_a_dimension_left_over_is_billed_also_when_the_configuration_knows_it_no_more() {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.uses("requests", "2147483650", TEN).unwrap();
    desk.at("2026-03-10T12:00:00Z").look();
    desk.terms.dimensions.remove(&"requests".parse().unwrap());
    desk.at("2026-03-10T13:00:00Z").look();
    assert_eq!(desk.reported("requests", "2026-03-10T11:00:00Z").0, 3);
}

#[test]
fn what_is_lost_of_a_dimension_that_is_gone_keeps_its_worth_and_reason() {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.uses("storage", "1.75", TEN).unwrap();
    desk.at("2026-03-10T12:00:00Z").look();
    desk.terms.dimensions.remove(&"storage".parse().unwrap());
    desk.at("2026-04-01T02:00:00Z").look();
    let fraction: Vec<_> = desk.lost().into_iter().filter(|loss| loss.2 == LossReason::Fraction).collect();
    assert_eq!(fraction, [("api-storage".to_owned(), "0.75".to_owned(), LossReason::Fraction)]);
}

#[test]
fn the_largest_of_an_hour_counts_where_that_is_how_a_dimension_is_counted() {
    let mut desk = Desk::subscribed(terms(), TEN);
    for quantity in ["3", "7", "5"] {
        desk.uses("seats", quantity, TEN).unwrap();
    }
    desk.at("2026-03-10T12:00:00Z").look();
    assert_eq!(desk.reported("seats", TEN).0, 7);
    let counted: Vec<i64> = desk.events.values().map(|event| event.counted.parts()).collect();
    assert_eq!(counted, [3, 4, 0]);
}

#[test]
fn an_hour_that_ends_after_final_usage_was_frozen_is_not_reported_as_idle() {
    let mut desk = Desk::subscribed(zeros(), TEN);
    desk.uses("requests", "5", TEN).unwrap();
    desk.follow(&ending(time(TEN), time("2026-03-10T10:00:30Z")));
    desk.at("2026-03-10T10:55:00Z").look();
    assert_eq!(hours_reported(&desk, "requests"), [(TEN.to_owned(), 5)]);
    desk.at("2026-03-10T12:00:10Z").look();
    assert_eq!(hours_reported(&desk, "seats"), []);
    assert_eq!(desk.records.len(), 1);
}

#[test]
fn what_is_known_of_closed_hours_does_not_grow() {
    let mut desk = Desk::subscribed(zeros(), TEN);
    for hours in 1..100 {
        desk.now = time(TEN).plus(std::time::Duration::from_hours(hours));
        desk.look();
        assert!(desk.meter.taken.is_empty());
    }
}
