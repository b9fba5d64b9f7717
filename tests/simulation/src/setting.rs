use std::collections::BTreeSet;
use std::sync::Arc;

use fastrand::Rng;
use stallkeeper_ledger::{
    Aggregate, ApiDimension, DimensionName, DimensionTerms, LateUsage, MeterTerms, ProductKey, Profile,
    Scale, SourceName, ZeroRecords,
};
use stallkeeper_lifecycle::{
    CustomerId, Holder, LicenseId, Licensee, MarketplaceName, ProductCode, SubscriptionKey, TenantId, Terms,
    Timestamp,
};
use stallkeeper_persistence::TermsOf;
use stallkeeper_persistence::usage::MeterTermsOf;

/// How much goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// Nothing that outlasts a deadline: no unit may be lost.
    Mild,
    /// Late words and late usage, frozen accounts, outages.
    Harsh,
}

/// By what the marketplace tells buyers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Customers of a listing.
    Customer,
    /// Licenses.
    License,
}

/// By what rules the marketplace meters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// AWS Marketplace.
    Global,
    /// AWS Marketplace China.
    China,
}

/// Where and with whom one story plays.
#[derive(Clone, Debug)]
pub struct Setting {
    /// How much goes wrong.
    pub temper: Temper,
    /// By what buyers are told apart.
    pub identity: Identity,
    /// By what rules.
    pub place: Place,
    /// How many buyers there are.
    pub buyers: usize,
    /// Whether the marketplace answers an identical record with `DuplicateRecord`.
    pub identical_as_duplicate: bool,
    /// When it begins.
    pub starts_at: Timestamp,
    /// The listing's terms.
    pub terms: Arc<MeterTerms>,
}

/// The seller's only product.
pub(crate) const PRODUCT: &str = "search";
/// The marketplace's code of it.
pub(crate) const CODE: &str = "simsearch";

impl Setting {
    /// What a seed's story plays with.
    pub fn draw(seed: u64, rng: &mut Rng) -> Self {
        let temper = if seed.is_multiple_of(3) { Temper::Mild } else { Temper::Harsh };
        let identity = if rng.u8(0..3) == 0 { Identity::License } else { Identity::Customer };
        let place =
            if identity == Identity::Customer && rng.u8(0..3) == 0 { Place::China } else { Place::Global };
        let starts_at = start(rng);
        Self {
            temper,
            identity,
            place,
            buyers: rng.usize(1..=3),
            identical_as_duplicate: rng.bool(),
            starts_at,
            terms: Arc::new(terms(temper, place, rng)),
        }
    }

    /// Nothing goes wrong, customers, three dimensions, no sources.
    pub(crate) fn plain(starts_at: Timestamp) -> Self {
        let mut terms = terms(Temper::Mild, Place::Global, &mut Rng::with_seed(0));
        terms.sources.clear();
        terms.zero_records = ZeroRecords::Skip;
        terms.dimensions =
            DIMENSIONS.iter().map(|(name, aggregate)| dimension((name, Scale::WHOLE, *aggregate))).collect();
        Self {
            temper: Temper::Mild,
            identity: Identity::Customer,
            place: Place::Global,
            buyers: 1,
            identical_as_duplicate: false,
            starts_at,
            terms: Arc::new(terms),
        }
    }

    /// A buyer's subscription.
    pub fn key(&self, buyer: usize) -> SubscriptionKey {
        let holder = match self.identity {
            Identity::Customer => Holder::Customer(customer(buyer)),
            Identity::License => Holder::License(parse::<LicenseId>(&format!("l-{buyer}"))),
        };
        SubscriptionKey { marketplace: marketplace(), product: parse::<ProductCode>(CODE), holder }
    }

    /// Whom a buyer's license was granted to.
    pub fn licensee(&self, buyer: usize) -> Licensee {
        Licensee {
            license_arn: parse(&format!("arn:aws:license-manager::294406891311:license:l-{buyer}")),
            account: parse(&account(buyer)),
        }
    }
}

