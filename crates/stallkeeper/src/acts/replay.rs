use std::sync::Arc;

use stallkeeper_lifecycle::Timestamp;
use stallkeeper_notification::{CheckError, Checked, Notification, QueueMeta, Verifier, read};
use stallkeeper_persistence::{
    Actor, Content, Door, InboxKey, Outcome, QuarantineRecord, Received, Replay, Settled, SubmitError,
};
use stallkeeper_runtime::WallClock;

use crate::config::{Config, FeedProblem};

/// Why a message stays held.
#[derive(Debug, thiserror::Error)]
pub enum Held {
    /// Nothing says how to read it.
    #[error("its marketplace is not configured")]
    NoMarketplace,
    /// The configuration does not say enough.
    #[error("its marketplace cannot be read")]
    Feed(#[from] FeedProblem),
    /// It still cannot be understood.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The database did not take it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// A message that was taken in.
pub struct Taken {
    /// Whom it is about.
    pub key: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why its signature does not verify, where `signature.policy` lets that pass.
    pub unverified: Option<CheckError>,
}

/// All that a replay needs besides the message.
pub struct Replayer<'a> {
    /// What says how to read it.
    pub config: &'a Config,
    /// The way in.
    pub door: &'a dyn Door,
    /// The clock.
    pub clock: Arc<dyn WallClock>,
    /// What checks signatures.
    pub verifier: &'a Verifier,
    /// Who asks for it.
    pub actor: Actor,
}

impl Replayer<'_> {
    /// Takes a message in that is understood now.
    ///
    /// # Errors
    /// [`Held`] where it stays where it is.
    pub async fn take_in(&self, record: &QuarantineRecord) -> Result<Taken, Held> {
        let entry = &record.entry;
        let (notification, unverified) = self.understand(record).await?;
        let key = notification.subject.to_string();
        let received = Received {
            inbox: InboxKey { marketplace: entry.key.marketplace.clone(), id: notification.id },
            key: notification.subject,
            agreement: notification.agreement,
            fact: notification.fact,
            body: entry.body.clone(),
            replays: Some(Replay { key: entry.key.clone(), actor: self.actor.clone() }),
        };
        let outcome = self.door.submit(Content::Received(received)).await?;
        Ok(Taken { key, outcome, unverified })
    }

    /// Reads the message again, as a worker with this configuration would; with it, why its signature does not
    /// verify, where that is let pass.
    async fn understand(
        &self,
        record: &QuarantineRecord,
    ) -> Result<(Notification, Option<CheckError>), Held> {
        let entry = &record.entry;
        let marketplace = self.config.marketplace(&entry.key.marketplace).ok_or(Held::NoMarketplace)?;
        let feed = marketplace.feed(self.config)?;
        let now = Timestamp::from(self.clock.now());
        let meta = QueueMeta { message_id: &entry.message_id, sent_at: entry.sent_at, received_at: now };
        let understood = read(&entry.body, meta, &feed).map_err(CheckError::Refused)?;
        let checked = match &understood.envelope {
            Some(envelope) => self.verifier.check(envelope, now).await?,
            None => Checked::Skipped,
        };
        let unverified = match checked {
            Checked::Unverified(why) => Some(why),
            Checked::Skipped | Checked::Verified => None,
        };
        Ok((understood.notification, unverified))
    }
}

/// What became of a replayed message.
pub fn in_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Settled(Settled::Applied) => "is taken in",
        Outcome::Settled(Settled::Unchanged) => "told nothing new",
        Outcome::Settled(Settled::TooOld) => "is too old to change anything",
        Outcome::Settled(Settled::Taken) => "is another tenant's",
        Outcome::Duplicate(_) => "had been taken in before",
        Outcome::Quarantined => "is in quarantine",
    }
}
