//! Usage to be stored: by SQL in plenty, or some of it in person.

use std::time::Duration;

use stallkeeper_ledger::{
    EventKey, EventState, Hour, Loss, LossReason, Meter, Record, RecordKey, RecordState, Report, Scale,
    SubUnits, TagSet, UsageEvent, Who,
};
use stallkeeper_lifecycle::{Holder, TenantId};

use crate::support::{NOON, subscription};

/// 100,000 rows in each table; half of the events and losses, and a third of the records, are one buyer's.
pub(crate) const LOAD: &str = r"
INSERT INTO subscriptions (key, marketplace, product, holder_kind, holder_id, state, word, tenant, created_at, updated_at)
SELECT 'aws/prod/customer/c' || to_char(n, 'FM000000'), 'aws', 'prod', 'customer', 'c' || to_char(n, 'FM000000'),
    '{}', 'active', 't' || n, now(), now()
FROM generate_series(1, 100100) AS n;

INSERT INTO meters (subscription, marketplace, product, tenant, state, deadline, cut_by, closes_by_word, look_at, updated_at)
SELECT 'aws/prod/customer/c' || to_char(n, 'FM000000'), 'aws', 'prod', 't' || n, $json$METER$json$,
    CASE WHEN n % 100 = 0 THEN to_timestamp(1800000000 + n) END,
    CASE WHEN n % 200 = 0 THEN to_timestamp(1800000000 + n) END,
    CASE WHEN n % 3 = 0 THEN to_timestamp(1800000000 + n) END,
    CASE WHEN n % 2 = 0 THEN to_timestamp(1800000000 + n) END,
    now()
FROM generate_series(1, 100000) AS n;

INSERT INTO usage_events (product, tenant, id, subscription, dimension, hour, state, counted, held_for, held_until, received_at, content, event)
SELECT 'app', 't' || n % 1000, 'e' || n,
    'aws/prod/customer/c' || to_char(CASE WHEN n <= 50000 THEN 1 ELSE n % 20000 END, 'FM000000'),
    'requests', 500000 + n % 50, CASE n % 100 WHEN 0 THEN 'held' ELSE 'counted' END, 1,
    CASE n % 200 WHEN 0 THEN 'late' WHEN 100 THEN 'before_activation' END,
    CASE n % 100 WHEN 0 THEN to_timestamp(1800000000 + n) END,
    to_timestamp(1799000000 + n), '{}', $json$EVENT$json$
FROM generate_series(1, 100000) AS n;

INSERT INTO usage_records (subscription, hour, dimension, region, marketplace, product, state, parts, frozen_at, expires_at, retry_at, record, updated_at)
SELECT 'aws/prod/customer/c' || to_char(CASE WHEN n <= 30000 THEN 1 ELSE n % 20000 END, 'FM000000'),
    400000 + n, 'requests', 'us-east-1', 'aws', 'prod',
    CASE WHEN n <= 30000 THEN 'settled' WHEN n % 20 = 0 THEN 'open' WHEN n % 20 = 1 THEN 'expired'
        WHEN n % 20 BETWEEN 2 AND 9 THEN 'frozen' ELSE 'settled' END,
    5, to_timestamp(1799000000), to_timestamp(1800000000 + n),
    CASE n % 20 WHEN 9 THEN to_timestamp(1799950000 + n) END,
    $json$RECORD$json$, to_timestamp(1799000000 + n)
FROM generate_series(1, 100000) AS n;

INSERT INTO usage_losses (subscription, dimension, hour, reason, parts, of_record, at, loss)
SELECT 'aws/prod/customer/c' || to_char(CASE WHEN n <= 50000 THEN 1 ELSE n % 20000 END, 'FM000000'),
    'requests', 400000 + n, 'expired', 5, TRUE, to_timestamp(1799000000 + n), $json$LOSS$json$
FROM generate_series(1, 100000) AS n;

INSERT INTO usage_attempts (lane, at, records)
SELECT 'lane-1', to_timestamp(1799000000 + n), '[1]' FROM generate_series(1, 100000) AS n;

INSERT INTO usage_watermarks (product, source, complete_through, updated_at)
SELECT 'app-' || n, 'api', now(), now() FROM generate_series(1, 10000) AS n;

INSERT INTO leases (name, holder, until) SELECT 'lease-' || n, 'a', now() FROM generate_series(1, 10000) AS n;
";

pub(crate) fn meter(number: u32) -> Meter {
    Meter { tenant: Some(tenant(number)), ..Meter::new(subscription(number)) }
}

pub(crate) fn tenant(number: u32) -> TenantId {
    format!("t{number}").parse().unwrap()
}

pub(crate) fn event(number: u32) -> UsageEvent {
    let id = format!("e{number}").parse().unwrap();
    let hour = Hour::new(500_000);
    UsageEvent {
        key: EventKey { product: "app".parse().unwrap(), tenant: tenant(number % 1_000), id },
        subscription: subscription(number % 20_000),
        dimension: "requests".parse().unwrap(),
        api_name: "requests".parse().unwrap(),
        scale: Scale::WHOLE,
        occurred_at: hour.start(),
        received_at: NOON,
        quantity: SubUnits::new(1).unwrap(),
        counted: SubUnits::new(1).unwrap(),
        user: None,
        tags: TagSet::default(),
        state: EventState::Counted { hour },
    }
}

pub(crate) fn record(number: u32) -> Record {
    let key = RecordKey {
        subscription: subscription(number % 20_000),
        hour: Hour::new(400_000 + i64::from(number)),
        dimension: "requests".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    };
    let Holder::Customer(customer) = key.subscription.holder.clone() else { unreachable!() };
    let report = Report {
        who: Who::Customer { product: key.subscription.product.clone(), customer },
        dimension: key.dimension.clone(),
        quantity: 5,
        stamp: NOON,
        allocations: Vec::new(),
    };
    Record {
        report: Some(report),
        expires_at: Some(NOON.plus(Duration::from_hours(20))),
        state: RecordState::Frozen { at: NOON },
        ..Record::open(key, &meter(number), Scale::WHOLE)
    }
}

pub(crate) fn loss(number: u32) -> Loss {
    Loss {
        subscription: subscription(number % 20_000),
        dimension: "requests".parse().unwrap(),
        hour: Hour::new(400_000 + i64::from(number)),
        parts: SubUnits::new(5).unwrap(),
        scale: Scale::WHOLE,
        reason: LossReason::Expired,
        at: NOON,
        event: None,
        detail: String::new(),
    }
}
