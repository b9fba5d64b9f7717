use std::fmt;
use std::str::FromStr;

use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};

use crate::StoreError;

/// What kind of work a job is; a subscription has at most one job of each kind, as a newer one
/// takes the place of one that is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    /// Tell the seller's app.
    Announce,
    /// Ask the marketplace whether a license is provisioned.
    ConfirmLicense,
    /// Ask the marketplace what the holder is entitled to.
    QueryEntitlements,
    /// Ask the marketplace how the subscription really stands.
    Reconcile,
    /// Look again, as a window closes.
    Wake,
}

impl JobKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Announce, Self::ConfirmLicense, Self::QueryEntitlements, Self::Reconcile, Self::Wake];

    /// The word under which it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announce => "announce",
            Self::ConfirmLicense => "confirm-license",
            Self::QueryEntitlements => "query-entitlements",
            Self::Reconcile => "reconcile",
            Self::Wake => "wake",
        }
    }

    /// The state in which a new job is stored: parked where nothing runs such jobs yet.
    pub fn first_state(self) -> JobState {
        match self {
            Self::Wake => JobState::Due,
            Self::Announce | Self::ConfirmLicense | Self::QueryEntitlements | Self::Reconcile => {
                JobState::Parked
            }
        }
    }
}

impl fmt::Display for JobKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for JobKind {
    type Err = StoreError;

    fn from_str(word: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| StoreError::unreadable("jobs.kind", format!("unknown word {word:?}")))
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobState {
    /// Nothing runs such jobs yet.
    Parked,
    /// To be run once its time has come; leased while it is run.
    Due,
    /// Given up; it waits for a person.
    Failed,
}

impl JobState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Parked, Self::Due, Self::Failed];

    /// The word under which it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Due => "due",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for JobState {
    type Err = StoreError;

    fn from_str(word: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| StoreError::unreadable("jobs.state", format!("unknown word {word:?}")))
    }
}

/// A job to be stored; it takes the place of an unfinished one of the same subscription and kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// The subscription.
    pub key: SubscriptionKey,
    /// What to do.
    pub kind: JobKind,
    /// Not before this time.
    pub due_at: Timestamp,
    /// What the runner needs to know, as JSON.
    pub payload: String,
}

/// A job that was handed to a runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The subscription.
    pub key: SubscriptionKey,
    /// What to do.
    pub kind: JobKind,
    /// What the runner needs to know, as JSON.
    pub payload: String,
    /// Counts up when a newer job takes this one's place; a runner finishes only what it was handed.
    pub version: i64,
    /// How often it was handed out, this time included.
    pub attempts: i32,
}

/// A job as listings show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRecord {
    /// The job.
    pub job: Job,
    /// Where it stands.
    pub state: JobState,
    /// Not before this time.
    pub due_at: Timestamp,
    /// Until when a runner has it.
    pub leased_until: Option<Timestamp>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// How many jobs there are; from 10,000 of a state on they are not counted further.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Parked.
    pub parked: u64,
    /// Waiting for their time, or being run.
    pub due: u64,
    /// Given up.
    pub failed: u64,
}
