use std::collections::BTreeMap;

use serde::Serialize;
use stallkeeper_lifecycle::ProductCode;

use crate::{Outgoing, Who};

/// The most records of one request (AWS `BatchMeterUsage`).
pub const CALL_RECORDS_MAX: usize = 25;

/// The largest request, in bytes: 1 MB (AWS `BatchMeterUsage`), less what stands around the records.
pub const CALL_BYTES_MAX: usize = 1_000_000 - 4_096;

/// How much larger a record can be on the wire than what is stored of it: names are longer there, up to 22
/// bytes for a tag that is stored in 8.
const WIRE_FACTOR: usize = 3;

/// What may be in one request: records of one product and one scheme.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallGroup {
    /// Customers of a listing.
    Customers(ProductCode),
    /// Licenses of a listing.
    Licenses(ProductCode),
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it has in common.
    pub group: CallGroup,
    /// Its records, 25 at most.
    pub records: Vec<Outgoing>,
}

impl CallGroup {
    /// The group of a record.
    pub fn of(who: &Who) -> Self {
        match who {
            Who::Customer { product, .. } => Self::Customers(product.clone()),
            Who::License { product, .. } => Self::Licenses(product.clone()),
        }
    }

    /// The listing.
    pub fn product(&self) -> &ProductCode {
        match self {
            Self::Customers(product) | Self::Licenses(product) => product,
        }
    }
}

/// Packs records into requests: the most urgent first, and with each of them as many others of its group as
/// fit, in the order of their urgency.
pub fn pack(mut records: Vec<Outgoing>) -> Vec<Call> {
    records.sort_by_key(|record| (record.until, record.report.stamp, record.number));
    let mut calls: Vec<(Call, usize)> = Vec::new();
    let mut filling: BTreeMap<CallGroup, usize> = BTreeMap::new();
    for record in records {
        let group = CallGroup::of(&record.report.who);
        let bytes = wire_bytes(&record);
        let place = filling.get(&group).copied();
        match place.and_then(|place| calls.get_mut(place)) {
            Some((call, size)) if fits(call, size.saturating_add(bytes)) => {
                call.records.push(record);
                *size = size.saturating_add(bytes);
            }
            _ => {
                filling.insert(group.clone(), calls.len());
                calls.push((Call { group, records: vec![record] }, bytes));
            }
        }
    }
    calls.into_iter().map(|(call, _)| call).collect()
}

fn fits(call: &Call, bytes: usize) -> bool {
    call.records.len() < CALL_RECORDS_MAX && bytes <= CALL_BYTES_MAX
}

/// How large something can be on the wire, at the most.
pub(crate) fn wire_bytes_of(stored: &impl Serialize) -> usize {
    serde_json::to_vec(stored).map_or(CALL_BYTES_MAX, |bytes| bytes.len().saturating_mul(WIRE_FACTOR))
}

fn wire_bytes(record: &Outgoing) -> usize {
    wire_bytes_of(&record.report)
}
