use std::collections::{BTreeMap, BTreeSet};

use stallkeeper_ledger::{
    Aggregate, ApiDimension, DimensionName, Hour, ProductKey, Scale, SourceName, ZeroRecords,
};
use stallkeeper_lifecycle::{EndingAccess, MarketplaceName, Pricing, ProductCode, Terms, Timestamp};
use url::Url;

use super::section::Section;

/// More places than money is counted in anywhere.
const SCALE_MAX: u8 = 9;

/// Something that the seller sells, on one marketplace or several.
#[derive(Clone, Debug)]
pub struct Product {
    /// The seller's own key, by which his app speaks of it.
    pub key: ProductKey,
    /// Its name for people.
    pub name: String,
    /// Which of the seller's systems report its usage, and say when theirs is complete.
    pub usage_sources: BTreeSet<SourceName>,
    /// The first hour that is metered here; those before are another system's.
    pub meter_from: Option<Hour>,
    /// Where it is listed.
    pub listings: Vec<Listing>,
    /// What is counted of its use.
    pub dimensions: Vec<Dimension>,
}

/// A product on one marketplace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Which marketplace.
    pub marketplace: MarketplaceName,
    /// The marketplace's code of it.
    pub code: ProductCode,
    /// How it is priced there.
    pub pricing: Pricing,
    /// Where buyers find it.
    pub listing_url: Option<Url>,
    /// What is left of access while final usage is reported.
    pub ending_access: EndingAccess,
    /// Whether hours without usage are reported; nothing for a pure contract, which is not metered.
    pub zero_records: Option<ZeroRecords>,
}

impl Listing {
    /// How its subscriptions are read.
    pub fn terms(&self) -> Terms {
        Terms { pricing: self.pricing, ending: self.ending_access }
    }
}

/// Something that is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// The seller's name of it.
    pub name: DimensionName,
    /// What one of it is, for people.
    pub unit: String,
    /// How many decimal places its quantities may have.
    pub scale: Scale,
    /// How the quantities of one hour come together.
    pub aggregate: Aggregate,
    /// What marketplaces call it, unless `api_names` says otherwise: the same.
    pub own_api_name: ApiDimension,
    /// What marketplaces call it, where that differs.
    pub api_names: BTreeMap<MarketplaceName, ApiDimension>,
}

impl Dimension {
    /// What a marketplace calls it.
    pub fn api_name(&self, marketplace: &MarketplaceName) -> &ApiDimension {
        self.api_names.get(marketplace).unwrap_or(&self.own_api_name)
    }
}

pub(super) fn read(section: &Section<'_>) -> Option<Product> {
    let key: Option<ProductKey> = section.required("key");
    let name = section.string("name");
    let usage_sources = section.texts("usage_sources").into_iter().collect();
    let meter_from = meter_from(section);
    let listings = section.list("listing", listing);
    let dimensions = section.list("dimension", dimension);
    let key = key?;
    Some(Product {
        name: name.unwrap_or_else(|| key.to_string()),
        key,
        usage_sources,
        meter_from,
        listings: listings.into_iter().collect::<Option<_>>()?,
        dimensions: dimensions.into_iter().collect::<Option<_>>()?,
    })
}

/// Half an hour cannot be another system's: the marketplace takes one record of an hour.
fn meter_from(section: &Section<'_>) -> Option<Hour> {
    let time: Timestamp = section.text("meter_from")?;
    let hour = Hour::of(time);
    if hour.start() != time {
        section
            .refuse("meter_from", &format!("not the beginning of an hour; {} or {} is", hour, hour.next()));
    }
    Some(hour)
}

fn listing(section: &Section<'_>) -> Option<Listing> {
    let marketplace = section.required("marketplace");
    let code = section.required("code");
    let pricing = section.word("pricing").unwrap_or_default();
    let listing_url = section.text("listing_url");
    let ending_access = section.word("ending_access").unwrap_or_default();
    let zero_records = zero_records(section, pricing);
    Some(Listing {
        marketplace: marketplace?,
        code: code?,
        pricing,
        listing_url,
        ending_access,
        zero_records,
    })
}

fn zero_records(section: &Section<'_>, pricing: Pricing) -> Option<ZeroRecords> {
    let said = section.word("zero_records");
    let default = match pricing {
        // AWS recommends an hourly record for these, so that it can tell silence from no usage.
        Pricing::Subscription => ZeroRecords::Send,
        Pricing::ContractWithConsumption => ZeroRecords::Skip,
        Pricing::Contract => {
            if said.is_some() {
                section.refuse("zero_records", "a listing with pricing `contract` is not metered; remove it");
            }
            return None;
        }
    };
    Some(said.unwrap_or(default))
}

fn dimension(section: &Section<'_>) -> Option<Dimension> {
    let name: Option<DimensionName> = section.required("name");
    let unit = section.string("unit").unwrap_or_default();
    let scale = Scale::new(section.number("scale", 0, &(0..=SCALE_MAX))).unwrap_or_default();
    let aggregate = section.word("aggregate").unwrap_or_default();
    if aggregate == Aggregate::Max && scale != Scale::WHOLE {
        section.refuse("aggregate", "`max` goes with scale 0 only: a peak has no rest to be carried on");
    }
    let api_names = section.names("api_names");
    let name = name?;
    // Whatever can be the seller's name can be a marketplace's.
    let own_api_name = name.as_str().parse().ok()?;
    Some(Dimension { name, unit, scale, aggregate, own_api_name, api_names })
}
