use serde::{Deserialize, Serialize};

/// How metering behaves where AWS' documents leave it open, and its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeteringSettings {
    /// Whether a record that is sent again unchanged is answered with `DuplicateRecord`: the API's reference
    /// says that it is a success, other texts that it may be a duplicate.
    pub identical_as_duplicate: bool,
    /// How many calls a second are taken in each Region, and at once after a pause; all of them where there is
    /// none.
    pub calls_per_sec: Option<u32>,
}

impl MeteringSettings {
    /// The documented quota of calls a second.
    pub const CALLS_PER_SEC: u32 = 10;
}

impl Default for MeteringSettings {
    /// An unchanged record succeeds again, and ten calls a second are taken.
    fn default() -> Self {
        Self { identical_as_duplicate: false, calls_per_sec: Some(Self::CALLS_PER_SEC) }
    }
}
