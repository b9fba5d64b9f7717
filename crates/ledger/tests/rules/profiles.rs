use stallkeeper_ledger::{Profile, Stamp};

use crate::desk::{hour, minutes, time};

#[test]
fn the_profiles_that_are_shipped_can_be_kept() {
    assert_eq!(Profile::AWS.check(), Ok(()));
    assert_eq!(Profile::AWS_CHINA.check(), Ok(()));
}

#[test]
fn china_with_the_hours_start_is_refused_and_so_is_a_settle_delay_up_to_the_age_limit() {
    let start = Profile { stamp: Stamp::HourStart, ..Profile::AWS_CHINA };
    let error = start.check().unwrap_err();
    assert_eq!((error.age, error.age_limit), (minutes(72), minutes(60)));
    assert!(error.to_string().contains("stamp the hour's end, or shorten the settle delay"));
    assert!(Profile { settle_delay: minutes(60), ..Profile::AWS_CHINA }.check().is_err());
    assert!(Profile { settle_delay: minutes(23 * 60), ..Profile::AWS }.check().is_err());
}

#[test]
fn an_hour_start_is_that_of_the_period_where_that_is_inside_the_hour() {
    let (ten, frozen) = (hour("2026-03-10T10:00:00Z"), time("2026-03-10T12:00:00Z"));
    for (began, stamp) in [
        (None, "2026-03-10T10:00:00Z"),
        (Some("2026-03-09T00:00:00Z"), "2026-03-10T10:00:00Z"),
        (Some("2026-03-10T10:20:00Z"), "2026-03-10T10:20:00Z"),
        (Some("2026-03-10T10:20:00.000001Z"), "2026-03-10T10:20:01Z"),
        (Some("2026-03-10T10:59:59.5Z"), "2026-03-10T10:59:59Z"),
        (Some("2026-03-10T18:00:00Z"), "2026-03-10T10:59:59Z"),
    ] {
        assert_eq!(Profile::AWS.stamp(ten, began.map(time), frozen), time(stamp), "{began:?}");
    }
}

#[test]
fn an_hour_end_is_no_later_than_the_freezing_and_no_earlier_than_the_period() {
    let ten = hour("2026-03-10T10:00:00Z");
    for (began, frozen, stamp) in [
        (None, "2026-03-10T11:02:00Z", "2026-03-10T10:59:59Z"),
        (None, "2026-03-10T10:30:15.7Z", "2026-03-10T10:30:15Z"),
        (Some("2026-03-10T10:30:15.2Z"), "2026-03-10T10:30:17Z", "2026-03-10T10:30:17Z"),
        (Some("2026-03-10T10:40:00Z"), "2026-03-10T12:00:00Z", "2026-03-10T10:59:59Z"),
    ] {
        assert_eq!(Profile::AWS_CHINA.stamp(ten, began.map(time), time(frozen)), time(stamp), "{frozen}");
    }
}

#[test]
fn a_record_is_too_old_after_a_day_or_when_its_month_is_closed() {
    for (stamp, too_old) in [
        ("2026-03-10T10:00:00Z", "2026-03-11T10:00:00Z"),
        ("2026-03-31T05:00:00Z", "2026-04-01T05:00:00Z"),
        ("2026-03-31T10:00:00Z", "2026-04-01T06:00:00Z"),
        ("2026-12-31T23:00:00Z", "2027-01-01T06:00:00Z"),
    ] {
        assert_eq!(Profile::AWS.too_old_at(time(stamp)), time(too_old));
    }
    let china = Profile::AWS_CHINA.too_old_at(time("2026-03-10T10:59:59Z"));
    assert_eq!(china, time("2026-03-10T11:59:59Z"));
}
