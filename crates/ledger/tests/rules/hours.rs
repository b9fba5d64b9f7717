use stallkeeper_ledger::{Hour, Month};
use stallkeeper_lifecycle::Timestamp;

use crate::desk::{hour, time};
use crate::oracle::calendar::{hour_of, month_of_hour};

#[test]
fn an_hour_has_its_first_instant_and_not_the_next_ones() {
    assert_eq!(hour("2026-03-10T10:00:00Z"), hour("2026-03-10T10:59:59.999999Z"));
    assert_eq!(hour("2026-03-10T11:00:00Z"), hour("2026-03-10T10:00:00Z").next());
    assert_eq!(hour("2026-03-10T10:30:00Z").last_second(), time("2026-03-10T10:59:59Z"));
}

#[test]
fn hours_are_those_of_utc_whatever_the_offset_and_before_1970_too() {
    assert_eq!(hour("2026-03-10T10:30:00+05:30"), hour("2026-03-10T05:00:00Z"));
    assert_eq!(hour("1969-12-31T23:59:59Z").number(), -1);
}

#[test]
fn months_turn_at_midnight_of_utc_also_in_leap_years() {
    for (at, month) in [
        ("2026-12-31T23:59:59Z", "2026-12"),
        ("2027-01-01T00:00:00Z", "2027-01"),
        ("2028-02-29T23:00:00Z", "2028-02"),
        ("2028-03-01T00:00:00Z", "2028-03"),
    ] {
        assert_eq!(hour(at).month().to_string(), month);
    }
    assert_eq!(Month::new(2026, 12).map(Month::next), Month::new(2027, 1));
    assert_eq!(Month::new(2026, 13), None);
}

#[test]
fn every_hour_of_ten_years_lies_in_the_month_of_another_calendar() {
    for number in (hour("2024-01-01T00:00:00Z").number()..).take(87_672) {
        let month = Hour::new(number).month();
        let months = month_of_hour(hour_of(month.start().as_micros()));
        assert_eq!(months, month_of_hour(number), "{}", Hour::new(number));
    }
}

#[test]
fn no_time_makes_them_panic() {
    for micros in [i64::MIN, i64::MIN + 1, -1, i64::MAX - 1, i64::MAX] {
        let hour = Hour::of(Timestamp::from_micros(micros));
        let _ = (hour.end(), hour.last_second(), hour.next(), hour.previous(), hour.month().next().start());
    }
}
