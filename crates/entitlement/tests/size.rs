//! How much memory a subscription takes.

use std::sync::Arc;

use stallkeeper_entitlement::{Catalog, Index};
use stallkeeper_lifecycle::{
    Binding, Change, Fact, FactKind, Subscription, SubscriptionKey, Terms, Timestamp, Trial, decide,
};
use stallkeeper_persistence::{ChangePosition, Changed, SubscriptionRecord};

const NOON: Timestamp = Timestamp::from_micros(1_767_268_800_000_000);
/// As many as fill a hash table well, as a million do.
const SUBSCRIPTIONS: usize = 100_000;

#[test]
fn a_subscription_of_a_tenant_of_its_own_takes_little_more_than_a_hundred_bytes() {
    let mut template = Subscription::default();
    let kind = FactKind::SubscribeSuccess { offer: "offer-1".parse().ok(), trial: Trial::No };
    let fact = Fact::at_time(NOON, "m-1".parse().unwrap(), kind);
    decide(&mut template, [Change::Fact(fact)], NOON, Terms::default());
    let mut index = Index::new(&Arc::new(Catalog::default()));
    for number in 0..SUBSCRIPTIONS {
        let key: SubscriptionKey = format!("aws/3f9k2example/customer/X{number:010}").parse().unwrap();
        let mut subscription = template.clone();
        subscription.binding =
            Some(Binding { tenant: format!("tenant-{number}").parse().unwrap(), user: None });
        let record = SubscriptionRecord { key: key.clone(), subscription, updated_at: NOON };
        let position = ChangePosition { number: 1, key: key.to_string() };
        index.put_subscription(&Changed { position, tenant: None, record: Ok(record) });
    }
    let each = index.bytes() / index.len();
    println!("{each} bytes a subscription");
    assert_eq!(index.len(), SUBSCRIPTIONS);
    assert!(each < 130, "{each} bytes a subscription");
}
