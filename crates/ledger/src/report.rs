use serde::{Deserialize, Serialize};
use stallkeeper_lifecycle::{CustomerId, Holder, Licensee, ProductCode, SubscriptionKey, Timestamp};

use crate::pack::wire_bytes_of;
use crate::{ApiDimension, CALL_BYTES_MAX, Meter, Record, SubUnits, TagSet};

/// The most allocations of one record (AWS `UsageRecord`).
const ALLOCATIONS_MAX: usize = 2_500;

/// The largest allocations, on the wire: a request with them in one record is not too large.
const ALLOCATION_BYTES_MAX: usize = CALL_BYTES_MAX - 8_192;

/// What is sent of a frozen record: written once as these bytes, and the same in every attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Who used it.
    pub who: Who,
    /// What the marketplace calls it.
    pub dimension: ApiDimension,
    /// Whole units.
    pub quantity: i64,
    /// A moment of the hour.
    pub stamp: Timestamp,
    /// How it is split; empty where it is not, else the parts come to the whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allocations: Vec<Allocation>,
}

/// Who used something, by the marketplace's scheme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A buyer of a listing from before concurrent agreements.
    Customer {
        /// The listing.
        product: ProductCode,
        /// The buyer.
        customer: CustomerId,
    },
    /// A license.
    License {
        /// The listing, which the request must not name, but by which requests are kept apart.
        product: ProductCode,
        /// The license and the account that it was granted to.
        licensee: Licensee,
    },
}

/// A part of a quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// By what it is split off.
    pub tags: TagSet,
    /// Whole units.
    pub quantity: i64,
}

impl Who {
    /// Who a meter's usage is reported for; `None` where nobody has said whom the license was granted to.
    pub fn of(meter: &Meter) -> Option<Self> {
        let SubscriptionKey { product, holder, .. } = &meter.key;
        match holder {
            Holder::Customer(customer) => {
                Some(Self::Customer { product: product.clone(), customer: customer.clone() })
            }
            Holder::License(_) => {
                let licensee = meter.licensee.clone()?;
                Some(Self::License { product: product.clone(), licensee })
            }
            Holder::Agreement(_) | Holder::Instance(_) | Holder::LicenseCode(_) => None,
        }
    }

    /// The listing.
    pub fn product(&self) -> &ProductCode {
        match self {
            Self::Customer { product, .. } | Self::License { product, .. } => product,
        }
    }
}

/// How a quantity is split: whole units of each part, and what those leave over without tags.
///
/// Beyond what the marketplace takes, in number or in bytes of a request, it is not split at all.
pub(crate) fn allocations(record: &Record, quantity: i64) -> Vec<Allocation> {
    let whole = |(tags, parts): (&TagSet, &SubUnits)| {
        let (units, _rest) = parts.split(record.scale);
        (units > 0).then(|| Allocation { tags: tags.clone(), quantity: units })
    };
    let mut split: Vec<Allocation> = record.parts.iter().filter_map(whole).collect();
    let sum = split.iter().fold(0_i64, |sum, part| sum.saturating_add(part.quantity));
    let rest = quantity.saturating_sub(sum);
    if rest > 0 {
        split.push(Allocation { tags: TagSet::default(), quantity: rest });
    }
    let fits = rest >= 0 && split.len() <= ALLOCATIONS_MAX && split.iter().any(|part| !part.tags.is_empty());
    if fits && wire_bytes_of(&split) <= ALLOCATION_BYTES_MAX { split } else { Vec::new() }
}
