//! Subscriptions and grants in short words.

use std::sync::Arc;
use std::time::Duration;

use stallkeeper_entitlement::{Answer, Ask, Catalog, CatalogListing, CatalogProduct, Index, Refused};
use stallkeeper_lifecycle::{
    Binding, Change, Entitlement, Fact, FactKind, Pricing, Snapshot, Subscription, SubscriptionKey, Terms,
    Timestamp, Trial, decide,
};
use stallkeeper_persistence::{
    Actor, ChangePosition, Changed, Grant, GrantRecord, StoreError, SubscriptionRecord,
};

pub(crate) fn minute(minutes: u64) -> Timestamp {
    Timestamp::from_micros(1_767_268_800_000_000).plus(Duration::from_mins(minutes))
}

fn listing(marketplace: &str, code: &str, pricing: Pricing) -> CatalogListing {
    CatalogListing {
        marketplace: marketplace.parse().unwrap(),
        code: code.parse().unwrap(),
        terms: Terms { pricing, ..Terms::default() },
        subscribe_url: Some(format!("https://{marketplace}.example/{code}").into()),
        dimensions: [("Seats".to_owned(), "seats".parse().unwrap())].into(),
    }
}

/// Three products: two by subscription, of which the second is on two marketplaces, and one by contract.
pub(crate) fn catalog() -> Arc<Catalog> {
    let product = |key: &str, listings| CatalogProduct { key: key.parse().unwrap(), listings };
    Arc::new(Catalog::new(vec![
        product("product1111", vec![listing("aws", "p1", Pricing::Subscription)]),
        product(
            "product2222",
            vec![
                listing("aws", "p2", Pricing::Subscription),
                listing("aws-china", "p2", Pricing::Subscription),
            ],
        ),
        product("seats", vec![listing("aws", "p3", Pricing::Contract)]),
    ]))
}

pub(crate) struct Stage {
    pub(crate) index: Index,
    pub(crate) now: Timestamp,
}

/// One subscription, told as it happens.
#[derive(Clone)]
pub(crate) struct Story {
    pub(crate) key: SubscriptionKey,
    pub(crate) subscription: Subscription,
    pub(crate) terms: Terms,
}

impl Story {
    pub(crate) fn of(key: &str) -> Self {
        let pricing = if key.contains("/p3/") { Pricing::Contract } else { Pricing::Subscription };
        let terms = Terms { pricing, ..Terms::default() };
        Self { key: key.parse().unwrap(), subscription: Subscription::default(), terms }
    }

    pub(crate) fn change(mut self, change: Change, now: Timestamp) -> Self {
        decide(&mut self.subscription, [change], now, self.terms);
        self
    }

    pub(crate) fn bound(self, tenant: &str, user: Option<&str>) -> Self {
        let user = user.map(|user| user.parse().unwrap());
        let binding = Binding { tenant: tenant.parse().unwrap(), user };
        self.change(Change::Bind(binding), minute(0))
    }

    pub(crate) fn told(self, at: u64, kind: FactKind) -> Self {
        let id = format!("{}-{at}-{}", self.key.holder.id(), kind.name());
        self.change(Change::Fact(Fact::at_time(minute(at), id.parse().unwrap(), kind)), minute(at))
    }

    pub(crate) fn subscribed(self) -> Self {
        self.told(0, FactKind::SubscribeSuccess { offer: None, trial: Trial::No })
    }

    pub(crate) fn leaving(self, at: u64) -> Self {
        self.told(at, FactKind::UnsubscribePending)
    }

    /// The marketplace answers what the holder is entitled to.
    pub(crate) fn granted(self, at: u64, entitlements: &[(&str, &str)]) -> Self {
        let entitlement = |(dimension, value): &(&str, &str)| Entitlement {
            dimension: (*dimension).to_owned(),
            value: (*value).to_owned(),
            expires_at: Some(minute(10_000 + at)),
        };
        let entitlements = entitlements.iter().map(entitlement).collect();
        self.change(Change::Snapshot(Snapshot { asked_at: minute(at), entitlements }), minute(at))
    }

    pub(crate) fn changed(&self) -> Changed<SubscriptionRecord> {
        let record = SubscriptionRecord {
            key: self.key.clone(),
            subscription: self.subscription.clone(),
            updated_at: minute(0),
        };
        let position = ChangePosition { number: 1, key: self.key.to_string() };
        Changed { position, tenant: record.tenant().map(ToString::to_string), record: Ok(record) }
    }

    /// The same, where its row cannot be read.
    pub(crate) fn damaged(&self) -> Changed<SubscriptionRecord> {
        let record = Err(StoreError::unreadable(self.key.to_string(), "damaged"));
        Changed { record, ..self.changed() }
    }
}

pub(crate) fn grant(id: &str, tenant: &str, user: Option<&str>, product: &str) -> GrantRecord {
    let grant = Grant {
        id: id.parse().unwrap(),
        tenant: tenant.parse().unwrap(),
        user: user.map(|user| user.parse().unwrap()),
        product: product.parse().unwrap(),
        until: None,
        why: "pilot".parse().unwrap(),
    };
    GrantRecord { grant, by: Actor::Worker, created_at: minute(0), revoked: None }
}

/// A subscription's row.
pub(crate) struct Told(Changed<SubscriptionRecord>);

impl From<Story> for Told {
    fn from(story: Story) -> Self {
        Self(story.changed())
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { index: Index::new(&catalog()), now: minute(5) }
    }

    pub(crate) fn with(mut self, story: impl Into<Told>) -> Self {
        self.index.put_subscription(&story.into().0);
        self
    }

    pub(crate) fn with_grant(mut self, record: &GrantRecord) -> Self {
        self.index.put_grant(record);
        self
    }

    pub(crate) fn at(self, minutes: u64) -> Self {
        Self { now: minute(minutes), ..self }
    }

    pub(crate) fn try_ask(&self, tenant: &str, user: &str, product: &str) -> Result<Answer, Refused> {
        let user = (!user.is_empty()).then_some(user);
        self.index.answer(&Ask { tenant, user, product }, self.now)
    }

    pub(crate) fn ask(&self, tenant: &str, user: &str, product: &str) -> Answer {
        self.try_ask(tenant, user, product).unwrap()
    }

    /// Access and reason, as `full active`.
    pub(crate) fn words(&self, tenant: &str, user: &str, product: &str) -> String {
        let answer = self.ask(tenant, user, product);
        format!("{} {}", answer.access.as_str(), answer.reason.as_str())
    }
}
