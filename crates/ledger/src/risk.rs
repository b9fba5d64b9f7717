use serde::{Deserialize, Serialize};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};

use crate::{ApiDimension, Hour, Record, RecordState, Scale, SubUnits};

/// Usage that has used up half of its time: unless the marketplace takes it by the end, it is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Risk {
    /// The subscription.
    pub subscription: SubscriptionKey,
    /// What was used.
    pub dimension: ApiDimension,
    /// The hour of the record.
    pub hour: Hour,
    /// How much.
    pub parts: SubUnits,
    /// The dimension's scale.
    pub scale: Scale,
    /// The first instant at which the marketplace takes it no more.
    pub until: Timestamp,
}

impl Risk {
    /// The risk that a record is, half of whose time from freezing to its end is gone.
    pub fn of(record: &Record, now: Timestamp) -> Option<Self> {
        let (RecordState::Frozen { at }, Some(until)) = (&record.state, record.expires_at) else {
            return None;
        };
        let is_half_gone = now < until && now.since(*at) >= until.since(now);
        // A record of nothing is no loss.
        let is_something = !record.parts_reported().is_zero();
        (is_half_gone && is_something).then(|| Self {
            subscription: record.key.subscription.clone(),
            dimension: record.key.dimension.clone(),
            hour: record.key.hour,
            parts: record.parts_reported(),
            scale: record.scale,
            until,
        })
    }
}
