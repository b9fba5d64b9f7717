use serde::{Deserialize, Serialize};
use stallkeeper_lifecycle::{Position, ReconcileReason};

/// What stands in a job that asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payload {
    /// Which `License Updated` is to be confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) position: Option<Position>,
    /// Why the marketplace should be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<ReconcileReason>,
    /// How many answers in a row have left open how things stand.
    #[serde(default)]
    pub(crate) open_answers: u8,
}
