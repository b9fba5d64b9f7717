//! The seller whose usage is measured: one product of three dimensions on one marketplace.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::anyhow;
use stallkeeper_ledger::{
    Aggregate, DimensionTerms, MeterTerms, ProductKey, Profile, Scale, Submission, ZeroRecords,
};
use stallkeeper_lifecycle::{
    Binding, Change, Fact, FactKind, MarketplaceName, ProductCode, SubscriptionKey, TenantId, Terms,
    Timestamp, Trial,
};
use stallkeeper_persistence::usage::{EVENTS_MAX, MeterTermsOf, Taken, take_in};
use stallkeeper_persistence::{Act, Actor, Content, InboxKey, Incoming, Received, Store, TermsOf, commit};

use crate::simulator::Simulator;

/// What the app calls the product.
pub(crate) const PRODUCT: &str = "search";
/// What the marketplace calls it.
pub(crate) const CODE: &str = "simsearch";
/// What is counted, in the seller's words.
pub(crate) const DIMENSIONS: [&str; 3] = ["gigabytes", "requests", "seats"];
/// With what the app calls the worker.
pub(crate) const TOKEN: &str = "an-example-that-the-bench-uses";
/// How the marketplace is called, which the worker calls by its own means.
const MARKETPLACE: &str = "aws";
/// How many subscriptions one transaction makes.
const COMMIT: usize = 250;

/// What the configuration says, for whoever reads a database without a worker.
#[derive(Debug)]
pub(crate) struct Seller {
    terms: Arc<MeterTerms>,
    listing: (MarketplaceName, ProductCode),
}

impl Seller {
    pub(crate) fn new() -> anyhow::Result<Arc<Self>> {
        let mut dimensions = BTreeMap::new();
        for name in DIMENSIONS {
            let terms =
                DimensionTerms { api_name: parse(name)?, scale: Scale::WHOLE, aggregate: Aggregate::Sum };
            dimensions.insert(parse(name)?, terms);
        }
        let terms = MeterTerms {
            product: parse(PRODUCT)?,
            profile: Profile::AWS,
            region: parse("us-east-1")?,
            dimensions,
            sources: [].into(),
            zero_records: ZeroRecords::Skip,
            meter_from: None,
        };
        Ok(Arc::new(Self { terms: Arc::new(terms), listing: (parse(MARKETPLACE)?, parse(CODE)?) }))
    }

    pub(crate) fn marketplace(&self) -> MarketplaceName {
        self.listing.0.clone()
    }

    /// Buyers who subscribed at `since`, each bound to the tenant of the same number.
    pub(crate) async fn subscribe(
        &self,
        store: &dyn Store,
        buyers: u64,
        since: Timestamp,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let keys = (0..buyers).map(key).collect::<anyhow::Result<Vec<_>>>()?;
        let kind = FactKind::SubscribeSuccess { offer: None, trial: Trial::No };
        self.hear(store, &keys, &kind, since, now).await?;
        self.bind(store, &keys, now).await
    }

    /// The marketplace says the same of all of them.
    pub(crate) async fn hear(
        &self,
        store: &dyn Store,
        keys: &[SubscriptionKey],
        kind: &FactKind,
        at: Timestamp,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        for keys in keys.chunks(COMMIT) {
            let said = keys.iter().map(|key| said(key, kind, at, now)).collect::<anyhow::Result<Vec<_>>>()?;
            commit(store, &said, now, self).await?;
        }
        Ok(())
    }

    /// Binds subscriptions to tenants, by their place.
    pub(crate) async fn bind(
        &self,
        store: &dyn Store,
        keys: &[SubscriptionKey],
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let numbered: Vec<(u64, &SubscriptionKey)> = (0..).zip(keys).collect();
        for part in numbered.chunks(COMMIT) {
            let act = |(number, key): &(u64, &SubscriptionKey)| {
                let binding = Binding { tenant: parse(&tenant(*number))?, user: None };
                let act = Act { key: (*key).clone(), change: Change::Bind(binding), actor: Actor::Worker };
                anyhow::Ok(Incoming { received_at: now, content: Content::Act(act) })
            };
            let acts = part.iter().map(act).collect::<anyhow::Result<Vec<_>>>()?;
            commit(store, &acts, now, self).await?;
        }
        Ok(())
    }

