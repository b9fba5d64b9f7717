use std::convert::Infallible;
use std::time::Duration;

use stallkeeper_aws::{AwsError, CredentialsFacts, Inspection, Wanted};
use stallkeeper_lifecycle::{MarketplaceName, Timestamp};
use stallkeeper_notification::Delivery;
use stallkeeper_persistence::{JobCounts, StoreError};

use crate::store::OpenError;

/// Why a question has no answer.
#[derive(Debug)]
pub enum Unseen<E> {
    /// It failed.
    Failed(E),
    /// Nothing came within this time.
    TimedOut(Duration),
}

/// The answer to one question, or why there is none.
pub type Look<T, E> = Result<T, Unseen<E>>;

/// All that was found.
#[derive(Debug)]
pub struct Findings {
    /// The simulator that stands in for AWS.
    pub simulator: Option<url::Url>,
    /// About the database.
    pub database: DatabaseFinding,
    /// About each marketplace that has a queue.
    pub marketplaces: Vec<MarketplaceFinding>,
}

/// How the database stands.
#[derive(Debug)]
pub enum DatabaseFinding {
    /// None is configured.
    NotConfigured,
    /// It does not open.
    Closed(Unseen<OpenError>),
    /// So many migrations are missing.
    Behind(usize),
    /// A newer version has migrated it.
    Ahead,
    /// It is as this version expects it.
    Current(Books),
}

/// What stands in the database.
#[derive(Debug)]
pub struct Books {
    /// How many notifications wait in quarantine.
    pub quarantine_held: Look<u64, StoreError>,
    /// How many jobs there are.
    pub jobs: Look<JobCounts, StoreError>,
    /// When the newest notification of each marketplace was taken in.
    pub last_received: Vec<(MarketplaceName, Look<Option<Timestamp>, StoreError>)>,
}

/// How one marketplace's queue stands.
#[derive(Debug)]
pub struct MarketplaceFinding {
    /// The marketplace.
    pub name: MarketplaceName,
    /// The queue and what sends to it, as configured.
    pub wanted: Wanted,
    /// In what form the topics deliver, as configured.
    pub delivery: Delivery,
    /// Its credentials.
    pub credentials: Look<CredentialsFacts, AwsError>,
    /// The queue and what sends to it, as AWS tells; it holds its own failures.
    pub inspection: Look<Inspection, Infallible>,
}
