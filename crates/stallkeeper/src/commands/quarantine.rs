//! `stallkeeper quarantine`

mod body;
mod list;
mod replay;
mod show;

use std::io::Write;
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, Subcommand};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{QuarantineKey, QuarantineRecord, Store};
use stallkeeper_runtime::WallClock;

use super::act::ByArgs;
use crate::config::Config;

pub use self::list::ListArgs;
pub use self::replay::ReplayArgs;
pub use self::show::ShowArgs;

/// The fewest digits by which a message may be named.
const PREFIX_DIGITS_MIN: usize = 4;
/// The digits of a whole hash (SHA-256).
const HASH_DIGITS: usize = 64;
/// How much of a hash listings show.
const SHOWN_DIGITS: usize = 12;

/// What can be done with messages that could not be understood.
#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// List messages, those that are held where nothing else is asked for.
    List(ListArgs),
    /// Show a message with the reason for which it was put aside.
    Show(ShowArgs),
    /// Read a message again, by the present configuration and version, and take it in if that succeeds.
    Replay(ReplayArgs),
    /// Mark a message as worth nothing; it is kept, but no longer held.
    Discard(DiscardArgs),
}

/// Arguments of `quarantine discard`.
#[derive(Debug, Args)]
pub struct DiscardArgs {
    /// The first digits of the message's hash, or `marketplace/hash`.
    message: MessageName,
    #[command(flatten)]
    by: ByArgs,
}

/// Lists, shows, replays or discards.
///
/// # Errors
/// When the database cannot be read or written, there is no such message, or a replayed one stays held.
pub async fn run(
    command: QuarantineCommand,
    config: &Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let now = Timestamp::from(clock.now());
    match command {
        QuarantineCommand::List(args) => list::run(&args, &*store, now, out).await,
        QuarantineCommand::Show(args) => show::run(&args, &*store, now, out).await,
        QuarantineCommand::Replay(args) => replay::run(args, config, store, clock, out).await,
        QuarantineCommand::Discard(args) => discard(&args, &*store, now, out).await,
    }
}

async fn discard(
    args: &DiscardArgs,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let record = args.message.find(store).await?;
    let key = &record.entry.key;
    if !store.discard(key, &args.by.actor(), now).await? {
        bail!("the message {} is not held: it was {}", short(key), record.state);
    }
    writeln!(out, "{} is discarded", short(key))?;
    Ok(())
}

/// The part of a hash that people read.
fn short(key: &QuarantineKey) -> &str {
    key.hash.get(..SHOWN_DIGITS).unwrap_or(&key.hash)
}

/// How a person names a message: by the first digits of its hash, or as `marketplace/hash` where two marketplaces
/// have the same one.
#[derive(Clone, Debug)]
enum MessageName {
    Prefix(String),
    Whole(QuarantineKey),
}

impl std::str::FromStr for MessageName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let text = text.trim().to_lowercase();
        match text.split_once('/') {
            Some((marketplace, hash)) if hash.len() == HASH_DIGITS && digits(hash) => {
                let marketplace = marketplace.parse().map_err(|error| format!("{error}"))?;
                Ok(Self::Whole(QuarantineKey { marketplace, hash: hash.to_owned() }))
            }
            None if (PREFIX_DIGITS_MIN..=HASH_DIGITS).contains(&text.len()) && digits(&text) => {
                Ok(Self::Prefix(text))
            }
            _ => Err(format!(
                "expected the first {PREFIX_DIGITS_MIN} to {HASH_DIGITS} digits of the hash, or marketplace/hash in full"
            )),
        }
    }
}

impl MessageName {
    async fn find(&self, store: &dyn Store) -> anyhow::Result<QuarantineRecord> {
        let mut found = match self {
            Self::Whole(key) => store.quarantined(key).await?.into_iter().collect(),
            Self::Prefix(prefix) => store.quarantined_by_prefix(prefix).await?,
        };
        match (found.pop(), found.pop()) {
            (Some(record), None) => Ok(record),
            (None, _) => bail!("no message in quarantine has such a hash; see `stallkeeper quarantine list`"),
            (Some(one), Some(other)) if one.entry.key.hash == other.entry.key.hash => bail!(
                "two marketplaces hold this message: name it as {}/{hash} or {}/{hash}",
                other.entry.key.marketplace,
                one.entry.key.marketplace,
                hash = one.entry.key.hash
            ),
            (Some(_), Some(_)) => bail!("several messages have a hash that begins so; give more digits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_named_by_enough_digits_of_its_hash() {
        assert!(matches!("0AB9".parse(), Ok(MessageName::Prefix(digits)) if digits == "0ab9"));
        for text in ["0ab", "0xyz", "", "aws/0ab9", "%___"] {
            assert!(text.parse::<MessageName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_message_is_named_with_its_marketplace_by_the_whole_hash() {
        let name = format!("aws/{}", "0a".repeat(32));
        assert!(matches!(name.parse(), Ok(MessageName::Whole(key)) if key.marketplace.as_str() == "aws"));
    }
}
