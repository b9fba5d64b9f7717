//! How the usage of one marketplace is reported, and what that comes to for each listing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stallkeeper_ledger::{DimensionTerms, MeterTerms, NameError, Profile, Region};
use stallkeeper_lifecycle::{MarketplaceName, ProductCode};

use super::section::Section;
use super::{Config, Dimension, Kind, Listing, Product};

/// The most calls a second that AWS lets one account make in one Region (`BatchMeterUsage`).
const CALLS_PER_SEC_MAX: u32 = 10;

/// No marketplace takes records that are older.
const AGE_LIMIT_SECS_MAX: u64 = 24 * 3_600;

/// How usage is reported to one marketplace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metering {
    /// By what rules.
    pub profile: Profile,
    /// To which Region.
    pub region: Region,
    /// How many calls a second at the most.
    pub calls_per_sec: u32,
}

/// Keys that speak of metering.
const KEYS: [&str; 6] =
    ["late_usage", "stamp", "settle_delay_secs", "age_limit_secs", "metering_region", "calls_per_sec"];

/// Those that say how old a record can be when it is sent, the likeliest to be meant first.
const AGE_KEYS: [&str; 3] = ["stamp", "settle_delay_secs", "age_limit_secs"];

/// The rules of a kind of marketplace; none where it is not metered yet.
fn defaults(kind: Kind) -> Option<Profile> {
    match kind {
        Kind::Aws => Some(Profile::AWS),
        Kind::AwsChina => Some(Profile::AWS_CHINA),
        Kind::Alibaba | Kind::AlibabaInternational => None,
    }
}

/// Reads a marketplace's keys; `region` is where its other calls go.
pub(super) fn read(section: &Section<'_>, kind: Kind, region: &str) -> Option<Metering> {
    let Some(defaults) = defaults(kind) else {
        for key in KEYS.into_iter().filter(|key| section.has(key)) {
            section.refuse(key, &format!("a marketplace of kind {kind} is not metered yet; remove it"));
        }
        return None;
    };
    let profile = profile(section, defaults);
    let calls_per_sec = section.number("calls_per_sec", CALLS_PER_SEC_MAX, &(1..=CALLS_PER_SEC_MAX));
    let region = if section.has("metering_region") {
        section.text("metering_region")
    } else {
        region.parse().map_err(|error: NameError| section.refuse("region", &format!("{error}"))).ok()
    };
    Some(Metering { profile, region: region?, calls_per_sec })
}

fn profile(section: &Section<'_>, defaults: Profile) -> Profile {
    let secs = |key, default: Duration, least| {
        Duration::from_secs(section.number(key, default.as_secs(), &(least..=AGE_LIMIT_SECS_MAX)))
    };
    let profile = Profile {
        stamp: section.word("stamp").unwrap_or(defaults.stamp),
        age_limit: secs("age_limit_secs", defaults.age_limit, 1),
        settle_delay: secs("settle_delay_secs", defaults.settle_delay, 0),
        late_usage: section.word("late_usage").unwrap_or(defaults.late_usage),
    };
    if let Err(error) = profile.check() {
        let key = AGE_KEYS.into_iter().find(|key| section.has(key)).unwrap_or("stamp");
        section.refuse(key, &error.to_string());
    }
    profile
}

/// The terms of all metered listings, worked out once.
#[derive(Clone, Debug, Default)]
pub(super) struct Meters(BTreeMap<MarketplaceName, BTreeMap<ProductCode, Arc<MeterTerms>>>);

impl Meters {
    /// The terms that a configuration comes to.
    pub(super) fn of(config: &Config) -> Self {
        let mut meters = Self::default();
        for product in &config.products {
            for listing in &product.listings {
                let metering =
                    config.marketplace(&listing.marketplace).and_then(|found| found.metering.as_ref());
                let terms = metering.and_then(|metering| terms(product, listing, metering));
                if let Some(terms) = terms {
                    let of_marketplace = meters.0.entry(listing.marketplace.clone()).or_default();
                    of_marketplace.insert(listing.code.clone(), Arc::new(terms));
                }
            }
        }
        meters
    }

    /// A listing's terms; nothing where it is not metered.
    pub(super) fn terms(
        &self,
        marketplace: &MarketplaceName,
        code: &ProductCode,
    ) -> Option<&Arc<MeterTerms>> {
        self.0.get(marketplace)?.get(code)
    }

    /// Whether a listing of the marketplace is metered.
    pub(super) fn meters(&self, marketplace: &MarketplaceName) -> bool {
        self.0.contains_key(marketplace)
    }
}

fn terms(product: &Product, listing: &Listing, metering: &Metering) -> Option<MeterTerms> {
    let zero_records = listing.zero_records?;
    let dimension = |dimension: &Dimension| {
        let terms = DimensionTerms {
            api_name: dimension.api_name(&listing.marketplace).clone(),
            scale: dimension.scale,
            aggregate: dimension.aggregate,
        };
        (dimension.name.clone(), terms)
    };
    let dimensions: BTreeMap<_, _> = product.dimensions.iter().map(dimension).collect();
    (!dimensions.is_empty()).then(|| MeterTerms {
        product: product.key.clone(),
        profile: metering.profile,
        region: metering.region.clone(),
        dimensions,
        sources: product.usage_sources.clone(),
        zero_records,
        meter_from: product.meter_from,
    })
}
