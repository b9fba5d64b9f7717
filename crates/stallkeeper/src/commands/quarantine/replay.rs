use std::io::Write;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use stallkeeper_persistence::{PAGE_MAX, Page, QuarantineRecord, QuarantineState, Store};
use stallkeeper_runtime::WallClock;

use super::{MessageName, short};
use crate::acts::{OwnDoor, Replayer, Taken, in_words};
use crate::commands::act::ByArgs;
use crate::config::Config;
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

/// Replays messages, and says what becomes of them.
struct Replaying<'a> {
    replayer: Replayer<'a>,
    store: Arc<dyn Store>,
}

pub(super) async fn run(
    args: ReplayArgs,
    config: &Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let door = OwnDoor { config: Arc::new(config.clone()), store: store.clone(), clock: clock.clone() };
    let verifier = config.verifier()?;
    let replayer = Replayer { config, door: &door, clock, verifier: &verifier, actor: args.by.actor() };
    let replaying = Replaying { replayer, store };
    match args.message {
        Some(name) => {
            let record = name.find(&*replaying.store).await?;
            if record.state != QuarantineState::Held {
                bail!("the message {} is not held: it was {}", short(&record.entry.key), record.state);
            }
            if !replaying.replay(&record, out).await? {
                bail!("the message stays held; put right what is named above, then replay it again");
            }
            Ok(())
        }
        None => replaying.replay_all(out).await,
    }
}

impl Replaying<'_> {
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
        match self.replayer.take_in(record).await {
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
}
