//! The worker's ledger, as its commands tell it, held against the marketplace's bill.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{Installation, Market};

/// Before all that tests do.
const FROM: &str = "2027-01-01T00:00:00Z";
const LIMIT: &str = "1000";

/// Every record of every subscription.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// In the order of subscriptions, then hours.
    pub records: Vec<LedgerRecord>,
}

/// What is metered of one dimension for one hour.
#[derive(Clone, Debug, Deserialize)]
pub struct LedgerRecord {
    /// The subscription's key.
    #[serde(skip)]
    pub subscription: String,
    /// What the marketplace calls the dimension.
    pub dimension: String,
    /// The beginning of the hour.
    #[serde(with = "time::serde::rfc3339")]
    pub hour: OffsetDateTime,
    /// `open`, `frozen`, `settled`, `settled_assumed` or an end.
    pub state: String,
    /// What is reported, or counted so far.
    pub quantity: String,
    /// How often it was sent.
    pub attempts: usize,
    /// The marketplace's id of it.
    pub record_id: Option<String>,
    /// Why it is not billed.
    pub why: Option<String>,
}

/// What the marketplace bills once: subscription, dimension and hour.
type Key = (String, String, OffsetDateTime);

impl Ledger {
    /// Reads it by `subscriptions list` and `usage list`.
    pub fn read(installation: &Installation) -> Self {
        let list = installation.run(&["subscriptions", "list", "--json", "--limit", LIMIT]).json();
        let mut records = Vec::new();
        for line in array(&list, "subscriptions") {
            let key = line.get("key").and_then(Value::as_str).expect("a subscription has a key");
            let args = ["usage", "list", key, "--from", FROM, "--limit", LIMIT, "--json"];
            let list = installation.run(&args).json();
            assert_eq!(list.get("next_after"), Some(&Value::Null), "more records than one list has");
            records.extend(array(&list, "records").iter().map(|record| record_of(key, record)));
        }
        Self { records }
    }

    /// Those that are billed by what the ledger says.
    pub fn settled(&self) -> impl Iterator<Item = &LedgerRecord> {
        self.records.iter().filter(|record| record.is_settled())
    }

    /// How many records are in a state.
    pub fn count(&self, state: &str) -> usize {
        self.records.iter().filter(|record| record.state == state).count()
    }

    /// Panics unless each settled record is on the bill with its quantity and id, and nothing else is on it;
    /// gives how many there are.
    pub async fn assert_equals_bill(&self, market: &Market) -> usize {
        let mut billed: BTreeMap<Key, (String, String)> = BTreeMap::new();
        for entry in market.bill().await {
            let key = (format!("aws/{}", entry.subscription), entry.dimension, entry.hour);
            let twice = billed.insert(key.clone(), (entry.quantity.to_string(), entry.record_id));
            assert!(twice.is_none(), "billed twice: {key:?}");
        }
        let mut settled = BTreeMap::new();
        for record in self.settled() {
            let key = (record.subscription.clone(), record.dimension.clone(), record.hour);
            // What is settled by a duplicate may have no id of its own.
            let on_bill = billed.get(&key).map(|(_, id)| id.clone());
            let id = record.record_id.clone().or(on_bill).unwrap_or_default();
            settled.insert(key, (record.quantity.clone(), id));
        }
        let only = |these: &BTreeMap<Key, (String, String)>, others: &BTreeMap<Key, (String, String)>| {
            let odd = these.iter().filter(|(key, value)| others.get(*key) != Some(*value));
            odd.map(|(key, value)| format!("{key:?}: {value:?}")).collect::<Vec<_>>()
        };
        let (unbilled, unsettled) = (only(&settled, &billed), only(&billed, &settled));
        assert!(
            unbilled.is_empty() && unsettled.is_empty(),
            "settled and not so on the bill: {unbilled:#?}\non the bill and not so settled: {unsettled:#?}"
        );
        settled.len()
    }
}

impl LedgerRecord {
    /// Whether it is billed by what the ledger says.
    pub fn is_settled(&self) -> bool {
        matches!(self.state.as_str(), "settled" | "settled_assumed")
    }
}

fn record_of(key: &str, record: &Value) -> LedgerRecord {
    let read: LedgerRecord = serde_json::from_value(record.clone()).expect("a record's line");
    LedgerRecord { subscription: key.to_owned(), ..read }
}

fn array<'json>(value: &'json Value, field: &str) -> &'json [Value] {
    value.get(field).and_then(Value::as_array).unwrap_or_else(|| panic!("no {field}: {value}"))
}