    /// One event of each dimension for each tenant; answers how much that is in all.
    pub(crate) async fn use_up(
        &self,
        store: &dyn Store,
        tenants: u64,
        at: Timestamp,
        now: Timestamp,
    ) -> anyhow::Result<i64> {
        let step = u64::try_from(EVENTS_MAX / DIMENSIONS.len())?;
        let mut sum = 0;
        let mut from = 0;
        while from < tenants {
            let to = tenants.min(from + step);
            let mut batch = Vec::with_capacity(EVENTS_MAX);
            for number in from..to {
                for (position, dimension) in (1..).zip(DIMENSIONS) {
                    let quantity = i64::try_from(number % 100)? + position;
                    sum += quantity;
                    batch.push(submission(number, dimension, quantity, at)?);
                }
            }
            let taken = take_in(store, &batch, now, self).await?;
            anyhow::ensure!(
                taken.iter().all(|taken| taken.word() == "counted"),
                "usage does not count: {:?}",
                taken.iter().find(|taken| !matches!(taken, Taken::Stored(_)))
            );
            from = to;
        }
        Ok(sum)
    }
}

impl MeterTermsOf for Seller {
    fn meter_terms(&self, key: &SubscriptionKey) -> Option<Arc<MeterTerms>> {
        (!key.is_agreement()).then(|| self.terms.clone())
    }

    fn listings_of(&self, product: &ProductKey) -> Vec<(MarketplaceName, ProductCode)> {
        if *product == self.terms.product { vec![self.listing.clone()] } else { Vec::new() }
    }

    fn metered_products(&self) -> Vec<ProductKey> {
        vec![self.terms.product.clone()]
    }
}

impl TermsOf for Seller {
    fn terms(&self, _key: &SubscriptionKey) -> Terms {
        Terms::default()
    }
}

/// A buyer's subscription.
pub(crate) fn key(buyer: u64) -> anyhow::Result<SubscriptionKey> {
    parse(&format!("{MARKETPLACE}/{CODE}/customer/{}", customer(buyer)))
}

/// A buyer's customer id.
pub(crate) fn customer(buyer: u64) -> String {
    format!("C{buyer:010}")
}

/// A buyer's tenant.
pub(crate) fn tenant(buyer: u64) -> String {
    format!("tenant-{buyer}")
}

/// A text that has to be sound.
pub(crate) fn parse<T: FromStr>(text: &str) -> anyhow::Result<T> {
    text.parse().map_err(|_| anyhow!("{text:?} is not understood"))
}

fn said(key: &SubscriptionKey, kind: &FactKind, at: Timestamp, now: Timestamp) -> anyhow::Result<Incoming> {
    let id = format!("{}-{}-{}", kind.name(), key.to_string().replace('/', "-"), at.as_micros());
    let received = Received {
        inbox: InboxKey { marketplace: key.marketplace.clone(), id: parse(&id)? },
        key: key.clone(),
        agreement: None,
        fact: Fact::at_time(at, parse(&id)?, kind.clone()),
        body: Vec::new(),
        replays: None,
    };
    Ok(Incoming { received_at: now, content: Content::Received(received) })
}

fn submission(buyer: u64, dimension: &str, quantity: i64, at: Timestamp) -> anyhow::Result<Submission> {
    let tenant: TenantId = parse(&tenant(buyer))?;
    Ok(Submission {
        id: parse(&format!("{tenant}-{dimension}-{}", at.as_micros()))?,
        tenant,
        product: parse(PRODUCT)?,
        dimension: parse(dimension)?,
        quantity: quantity.to_string(),
        occurred_at: at,
        user: None,
        tags: BTreeMap::new(),
        subscription: None,
    })
}

/// A worker's configuration without a marketplace that could be reached.
pub(crate) fn config() -> String {
    let queue_url = "https://sqs.us-east-1.amazonaws.com/123456789012/stallkeeper";
    format!("{}{}", marketplace(queue_url, &Simulator::topic_arns(CODE)), product())
}

/// The same on the marketplace that a simulator plays.
pub(crate) fn config_at(simulator: &Simulator, roots: &Path) -> String {
    format!(
        "simulator_url = \"{}\"\n[signature]\npolicy = \"enforce\"\ntrusted_roots = \"{}\"\n{}{}",
        simulator.url(),
        roots.display(),
        marketplace(&simulator.queue_url(), &Simulator::topic_arns(CODE)),
        product()
    )
}

fn marketplace(queue_url: &str, topics: &[String; 2]) -> String {
    format!(
        "[[marketplace]]\nname = \"{MARKETPLACE}\"\nkind = \"aws\"\nqueue_url = \"{queue_url}\"\n\
         topic_arns = {topics:?}\nregion = \"us-east-1\"\n"
    )
}

fn product() -> String {
    let dimension = |name| format!("[[product.dimension]]\nname = \"{name}\"\n");
    let dimensions: String = DIMENSIONS.into_iter().map(dimension).collect();
    format!(
        "[[product]]\nkey = \"{PRODUCT}\"\n[[product.listing]]\nmarketplace = \"{MARKETPLACE}\"\n\
         code = \"{CODE}\"\nzero_records = \"skip\"\n{dimensions}\
         [[api_token]]\nname = \"app\"\ntoken = \"{TOKEN}\"\nscopes = [\"usage:write\", \"usage:read\", \"entitlements:read\"]\n"
    )
}
