use std::fmt;
use std::str::FromStr;

use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};

use crate::StoreError;

/// What kind of work a job is; a subscription has at most one job of each kind and target, as a newer one
/// takes the place of one that is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    /// Tell the seller's app; nobody is told where no endpoint is configured, so it stays parked.
    Announce,
    /// Ask the marketplace whether a license is provisioned.
    ConfirmLicense,
    /// Deliver to an endpoint how a subscription stands.
    Deliver,
    /// Deliver to an endpoint that a final-usage window opened, by its deadline.
    DeliverEnding,
    /// Deliver to an endpoint that what a tenant may use has changed.
    DeliverEntitlement,
    /// Deliver to an endpoint that usage was lost; its target is the endpoint's name, a slash and which loss.
    DeliverLoss,
    /// Deliver to an endpoint that usage runs out of time; its target is the endpoint's name, a slash and which usage.
    DeliverRisk,
    /// Tell the seller's endpoints how a subscription stands: makes a delivery for each of them.
    Publish,
    /// The same about a final-usage window that opened; no later news takes its place.
    PublishEnding,
    /// The same about usage that was lost; its target is which loss.
    PublishLoss,
    /// The same about usage that runs out of time; its target is which usage.
    PublishRisk,
    /// Ask the marketplace what the holder is entitled to.
    QueryEntitlements,
    /// Ask the marketplace how the subscription really stands.
    Reconcile,
    /// Look again, as a window closes.
    Wake,
}

impl JobKind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Announce,
        Self::ConfirmLicense,
        Self::Deliver,
        Self::DeliverEnding,
        Self::DeliverEntitlement,
        Self::DeliverLoss,
        Self::DeliverRisk,
        Self::Publish,
        Self::PublishEnding,
        Self::PublishLoss,
        Self::PublishRisk,
        Self::QueryEntitlements,
        Self::Reconcile,
        Self::Wake,
    ];

    /// The word under which it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announce => "announce",
            Self::ConfirmLicense => "confirm-license",
            Self::Deliver => "deliver",
            Self::DeliverEnding => "deliver-ending",
            Self::DeliverEntitlement => "deliver-entitlement",
            Self::DeliverLoss => "deliver-loss",
            Self::DeliverRisk => "deliver-risk",
            Self::Publish => "publish",
            Self::PublishEnding => "publish-ending",
            Self::PublishLoss => "publish-loss",
            Self::PublishRisk => "publish-risk",
            Self::QueryEntitlements => "query-entitlements",
            Self::Reconcile => "reconcile",
            Self::Wake => "wake",
        }
    }

    /// The state in which a new job is stored: parked where nothing runs such jobs.
    pub fn first_state(self) -> JobState {
        match self {
            Self::ConfirmLicense
            | Self::Deliver
            | Self::DeliverEnding
            | Self::DeliverEntitlement
            | Self::DeliverLoss
            | Self::DeliverRisk
            | Self::Publish
            | Self::PublishEnding
            | Self::PublishLoss
            | Self::PublishRisk
            | Self::QueryEntitlements
            | Self::Reconcile
            | Self::Wake => JobState::Due,
            Self::Announce => JobState::Parked,
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

/// Which job it is; a listing goes on behind one. Written as `KEY/KIND`, or `KEY/KIND@TARGET`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobPosition {
    /// The subscription.
    pub key: SubscriptionKey,
    /// What to do.
    pub kind: JobKind,
    /// What it is done to; empty where there is only one.
    pub target: String,
}

impl fmt::Display for JobPosition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, kind, target } = self;
        if target.is_empty() {
            write!(formatter, "{key}/{kind}")
        } else {
            write!(formatter, "{key}/{kind}@{target}")
        }
    }
}

/// Not the position of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a subscription's key, a slash and a kind of job")]
pub struct NoJobPosition;

impl FromStr for JobPosition {
    type Err = NoJobPosition;

    fn from_str(text: &str) -> Result<Self, NoJobPosition> {
        let (key, job) = text.rsplit_once('/').ok_or(NoJobPosition)?;
        let (kind, target) = job.split_once('@').unwrap_or((job, ""));
        let (key, kind) = (key.parse().map_err(|_| NoJobPosition)?, kind.parse().map_err(|_| NoJobPosition)?);
        Ok(Self { key, kind, target: target.to_owned() })
    }
}

/// A job to be stored; it takes the place of an unfinished one of the same subscription, kind and target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// The subscription.
    pub key: SubscriptionKey,
    /// What to do.
    pub kind: JobKind,
    /// What it is done to, where there are several, such as an endpoint's name; empty otherwise.
    pub target: String,
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
    /// What it is done to, where there are several, such as an endpoint's name; empty otherwise.
    pub target: String,
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

impl JobRecord {
    /// Which job it is.
    pub fn position(&self) -> JobPosition {
        let Job { key, kind, target, .. } = &self.job;
        JobPosition { key: key.clone(), kind: *kind, target: target.clone() }
    }
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
