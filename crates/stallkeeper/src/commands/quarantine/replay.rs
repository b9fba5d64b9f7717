use std::io::Write;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_notification::{CheckError, Checked, Notification, QueueMeta, Verifier, read};
use stallkeeper_persistence::{
    Actor, Content, InboxKey, Outcome, PAGE_MAX, Page, QuarantineRecord, QuarantineState, Received, Replay,
    Settled, Store,
};
use stallkeeper_runtime::WallClock;

use super::{MessageName, short};
use crate::commands::act::{ByArgs, submit};
use crate::config::{Config, FeedProblem};
use crate::table::safe;

/// Arguments of `quarantine replay`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct ReplayArgs {
    /// The first digits of the message's hash, or `marketplace/hash`.
    #[arg(group = "which")]
    message: Option<MessageName>,
    /// Every message that is held.
    #[arg(long, group = "which")]
    all: bool,
    #[command(flatten)]
    by: ByArgs,
}

/// Why a message stays held.
#[derive(Debug, thiserror::Error)]
enum Held {
    #[error("its marketplace is not configured")]
    NoMarketplace,
    #[error("its marketplace cannot be read")]
    Feed(#[from] FeedProblem),
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error(transparent)]
    Submit(#[from] stallkeeper_persistence::SubmitError),
}

/// A message that was taken in.
struct Taken {
    key: String,
    outcome: Outcome,
    /// Why its signature does not verify, where `signature.policy` lets that pass.
    unverified: Option<CheckError>,
}

/// All that a replay needs besides the message.
struct Replayer<'a> {
    config: &'a Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    verifier: Verifier,
    actor: Actor,
}

pub(super) async fn run(
    args: ReplayArgs,
    config: &Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let replayer = Replayer { config, store, clock, verifier: config.verifier()?, actor: args.by.actor() };
    match args.message {
        Some(name) => {
            let record = name.find(&*replayer.store).await?;
            if record.state != QuarantineState::Held {
                bail!("the message {} is not held: it was {}", short(&record.entry.key), record.state);
            }
            if !replayer.replay(&record, out).await? {
                bail!("the message stays held; put right what is named above, then replay it again");
            }
            Ok(())
        }
        None => replayer.replay_all(out).await,
    }
}

impl Replayer<'_> {
    async fn replay_all(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let (mut taken, mut held) = (0_usize, 0_usize);
        let mut page = Page::first(PAGE_MAX);
        loop {
            let records = self.store.quarantine_list(QuarantineState::Held, &page).await?;
            let Some(last) = records.last() else { break };
            page.after = Some(last.entry.key.clone());
            for listed in &records {
                // The list leaves bodies out, and another person may have settled the message meanwhile.
                let record = self.store.quarantined(&listed.entry.key).await?;
                match record.filter(|record| record.state == QuarantineState::Held) {
                    None => {}
                    Some(record) if self.replay(&record, out).await? => taken += 1,
                    Some(_) => held += 1,
                }
            }
        }
        if held > 0 {
            bail!("{held} of {} messages stay held; the reasons are named above", taken + held);
        }
        if taken == 0 {
            writeln!(out, "no messages are held")?;
        }
        Ok(())
    }

    /// Replays one message and says what became of it; `false` where it stays held.
    async fn replay(&self, record: &QuarantineRecord, out: &mut impl Write) -> anyhow::Result<bool> {
        let hash = short(&record.entry.key);
        match self.take_in(record).await {
            Ok(Taken { key, outcome, unverified }) => {
                if let Some(why) = unverified {
                    let with_causes = format!("{:#}", anyhow::Error::from(why));
                    writeln!(
                        out,
                        "{hash} is not verified, which signature.policy = \"warn\" lets pass: {}",
                        safe(&with_causes)
                    )?;
                }
                writeln!(out, "{hash} {}: {}", in_words(outcome), safe(&key))?;
                Ok(true)
            }
            Err(held) => {
                let with_causes = format!("{:#}", anyhow::Error::from(held));
                writeln!(out, "{hash} stays held: {}", safe(&with_causes))?;
                Ok(false)
            }
        }
    }

    async fn take_in(&self, record: &QuarantineRecord) -> Result<Taken, Held> {
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
        let outcome =
            submit(Content::Received(received), self.config, self.store.clone(), &self.clock).await?;
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

fn in_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Settled(Settled::Applied) => "is taken in",
        Outcome::Settled(Settled::Unchanged) => "told nothing new",
        Outcome::Settled(Settled::TooOld) => "is too old to change anything",
        Outcome::Duplicate(_) => "had been taken in before",
        Outcome::Quarantined => "is in quarantine",
    }
}
