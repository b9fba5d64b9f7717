use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;
use time::OffsetDateTime;

use crate::marketplace::serialize_moment;
use crate::metering::call::{Allocation, MeteringRecord};
use crate::metering::holder::Account;

const ENTRIES_MAX: usize = 1_000_000;
/// How many parts of quantities the bill holds in all.
const ALLOCATIONS_MAX: usize = 5_000_000;

/// One line of a buyer's bill: all that is billed for one subscription, dimension and hour in one Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BillEntry {
    /// Counted from 1 in the order in which records were taken.
    pub number: u64,
    /// The metering record's id.
    pub record_id: String,
    /// The Region that took it.
    pub region: String,
    /// The subscription's id in the books.
    pub subscription: Arc<str>,
    /// The product's code.
    pub code: String,
    /// The AWS account that pays, twelve digits.
    pub account: String,
    /// What was used.
    pub dimension: String,
    /// The beginning of the hour, in UTC.
    #[serde(serialize_with = "serialize_moment")]
    pub hour: OffsetDateTime,
    /// The record's timestamp.
    #[serde(serialize_with = "serialize_moment")]
    pub timestamp: OffsetDateTime,
    /// How much was used, in the dimension's units.
    pub quantity: i64,
    /// The quantity split by tags, as the record has it; empty where it is not split.
    pub allocations: Vec<Allocation>,
    /// When the record was taken.
    #[serde(serialize_with = "serialize_moment")]
    pub taken_at: OffsetDateTime,
}

/// What a record is billed as: the first one counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BillKey {
    pub(crate) subscription: Arc<str>,
    pub(crate) region: String,
    pub(crate) dimension: String,
    pub(crate) hour: OffsetDateTime,
}

/// All bills.
#[derive(Debug, Default)]
pub(crate) struct Bill {
    entries: Vec<BillEntry>,
    by_key: BTreeMap<BillKey, usize>,
    by_subscription: HashMap<Arc<str>, Vec<usize>>,
    allocations: usize,
}

impl BillKey {
    pub(crate) fn of(region: &str, account: &Account, record: &MeteringRecord) -> Self {
        Self {
            subscription: Arc::clone(&account.subscription),
            region: region.to_owned(),
            dimension: record.dimension.clone(),
            hour: record.hour(),
        }
    }
}

impl BillEntry {
    /// Whether a record is the one that was taken.
    pub(crate) fn is_of(&self, record: &MeteringRecord) -> bool {
        self.quantity == record.quantity
            && self.timestamp == record.timestamp
            && self.allocations == record.allocations
    }
}

impl Bill {
    pub(crate) fn has_room_for(&self, records: &[MeteringRecord]) -> bool {
        let parts: usize = records.iter().map(|record| record.allocations.len()).sum();
        self.entries.len() + records.len() <= ENTRIES_MAX && self.allocations + parts <= ALLOCATIONS_MAX
    }

    pub(crate) fn get(&self, key: &BillKey) -> Option<&BillEntry> {
        self.by_key.get(key).and_then(|place| self.entries.get(*place))
    }

    /// Puts a record on the bill; nothing of its key may be on it.
    pub(crate) fn add(
        &mut self,
        key: BillKey,
        account: &Account,
        record: &MeteringRecord,
        record_id: String,
        taken_at: OffsetDateTime,
    ) {
        let place = self.entries.len();
        self.allocations += record.allocations.len();
        self.by_subscription.entry(Arc::clone(&key.subscription)).or_default().push(place);
        self.entries.push(BillEntry {
            number: place as u64 + 1,
            record_id,
            region: key.region.clone(),
            subscription: Arc::clone(&key.subscription),
            code: account.product_code.clone(),
            account: account.account.clone(),
            dimension: key.dimension.clone(),
            hour: key.hour,
            timestamp: record.timestamp,
            quantity: record.quantity,
            allocations: record.allocations.clone(),
            taken_at,
        });
        self.by_key.insert(key, place);
    }

    pub(crate) fn entries(&self) -> &[BillEntry] {
        &self.entries
    }

    pub(crate) fn after(&self, number: u64, limit: usize) -> &[BillEntry] {
        let from = usize::try_from(number).unwrap_or(usize::MAX).min(self.entries.len());
        let rest = self.entries.get(from..).unwrap_or_default();
        rest.get(..limit.min(rest.len())).unwrap_or_default()
    }

    pub(crate) fn of(&self, subscription: &str) -> impl Iterator<Item = &BillEntry> {
        let places = self.by_subscription.get(subscription).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|place| self.entries.get(*place))
    }
}
