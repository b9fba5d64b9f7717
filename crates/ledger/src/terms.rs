use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{ApiDimension, DimensionName, Hour, ProductKey, Profile, Region, Scale, SourceName};

/// What the configuration says about metering one listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterTerms {
    /// The seller's product.
    pub product: ProductKey,
    /// The marketplace's rules.
    pub profile: Profile,
    /// Where its usage is reported to.
    pub region: Region,
    /// What is counted, by the seller's names.
    pub dimensions: BTreeMap<DimensionName, DimensionTerms>,
    /// Who reports usage and says when it is complete; none where hours close by time alone.
    pub sources: BTreeSet<SourceName>,
    /// Whether an hour without usage is reported.
    pub zero_records: ZeroRecords,
    /// The first hour that is metered here; those before are another system's.
    pub meter_from: Option<Hour>,
}

/// What the configuration says about one dimension of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DimensionTerms {
    /// What the marketplace calls it.
    pub api_name: ApiDimension,
    /// How many decimal places its quantities may have.
    pub scale: Scale,
    /// How the quantities of one hour come together.
    pub aggregate: Aggregate,
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

/// Whether an hour without usage is reported as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZeroRecords {
    /// Every closed hour of every dimension (recommended by AWS for pay-as-you-go listings).
    Send,
    /// Only hours with usage.
    Skip,
}

impl MeterTerms {
    /// The dimension that the marketplace calls so.
    pub fn by_api_name(&self, api_name: &ApiDimension) -> Option<(&DimensionName, &DimensionTerms)> {
        self.dimensions.iter().find(|(_, terms)| terms.api_name == *api_name)
    }
}
