//! What the marketplace bills, and how it is asked to.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::Market;

const PAGE: usize = 10_000;

/// One line of the marketplace's bill.
#[derive(Clone, Debug, Deserialize)]
pub struct BillEntry {
    /// The subscription's id in the books.
    pub subscription: String,
    /// What was used.
    pub dimension: String,
    /// The beginning of the hour.
    #[serde(with = "time::serde::rfc3339")]
    pub hour: OffsetDateTime,
    /// In the dimension's units.
    pub quantity: i64,
    /// The marketplace's id of it.
    pub record_id: String,
}

/// What all metering calls came to.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct MeteringCalls {
    /// How many there were.
    pub calls: u64,
    /// How many failed as a whole.
    pub refused: u64,
    /// How many records they had.
    pub records: u64,
    /// Records answered with `Success`.
    pub success: u64,
    /// Records answered with `DuplicateRecord`.
    pub duplicate: u64,
    /// Records answered with `CustomerNotSubscribed`.
    pub not_subscribed: u64,
    /// Those of them that came when the subscription was over.
    pub after_end: u64,
}

impl Market {
    /// The whole bill.
    pub async fn bill(&self) -> Vec<BillEntry> {
        #[derive(Deserialize)]
        struct Page {
            entries: Vec<BillEntry>,
            next: Option<u64>,
        }
        let (mut bill, mut after) = (Vec::new(), 0);
        loop {
            let page: Page = self.get(&format!("bill?limit={PAGE}&after={after}")).await;
            bill.extend(page.entries);
            let Some(next) = page.next else { return bill };
            after = next;
        }
    }

    /// What each subscription is billed of each dimension.
    pub async fn billed_totals(&self) -> BTreeMap<(String, String), i64> {
        let mut totals = BTreeMap::new();
        for entry in self.bill().await {
            *totals.entry((entry.subscription, entry.dimension)).or_default() += entry.quantity;
        }
        totals
    }

    /// What all metering calls came to.
    pub async fn metering_calls(&self) -> MeteringCalls {
        #[derive(Deserialize)]
        struct Page {
            counts: MeteringCalls,
        }
        self.get::<Page>("metering/calls?limit=1").await.counts
    }

    /// Lets metering go wrong from now on, as `{"drop_answer": 0.5}`.
    pub async fn set_metering_faults(&self, faults: Value) {
        self.call::<Value>(Method::PUT, "faults/metering", Some(faults)).await;
    }

    /// Sets what AWS' documents leave open, and the quota.
    pub async fn set_metering(&self, settings: Value) {
        self.call::<Value>(Method::PUT, "metering", Some(settings)).await;
    }
}
