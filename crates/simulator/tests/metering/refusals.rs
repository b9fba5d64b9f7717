//! One record that breaks a rule lets the whole call fail.

use stallkeeper_simulator::{
    Feed, MeteringBooks, MeteringCall, MeteringErrorCode, MeteringRecord, MeteringRefusal, OutOfBounds,
    Pricing, Product,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::stall::{
    ADA, ADA_S_ACCOUNT, ELEVEN, NOW, Stall, VAULT, ada, license, of_licenses, of_search, part, split,
};

use MeteringErrorCode as Code;

fn hour(hours_ago: i64) -> OffsetDateTime {
    ELEVEN - Duration::hours(hours_ago)
}

#[test]
fn a_call_takes_no_record_and_up_to_25() {
    let mut stall = Stall::new();
    assert_eq!(stall.call(&of_search(&[])).unwrap().results, []);
    assert_eq!(stall.call(&of_search(&vec![ada(5, ELEVEN); 25])).unwrap().results.len(), 25);
    let refusal = stall.refuse(&of_search(&vec![ada(5, hour(1)); 26]));
    assert_eq!(refusal, MeteringRefusal::TooManyRecords { count: 26 });
    assert_eq!(refusal.code(), Code::ValidationException);
}

#[test]
fn a_call_has_at_most_a_megabyte() {
    let word = "x".repeat(250);
    let parts = (0..2400).map(|number| part(1, [(format!("t{number}").as_str(), word.as_str())]));
    let long = split(2400, parts.collect());
    let earlier = MeteringRecord { timestamp: hour(1), ..long.clone() };
    let mut stall = Stall::new();
    let refusal = stall.refuse(&of_search(&[long.clone(), earlier]));
    assert!(matches!(refusal, MeteringRefusal::TooLong { bytes } if bytes > 1_000_000), "{refusal:?}");
    assert_eq!(refusal.code(), Code::ValidationException);
    stall.call(&of_search(&[long])).unwrap();
}

#[test]
fn a_customer_is_named_together_with_a_product_that_exists() {
    let mut stall = Stall::new();
    let without = MeteringCall { product_code: None, ..of_search(&[ada(5, ELEVEN)]) };
    assert_eq!(stall.refuse(&without).code(), Code::InvalidProductCodeException);
    let unknown = MeteringCall { product_code: Some("simx".to_owned()), ..of_search(&[ada(5, ELEVEN)]) };
    assert_eq!(stall.refuse(&unknown).code(), Code::InvalidProductCodeException);
}

#[test]
fn a_license_is_named_without_a_product() {
    let both = of_search(&[license("l-3", 5, ELEVEN)]);
    assert_eq!(Stall::new().refuse(&both).code(), Code::InvalidProductCodeException);
}

#[test]
fn a_license_is_named_together_with_its_account() {
    let mut stall = Stall::new();
    let without = MeteringRecord { customer_aws_account_id: None, ..license("l-1", 5, ELEVEN) };
    assert_eq!(stall.refuse(&of_licenses(&[without])).code(), Code::InvalidLicenseException);
    let others = MeteringRecord::of_license(VAULT, "222222222222", "hits", ELEVEN, 5);
    assert_eq!(stall.refuse(&of_licenses(&[others])).code(), Code::InvalidLicenseException);
}

#[test]
fn an_unknown_license_is_refused() {
    let call = of_licenses(&[license("l-1", 5, ELEVEN), license("l-9", 5, ELEVEN)]);
    assert_eq!(Stall::new().refuse(&call).code(), Code::InvalidLicenseException);
}

#[test]
fn licenses_of_two_products_do_not_go_together() {
    let call = of_licenses(&[license("l-1", 5, ELEVEN), license("l-2", 5, ELEVEN)]);
    assert_eq!(Stall::new().refuse(&call).code(), Code::InvalidLicenseException);
}

#[test]
fn an_empty_customer_identifier_counts_as_absent() {
    let mut stall = Stall::new();
    let with_license =
        MeteringRecord { customer_identifier: Some(String::new()), ..license("l-1", 5, ELEVEN) };
    let answer = stall.call(&of_licenses(std::slice::from_ref(&with_license))).unwrap();
    assert_eq!(answer.results[0].record, with_license);
    let nobody = MeteringRecord { customer_identifier: Some(String::new()), ..ada(5, ELEVEN) };
    assert_eq!(stall.refuse_one(nobody), Code::InvalidCustomerIdentifierException);
}

#[test]
fn a_license_and_a_customer_identifier_do_not_go_together() {
    let both = MeteringRecord { customer_identifier: Some(ADA.to_owned()), ..license("l-1", 5, ELEVEN) };
    assert_eq!(Stall::new().refuse(&of_licenses(&[both])).code(), Code::InvalidCustomerIdentifierException);
}

#[test]
fn a_product_with_licenses_takes_no_customers() {
    let mut stall = Stall::new();
    let of_vault =
        |record| MeteringCall { product_code: Some("simvault".to_owned()), ..of_search(&[record]) };
    let refusal = stall.refuse(&of_vault(ada(5, ELEVEN)));
    assert_eq!(refusal.code(), Code::InvalidCustomerIdentifierException);
    let by_account = MeteringRecord {
        customer_identifier: None,
        customer_aws_account_id: Some(ADA_S_ACCOUNT.to_owned()),
        ..ada(5, ELEVEN)
    };
    assert_eq!(stall.refuse(&of_vault(by_account)).code(), Code::InvalidLicenseException);
}

#[test]
fn a_product_that_declares_dimensions_has_no_others() {
    let mut stall = Stall::new();
    let of_depot = |dimension: &str| {
        let record = MeteringRecord { dimension: dimension.to_owned(), ..license("l-2", 5, ELEVEN) };
        of_licenses(&[license("l-2", 5, hour(1)), record])
    };
    stall.call(&of_depot("bytes")).unwrap();
    assert_eq!(stall.refuse(&of_depot("Bytes")).code(), Code::InvalidUsageDimensionException);
}

#[test]
fn a_dimension_has_1_to_255_characters() {
    let mut stall = Stall::new();
    let of_length = |length| MeteringRecord { dimension: "ä".repeat(length), ..ada(5, ELEVEN) };
    stall.send_one(&of_length(255));
    assert_eq!(stall.refuse_one(of_length(256)), Code::ValidationException);
    assert_eq!(stall.refuse_one(of_length(0)), Code::ValidationException);
}

#[test]
fn a_quantity_is_0_to_2147483647() {
    let mut stall = Stall::new();
    stall.send(&[ada(0, ELEVEN), ada(2_147_483_647, hour(1))]);
    assert_eq!(stall.refuse_one(ada(-1, hour(3))), Code::ValidationException);
    assert_eq!(stall.refuse_one(ada(2_147_483_648, hour(3))), Code::ValidationException);
}

#[test]
fn allocations_add_up_to_the_quantity() {
    let mut stall = Stall::new();
    let less = split(5, vec![part(2, [("team", "a")]), part(2, [])]);
    assert_eq!(stall.refuse_one(less), Code::InvalidUsageAllocationsException);
    let negative = split(5, vec![part(7, [("team", "a")]), part(-2, [])]);
    assert_eq!(stall.refuse_one(negative), Code::InvalidUsageAllocationsException);
}

#[test]
fn no_two_allocations_have_the_same_tags_in_whatever_order() {
    let mut stall = Stall::new();
    let twice = split(5, vec![part(2, [("a", "1"), ("b", "2")]), part(3, [("b", "2"), ("a", "1")])]);
    assert_eq!(stall.refuse_one(twice), Code::InvalidUsageAllocationsException);
    let untagged_twice = split(5, vec![part(2, []), part(3, [])]);
    assert_eq!(stall.refuse_one(untagged_twice), Code::InvalidUsageAllocationsException);
}

#[test]
fn a_record_has_up_to_2500_allocations() {
    let of = |count: usize| {
        let parts = (0..count).map(|number| part(1, [("n", number.to_string().as_str())]));
        split(i64::try_from(count).unwrap(), parts.collect())
    };
    let mut stall = Stall::new();
    stall.send_one(&of(2500));
    assert_eq!(stall.refuse_one(of(2501)), Code::InvalidUsageAllocationsException);
}

#[test]
fn an_allocation_has_up_to_5_tags() {
    let tags = |last: &'static str| [("a", ""), ("b", ""), ("c", ""), ("d", ""), ("e", last)];
    let mut stall = Stall::new();
    stall.send_one(&split(5, vec![part(5, tags("1"))]));
    let six = split(5, vec![part(5, [("a", ""), ("b", ""), ("c", ""), ("d", ""), ("e", ""), ("f", "")])]);
    assert_eq!(stall.refuse_one(six), Code::InvalidTagException);
}

#[test]
fn a_tag_has_a_key_and_plain_characters() {
    let mut stall = Stall::new();
    stall.send_one(&split(5, vec![part(5, [("aZ9 +-=._:\\/@", "aZ9 +-=._:\\/@")])]));
    for tag in [("", "a"), ("team", "a,b"), ("t\u{e9}am", "a"), ("a*", "")] {
        assert_eq!(stall.refuse_one(split(5, vec![part(5, [tag])])), Code::InvalidTagException, "{tag:?}");
    }
}

#[test]
fn the_future_and_what_is_older_than_a_day_is_refused() {
    let mut stall = Stall::at(NOW);
    let (ahead, old) = (NOW + Duration::SECOND, NOW - Duration::DAY - Duration::SECOND);
    for (timestamp, why) in [(ahead, OutOfBounds::Future), (old, OutOfBounds::TooOld)] {
        let refusal = stall.refuse(&of_search(&[ada(5, ELEVEN), ada(5, timestamp)]));
        assert_eq!(refusal, MeteringRefusal::Timestamp { record: 1, timestamp, why });
        assert_eq!(refusal.code(), Code::TimestampOutOfBoundsException);
    }
    stall.send(&[ada(5, NOW), ada(5, NOW - Duration::DAY)]);
    assert_eq!(stall.quantities(), [5, 5]);
}

#[test]
fn the_month_before_is_closed_from_six_on_the_first() {
    let last_hour = datetime!(2026-11-30 23:00 UTC);
    let mut stall = Stall::at(datetime!(2026-12-01 06:00 UTC));
    let refusal = stall.refuse(&of_search(&[ada(5, last_hour)]));
    let why = OutOfBounds::MonthClosed;
    assert_eq!(refusal, MeteringRefusal::Timestamp { record: 0, timestamp: last_hour, why });
    stall.now -= Duration::SECOND;
    stall.send_one(&ada(5, last_hour));
    assert_eq!(stall.quantities(), [5]);
}

#[test]
fn in_china_an_hour_is_too_old_already() {
    let mut stall = Stall::new();
    let in_china = |timestamp| {
        let call = of_search(&[ada(5, timestamp)]);
        MeteringCall { region: "cn-northwest-1".to_owned(), ..call }
    };
    stall.call(&in_china(NOW - Duration::HOUR)).unwrap();
    let refusal = stall.refuse(&in_china(NOW - Duration::HOUR - Duration::SECOND));
    assert_eq!(refusal.code(), Code::TimestampOutOfBoundsException);
}

#[test]
fn a_product_can_have_an_age_limit_of_its_own() {
    let product = Product::new("search", "simsearch", Feed::Sns, Pricing::Subscription);
    let mut stall = Stall::new();
    stall.books = MeteringBooks::new(&[product.with_metering_age_limit_secs(7200)], 7);
    stall.send_one(&ada(5, NOW - Duration::hours(2)));
    let refusal = stall.refuse(&of_search(&[ada(5, NOW - Duration::hours(2) - Duration::SECOND)]));
    assert_eq!(refusal.code(), Code::TimestampOutOfBoundsException);
}

#[test]
fn a_license_takes_nothing_from_before_its_activation() {
    let mut stall = Stall::with_periods(&[(ELEVEN + Duration::minutes(20), None)]);
    let refusal = stall.refuse(&of_licenses(&[license("l-1", 5, ELEVEN)]));
    let why = OutOfBounds::BeforeLicense;
    assert_eq!(refusal, MeteringRefusal::Timestamp { record: 0, timestamp: ELEVEN, why });
    stall.call(&of_licenses(&[license("l-1", 5, ELEVEN + Duration::minutes(20))])).unwrap();
}

#[test]
fn what_is_no_region_has_no_metering() {
    let mut stall = Stall::new();
    for region in ["", "US EAST", &"a".repeat(33)] {
        let call = MeteringCall { region: region.to_owned(), ..of_search(&[ada(5, ELEVEN)]) };
        assert_eq!(stall.refuse(&call).code(), Code::DisabledApiException, "{region}");
    }
}
