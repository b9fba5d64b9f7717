use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use stallkeeper_lifecycle::{EndingAccess, MarketplaceName, Pricing, ProductCode, Terms};
use url::Url;

use super::section::Section;

/// The longest product key or dimension name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// More places than money is counted in anywhere.
const SCALE_MAX: u8 = 9;

/// Something that the seller sells, on one marketplace or several.
#[derive(Clone, Debug)]
pub struct Product {
    /// The seller's own key, by which his app speaks of it.
    pub key: ProductKey,
    /// Its name for people.
    pub name: String,
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
    pub scale: u8,
    /// How the quantities of one hour come together.
    pub aggregate: Aggregate,
    /// What marketplaces call it, where that differs.
    pub api_names: BTreeMap<MarketplaceName, String>,
}

/// How the quantities of one hour come together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregate {
    /// They are added.
    #[default]
    Sum,
    /// The largest counts.
    Max,
}

/// The text cannot serve as a product's key or a dimension's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {NAME_BYTES_MAX} letters, digits, dots, hyphens or underscores")]
pub struct NameError;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if is_name(text) { Ok(Self(text.to_owned())) } else { Err(NameError) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }
    };
}

name!(
    /// The seller's own key of a product.
    ProductKey
);
name!(
    /// The seller's own name of a dimension.
    DimensionName
);

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

pub(super) fn read(section: &Section<'_>) -> Option<Product> {
    let key: Option<ProductKey> = section.required("key");
    let name = section.string("name");
    let listings = section.list("listing", listing);
    let dimensions = section.list("dimension", dimension);
    let key = key?;
    Some(Product {
        name: name.unwrap_or_else(|| key.to_string()),
        key,
        listings: listings.into_iter().collect::<Option<_>>()?,
        dimensions: dimensions.into_iter().collect::<Option<_>>()?,
    })
}

fn listing(section: &Section<'_>) -> Option<Listing> {
    let marketplace = section.required("marketplace");
    let code = section.required("code");
    let pricing = section.word("pricing").unwrap_or_default();
    let listing_url = section.text("listing_url");
    let ending_access = section.word("ending_access").unwrap_or_default();
    Some(Listing { marketplace: marketplace?, code: code?, pricing, listing_url, ending_access })
}

fn dimension(section: &Section<'_>) -> Option<Dimension> {
    let name = section.required("name");
    let unit = section.string("unit").unwrap_or_default();
    let scale = section.number("scale", 0, &(0..=SCALE_MAX));
    let aggregate = section.word("aggregate").unwrap_or_default();
    let api_names = section.names("api_names");
    Some(Dimension { name: name?, unit, scale, aggregate, api_names })
}
