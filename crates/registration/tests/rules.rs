//! Whom a marketplace's word leads to, and what a buyer is shown.
#![expect(clippy::unwrap_used, reason = "a sample that cannot be made fails the test")]

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use stallkeeper_lifecycle::{
    Binding, Change, Fact, FactKind, Subscription, Terms, Timestamp, Trial, Word, decide,
};
use stallkeeper_registration::{
    Buyer, Entrance, Foreign, Identity, Listing, ResolveError, Resolver, Stage, stage,
};

/// A marketplace that nobody asks here.
struct Unasked;

#[async_trait]
impl Resolver for Unasked {
    async fn resolve(&self, _token: &SecretString) -> Result<Buyer, ResolveError> {
        Err(ResolveError::Invalid)
    }
}

fn entrance(identity: Identity) -> Entrance {
    let listing = Listing {
        code: "prod-1".parse().unwrap(),
        key: "search".to_owned(),
        name: "Example Search".to_owned(),
        url: None,
    };
    Entrance {
        marketplace: "aws".parse().unwrap(),
        name: "AWS Marketplace".to_owned(),
        identity,
        listings: vec![listing],
        resolver: Arc::new(Unasked),
    }
}

fn buyer(customer: Option<&str>, license_arn: Option<&str>) -> Buyer {
    Buyer {
        product: "prod-1".parse().unwrap(),
        customer: customer.map(|id| id.parse().unwrap()),
        account: "123456789012".parse().ok(),
        license_arn: license_arn.map(str::to_owned),
        agreement: None,
    }
}

const LICENSE: &str = "aws:license-manager:us-east-1:294406891311:l-1";

#[test]
fn a_buyer_is_a_customer_or_a_license_by_what_tells_the_marketplaces_buyers_apart() {
    let key = |identity, buyer: &Buyer| {
        entrance(identity).subscription_of(buyer).map(|(key, license)| (key.to_string(), license.is_some()))
    };
    let both = buyer(Some("C1"), Some(LICENSE));
    assert_eq!(key(Identity::Customer, &both).unwrap(), ("aws/prod-1/customer/C1".to_owned(), true));
    assert_eq!(key(Identity::License, &both).unwrap(), ("aws/prod-1/license/l-1".to_owned(), true));
    let licensee = buyer(None, Some(LICENSE));
    assert_eq!(key(Identity::Customer, &licensee).unwrap(), ("aws/prod-1/license/l-1".to_owned(), true));
    let customer = buyer(Some("C1"), None);
    assert!(matches!(key(Identity::License, &customer), Err(Foreign::Unnamed { missing: "LicenseArn", .. })));
    let nobody = buyer(None, None);
    assert!(matches!(
        key(Identity::Customer, &nobody),
        Err(Foreign::Unnamed { missing: "CustomerIdentifier", .. })
    ));
}

#[test]
fn a_license_is_kept_as_calls_take_it() {
    let (_, license) = entrance(Identity::License).subscription_of(&buyer(None, Some(LICENSE))).unwrap();
    assert_eq!(license.unwrap().as_str(), "arn:aws:license-manager::294406891311:license:l-1");
}

#[test]
fn a_product_that_is_not_sold_here_is_foreign() {
    let other = Buyer { product: "prod-2".parse().unwrap(), ..buyer(Some("C1"), None) };
    let found = entrance(Identity::Customer).subscription_of(&other);
    assert!(matches!(found, Err(Foreign::Product(code)) if code.as_str() == "prod-2"));
}

/// A subscription to which all this happened, one minute after the other.
fn after(facts: &[FactKind], tenant: Option<&str>) -> Subscription {
    let minute = |minutes: i64| Timestamp::from_micros(1_800_000_000_000_000 + minutes * 60_000_000);
    let facts = (1..).zip(facts).map(|(number, kind)| {
        Change::Fact(Fact::at_time(minute(number), format!("m-{number}").parse().unwrap(), kind.clone()))
    });
    let bind = tenant.map(|tenant| Change::Register(Binding { tenant: tenant.parse().unwrap(), user: None }));
    let mut subscription = Subscription::default();
    decide(&mut subscription, facts.chain(bind), minute(10), Terms::default());
    subscription
}

#[test]
fn every_word_has_its_stage() {
    let success = FactKind::SubscribeSuccess { offer: None, trial: Trial::No };
    let pending = FactKind::UnsubscribePending;
    let now = Timestamp::from_micros(1_800_000_000_000_000 + 10 * 60_000_000);
    let deadline = Timestamp::from_micros(1_800_000_000_000_000 + 62 * 60_000_000);
    let cases = [
        (vec![], None, false, Word::Unknown, Stage::Asked),
        (vec![], None, true, Word::Unknown, Stage::AwaitingSubscription),
        (vec![], Some("AAA"), false, Word::Registered, Stage::AwaitingSubscription),
        (vec![success.clone()], None, false, Word::Unclaimed, Stage::Asked),
        (vec![success.clone()], None, true, Word::Unclaimed, Stage::AwaitingTenant),
        (vec![success.clone()], Some("AAA"), true, Word::Active, Stage::Active),
        (vec![FactKind::SubscribeFail], None, false, Word::Failed, Stage::PaymentFailed),
        (vec![success.clone(), pending.clone()], Some("AAA"), true, Word::Ending, Stage::Ending(deadline)),
        (vec![success, pending, FactKind::UnsubscribeSuccess], None, true, Word::Ended, Stage::Ended),
    ];
    for (facts, tenant, has_said_all, word, expected) in cases {
        let view = after(&facts, tenant).view(now, Terms::default());
        assert_eq!(view.word, word, "{facts:?}");
        assert_eq!(stage(Some(&view), has_said_all), expected, "{facts:?}");
    }
    assert_eq!(stage(None, false), Stage::Asked, "nothing was heard of it yet");
}

#[test]
fn an_end_and_a_failed_payment_wait_for_the_word_of_a_new_beginning() {
    assert!(Stage::Ended.is_waiting() && Stage::PaymentFailed.is_waiting());
    assert!(!Stage::Active.is_waiting() && !Stage::Suspended.is_waiting());
}
