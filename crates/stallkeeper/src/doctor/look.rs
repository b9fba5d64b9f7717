//! Asks the database and AWS; each question has a time limit, and none stops the others.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{SchemaState, Store};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout};

use super::finding::{Books, DatabaseFinding, Findings, Look, MarketplaceFinding, Unseen};
use crate::config::{Config, Marketplace};
use crate::store::{self, Opened};

/// More than a connection may take, and than the first question needs on a loaded machine.
const DATABASE_LIMIT: Duration = Duration::from_secs(20);
/// A single counting question.
const QUESTION_LIMIT: Duration = Duration::from_secs(10);
/// The chain's last places, such as an instance's metadata, take seconds to be found missing.
const CREDENTIALS_LIMIT: Duration = Duration::from_secs(20);
/// The queue and all topics, with the client's own retries.
const INSPECTION_LIMIT: Duration = Duration::from_mins(1);

/// Looks at the database and at every marketplace that has a queue, and changes nothing there.
pub async fn look(config: &Config, now: Timestamp) -> Findings {
    let clock = RunningClock { start: now, since: Instant::now() };
    let marketplaces = async {
        let mut findings = Vec::with_capacity(config.marketplaces.len());
        for marketplace in &config.marketplaces {
            findings.extend(look_at_marketplace(marketplace, clock).await);
        }
        findings
    };
    let (database, marketplaces) = tokio::join!(look_at_database(config), marketplaces);
    Findings { simulator: config.simulator_url.clone(), database, marketplaces }
}

async fn look_at_database(config: &Config) -> DatabaseFinding {
    let Some(url) = &config.database_url else { return DatabaseFinding::NotConfigured };
    match bounded(DATABASE_LIMIT, store::open(url)).await {
        Err(unseen) => DatabaseFinding::Closed(unseen),
        Ok(Opened { schema: SchemaState::Behind { missing }, .. }) => DatabaseFinding::Behind(missing),
        Ok(Opened { schema: SchemaState::Ahead, .. }) => DatabaseFinding::Ahead,
        Ok(Opened { schema: SchemaState::Current, store }) => {
            DatabaseFinding::Current(look_at_books(config, &store).await)
        }
    }
}

async fn look_at_books(config: &Config, store: &Arc<dyn Store>) -> Books {
    let polled = config.marketplaces.iter().filter(|marketplace| marketplace.queue_url.is_some());
    let mut last_received = Vec::with_capacity(config.marketplaces.len());
    for Marketplace { name, .. } in polled {
        last_received.push((name.clone(), bounded(QUESTION_LIMIT, store.last_received_at(name)).await));
    }
    Books {
        quarantine_held: bounded(QUESTION_LIMIT, store.quarantine_held()).await,
        jobs: bounded(QUESTION_LIMIT, store.job_counts()).await,
        last_received,
    }
}

async fn look_at_marketplace(marketplace: &Marketplace, clock: RunningClock) -> Option<MarketplaceFinding> {
    let wanted = marketplace.wanted()?;
    let account = marketplace.account();
    let config = stallkeeper_aws::sdk_config(&account).await;
    let (sqs, sns) =
        (stallkeeper_aws::sqs_client(&config, &account), stallkeeper_aws::sns_client(&config, &account));
    let credentials = bounded(CREDENTIALS_LIMIT, stallkeeper_aws::credentials(&config)).await;
    let inspection = async { Ok(stallkeeper_aws::inspect(&sqs, &sns, &wanted, || clock.now()).await) };
    let inspection: Look<_, Infallible> = bounded(INSPECTION_LIMIT, inspection).await;
    let (name, delivery) = (marketplace.name.clone(), marketplace.delivery);
    Some(MarketplaceFinding { name, wanted, delivery, credentials, inspection })
}

async fn bounded<T, E>(limit: Duration, question: impl Future<Output = Result<T, E>>) -> Look<T, E> {
    match timeout(limit, question).await {
        Ok(answer) => answer.map_err(Unseen::Failed),
        Err(_) => Err(Unseen::TimedOut(limit)),
    }
}

/// The business time that the command began with, going on.
#[derive(Clone, Copy)]
struct RunningClock {
    start: Timestamp,
    since: Instant,
}

impl RunningClock {
    /// A time that cannot be represented is as far off as any.
    fn now(self) -> OffsetDateTime {
        let now = self.start.plus(self.since.elapsed());
        OffsetDateTime::try_from(now).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_question_without_an_answer_ends_with_its_limit() {
        const LIMIT: Duration = Duration::from_millis(1);
        let answer = bounded(LIMIT, std::future::pending::<Result<(), Infallible>>()).await;
        assert!(matches!(answer, Err(Unseen::TimedOut(LIMIT))));
    }
}
