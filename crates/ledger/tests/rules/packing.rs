use stallkeeper_ledger::{
    Allocation, CALL_BYTES_MAX, CALL_RECORDS_MAX, CallGroup, Outgoing, Report, TagSet, Who, margin, pack,
};
use stallkeeper_lifecycle::{Licensee, Timestamp};

use crate::desk::{api, minutes, time};

fn customer(product: &str, number: i64) -> Who {
    Who::Customer { product: product.parse().unwrap(), customer: format!("buyer-{number}").parse().unwrap() }
}

fn license(product: &str) -> Who {
    let license_arn = "arn:aws:license-manager::123456789012:license:l-0123456789abcdef0123456789abcdef";
    let licensee =
        Licensee { license_arn: license_arn.parse().unwrap(), account: "123456789012".parse().unwrap() };
    Who::License { product: product.parse().unwrap(), licensee }
}

fn outgoing(number: i64, who: Who, until: Timestamp) -> Outgoing {
    let stamp = time("2026-03-10T10:00:00Z");
    let report = Report { who, dimension: api("requests"), quantity: 1, stamp, allocations: vec![] };
    Outgoing { number, report, until }
}

fn until(minute: u64) -> Timestamp {
    time("2026-03-10T12:00:00Z").plus(minutes(minute))
}

#[test]
fn a_call_has_25_records_at_most() {
    let calls = pack((0..60).map(|number| outgoing(number, customer("a", number), until(0))).collect());
    let sizes: Vec<usize> = calls.iter().map(|call| call.records.len()).collect();
    assert_eq!((sizes, CALL_RECORDS_MAX), (vec![25, 25, 10], 25));
}

#[test]
fn a_call_is_of_one_product_and_one_scheme() {
    let kinds = [customer("a", 1), customer("b", 1), license("a"), license("b")];
    let records =
        (0..40).zip(kinds.iter().cycle()).map(|(number, kind)| outgoing(number, kind.clone(), until(0)));
    let calls = pack(records.collect());
    assert_eq!(calls.len(), 4);
    for call in &calls {
        assert!(call.records.iter().all(|record| CallGroup::of(&record.report.who) == call.group));
    }
}

#[test]
fn the_most_urgent_go_first_and_take_others_along() {
    let one = |(number, minute)| outgoing(number, customer("a", number), until(minute));
    let mut records: Vec<_> = (0..30).zip((31..=60).rev()).map(one).collect();
    records.push(outgoing(99, customer("b", 99), until(10)));
    let calls = pack(records);
    let first: Vec<i64> = calls.iter().map(|call| call.records[0].number).collect();
    assert_eq!(first, [99, 29, 4]);
    assert!(calls[1].records.is_sorted_by_key(|record| record.until));
}

#[test]
fn a_call_stays_below_1_mb() {
    let wordy = |number: i64| {
        let tags =
            (0..5).map(|tag| (format!("tag-{tag}"), format!("{number}-{}", "v".repeat(200)))).collect();
        let allocations = vec![Allocation { tags: TagSet::new(tags).unwrap(), quantity: 1 }; 60];
        let plain = outgoing(number, customer("a", number), until(0));
        Outgoing { report: Report { allocations, ..plain.report }, ..plain }
    };
    let calls = pack((0..25).map(wordy).collect());
    assert!(calls.len() > 1);
    for call in &calls {
        let stored: usize =
            call.records.iter().map(|record| serde_json::to_vec(&record.report).unwrap().len()).sum();
        assert!(stored * 3 <= CALL_BYTES_MAX, "{stored}");
    }
    assert_eq!(calls.iter().map(|call| call.records.len()).sum::<usize>(), 25);
}

#[test]
fn thirty_thousand_records_fill_their_calls() {
    let of_buyer = |((number, product), minute)| outgoing(number, customer(product, number), until(minute));
    let records = (0..30_000).zip(["a", "b", "c"].into_iter().cycle()).zip((0..60).cycle()).map(of_buyer);
    let calls = pack(records.collect()).len();
    assert!(calls * 245 <= 300_000, "less than 24.5 records a call: {calls} calls");
}

#[test]
fn final_usage_is_frozen_ten_minutes_before_the_end_and_earlier_where_sending_takes_longer() {
    assert_eq!(margin(0, 10), minutes(10));
    assert_eq!(margin(75_000, 10), minutes(10));
    assert_eq!(margin(300_000, 10), minutes(40));
    assert!(margin(u64::MAX, 0) > minutes(40));
}