/// A buyer's customer id.
pub(crate) fn customer(buyer: usize) -> CustomerId {
    parse(&format!("C{buyer}"))
}

/// A buyer's account.
pub(crate) fn account(buyer: usize) -> String {
    format!("{:012}", 100_000_000_000_u64 + buyer as u64)
}

/// A buyer's tenant.
pub(crate) fn tenant(buyer: usize) -> TenantId {
    parse(&format!("tenant-{buyer}"))
}

/// The only marketplace.
pub(crate) fn marketplace() -> MarketplaceName {
    parse("aws")
}

/// A text that is known to be sound.
pub(crate) fn parse<T: std::str::FromStr>(text: &str) -> T {
    match text.parse() {
        Ok(value) => value,
        Err(_) => unreachable!("{text} is sound"),
    }
}

fn start(rng: &mut Rng) -> Timestamp {
    let day = match rng.u8(0..4) {
        0 => "2026-03-31T1",
        1 => "2026-12-31T1",
        2 => "2026-06-14T0",
        _ => "2026-02-28T1",
    };
    parse(&format!("{day}{}:{:02}:{:02}Z", rng.u8(0..=9), rng.u8(0..60), rng.u8(0..60)))
}

/// What is counted; a story has the first of them, or more.
const DIMENSIONS: [(&str, Aggregate); 3] =
    [("requests", Aggregate::Sum), ("gigabytes", Aggregate::Sum), ("seats", Aggregate::Max)];

fn terms(temper: Temper, place: Place, rng: &mut Rng) -> MeterTerms {
    let (mut profile, region) = match place {
        Place::Global => (Profile::AWS, "us-east-1"),
        Place::China => (Profile::AWS_CHINA, "cn-northwest-1"),
    };
    if temper == Temper::Harsh {
        profile.late_usage = match rng.u8(0..4) {
            0 | 1 => LateUsage::Hold,
            2 => LateUsage::CarryForward,
            _ => LateUsage::Refuse,
        };
    }
    let scale = if temper == Temper::Harsh { Scale::new(2).unwrap_or_default() } else { Scale::WHOLE };
    let scaled = |(name, aggregate): &(&'static str, Aggregate)| {
        (*name, if *name == "gigabytes" { scale } else { Scale::WHOLE }, *aggregate)
    };
    let count = rng.usize(1..=DIMENSIONS.len());
    let sources = ["app", "batch"].into_iter().take(rng.usize(0..=2));
    MeterTerms {
        product: parse::<ProductKey>(PRODUCT),
        profile,
        region: parse(region),
        dimensions: DIMENSIONS.iter().take(count).map(scaled).map(dimension).collect(),
        sources: sources.map(parse::<SourceName>).collect(),
        zero_records: if rng.bool() { ZeroRecords::Send } else { ZeroRecords::Skip },
        meter_from: None,
    }
}

fn dimension((name, scale, aggregate): (&str, Scale, Aggregate)) -> (DimensionName, DimensionTerms) {
    let api_name: ApiDimension = parse(&format!("{name}_api"));
    (parse(name), DimensionTerms { api_name, scale, aggregate })
}

/// The configuration of a setting.
#[derive(Clone, Debug)]
pub(crate) struct Configured(pub(crate) Arc<MeterTerms>);

impl MeterTermsOf for Configured {
    fn meter_terms(&self, key: &SubscriptionKey) -> Option<Arc<MeterTerms>> {
        (!key.is_agreement()).then(|| self.0.clone())
    }

    fn listings_of(&self, product: &ProductKey) -> Vec<(MarketplaceName, ProductCode)> {
        if product.as_str() == PRODUCT { vec![(marketplace(), parse(CODE))] } else { Vec::new() }
    }

    fn sources_of(&self, _product: &ProductKey) -> BTreeSet<SourceName> {
        self.0.sources.clone()
    }

    fn metered_products(&self) -> Vec<ProductKey> {
        vec![self.0.product.clone()]
    }
}

impl TermsOf for Configured {
    fn terms(&self, _key: &SubscriptionKey) -> Terms {
        Terms::default()
    }
}
