use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::gauge;
use stallkeeper_lifecycle::MarketplaceName;

use crate::MeteringApi;

/// One quota: an account's calls in one region, with the marketplaces that are reported by them.
#[derive(Clone)]
pub struct Lane {
    /// What it is called in the store and in words; the same in every worker, such as `aws us-east-1`.
    pub name: String,
    /// The marketplaces whose records go through it.
    pub marketplaces: Vec<MarketplaceName>,
    /// The call.
    pub api: Arc<dyn MeteringApi>,
    /// The quota: 10 for AWS (metering service quotas).
    pub calls_per_sec: u32,
}

impl fmt::Debug for Lane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, marketplaces, api: _, calls_per_sec } = self;
        formatter
            .debug_struct("Lane")
            .field("name", name)
            .field("marketplaces", marketplaces)
            .field("calls_per_sec", calls_per_sec)
            .finish_non_exhaustive()
    }
}

/// What keeps a lane from sending that a person has to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneTrouble {
    /// The lane.
    pub lane: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

/// Whether a lane can send; clones share it.
#[derive(Clone, Debug, Default)]
pub struct LaneHealth(Arc<Mutex<Option<LaneTrouble>>>);

impl LaneHealth {
    /// What keeps the lane from sending; nothing where its last call went through.
    pub fn trouble(&self) -> Option<LaneTrouble> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what the lane's last call told; `true` where that is news.
    pub(crate) fn learn(&self, lane: &str, trouble: Option<LaneTrouble>) -> bool {
        gauge!("stallkeeper_metering_lane_red", "lane" => lane.to_owned()).set(if trouble.is_some() {
            1.0
        } else {
            0.0
        });
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = *known != trouble;
        *known = trouble;
        is_news
    }
}
