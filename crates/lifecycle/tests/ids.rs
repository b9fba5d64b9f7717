//! Ids and times as text.

use std::time::Duration;

use stallkeeper_lifecycle::{
    CustomerId, IdError, MarketplaceName, ProductCode, SubscriptionKey, TenantId, Timestamp, TimestampError,
};
use time::OffsetDateTime;

#[test]
fn a_key_of_every_kind_of_holder_reads_back_as_it_was_written() {
    for text in [
        "aws/3f9k2/customer/X01EXAMPLEX",
        "aws/3f9k2/license/l-0123456789abcdef",
        "aws/-/agreement/agmt-1",
        "alibaba/cmgj00/instance/160087",
        "alibaba/cmgj00/code/ABC-DEF",
    ] {
        let key: SubscriptionKey = text.parse().unwrap();
        assert_eq!(key.to_string(), text);
        assert_eq!(
            serde_json::from_str::<SubscriptionKey>(&serde_json::to_string(&key).unwrap()).unwrap(),
            key
        );
    }
}

#[test]
fn a_holders_id_may_have_slashes_and_blanks_inside() {
    let key: SubscriptionKey = "aws/p/license/a/b//c d/".parse().unwrap();
    assert_eq!(key.holder.id(), "a/b//c d/");
    assert_eq!(key.to_string(), "aws/p/license/a/b//c d/");
}

#[test]
fn an_agreements_key_names_no_product() {
    let key = SubscriptionKey::agreement("aws".parse().unwrap(), "agmt-1".parse().unwrap());
    assert_eq!(key.to_string(), "aws/-/agreement/agmt-1");
    assert!(key.is_agreement());
    assert!(!"aws/p/license/l-1".parse::<SubscriptionKey>().unwrap().is_agreement());
}

#[test]
fn what_is_not_a_key_is_refused() {
    for text in ["", "aws", "aws/p", "aws/p/customer", "aws/p/nobody/x", "aws/p/Customer/x", "//customer/x"] {
        assert!(text.parse::<SubscriptionKey>().is_err(), "{text:?} should be refused");
    }
    assert_eq!("aws/p/customer/ ".parse::<SubscriptionKey>(), Err(IdError::Empty { what: "customer id" }));
    assert_eq!("aws/p/nobody/x".parse::<SubscriptionKey>(), Err(IdError::Key));
}

#[test]
fn an_id_is_taken_without_the_blanks_around_it() {
    assert_eq!("  tenant 1\n".parse::<TenantId>().unwrap().as_str(), "tenant 1");
}

#[test]
fn an_empty_id_is_refused() {
    assert_eq!(" \t".parse::<TenantId>(), Err(IdError::Empty { what: "tenant id" }));
    assert!(serde_json::from_str::<TenantId>("\"\"").is_err());
}

#[test]
fn an_id_of_256_bytes_is_the_longest() {
    assert!("x".repeat(256).parse::<CustomerId>().is_ok());
    let error = Err(IdError::TooLong { what: "customer id", bytes: 258 });
    assert_eq!("é".repeat(129).parse::<CustomerId>(), error);
}

#[test]
fn a_control_character_is_refused() {
    for character in ['\0', '\u{7f}', '\n'] {
        let error = Err(IdError::Character { what: "customer id", character });
        assert_eq!(format!("a{character}b").parse::<CustomerId>(), error);
    }
}

#[test]
fn a_slash_or_a_blank_is_refused_in_what_stands_before_one() {
    assert!("a/b".parse::<MarketplaceName>().is_err());
    assert!("a b".parse::<ProductCode>().is_err());
    assert!("a/b c".parse::<CustomerId>().is_ok());
}

#[test]
fn a_time_reads_back_as_it_was_written() {
    for text in ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000001Z", "1969-12-31T23:59:59.999999Z"] {
        assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
    }
    assert_eq!("2026-03-01T14:00:00+02:00".parse::<Timestamp>().unwrap().to_string(), "2026-03-01T12:00:00Z");
}

#[test]
fn what_is_not_a_time_is_refused() {
    for text in ["", "2026-03-01", "2026-02-30T00:00:00Z", "12026-03-01T12:00:00Z", "now"] {
        assert_eq!(text.parse::<Timestamp>(), Err(TimestampError), "{text:?} should be refused");
    }
}

#[test]
fn arithmetic_stops_at_the_ends_of_time() {
    let (first, last) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
    assert_eq!(last.plus(Duration::from_micros(1)), last);
    assert_eq!(last.plus(Duration::MAX), last);
    assert_eq!(first.minus(Duration::MAX), first);
    assert_eq!(first.minus(Duration::from_micros(1)), first);
    assert_eq!(last.since(first), Duration::from_micros(i64::MAX.unsigned_abs()));
    assert_eq!(first.since(last), Duration::ZERO);
}

#[test]
fn a_time_beyond_the_calendar_can_be_shown_and_is_refused_as_a_date() {
    let last = Timestamp::from_micros(i64::MAX);
    assert_eq!(last.to_string(), format!("{} µs", i64::MAX));
    assert_eq!(OffsetDateTime::try_from(last), Err(TimestampError));
}
