use std::io::Write;

use clap::Args;
use serde::Serialize;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{QuarantineRecord, Store};

use super::MessageName;
use super::body::{self, BodyJson};
use super::list::QuarantineLine;
use crate::table::{Screen, print_json, safe, when};

/// Arguments of `quarantine show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The first digits of the message's hash, or `marketplace/hash`.
    message: MessageName,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A message with its body; the JSON of `quarantine show`.
#[derive(Debug, Serialize)]
struct Message {
    #[serde(flatten)]
    line: QuarantineLine,
    /// What came.
    body: BodyJson,
}

pub(super) async fn run(
    args: &ShowArgs,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let record = args.message.find(store).await?;
    if args.json {
        let message = Message { line: QuarantineLine::of(&record), body: BodyJson::of(&record.entry.body) };
        print_json(out, &message)?;
    } else {
        writeln!(out, "{}", Screen::detect().facts(&facts(&record, now)))?;
        write!(out, "{}", body::in_words(&record.entry.body))?;
    }
    Ok(())
}

fn facts(record: &QuarantineRecord, now: Timestamp) -> Vec<(&'static str, Option<String>)> {
    let entry = &record.entry;
    let settled = record.settled.as_ref().map(|(by, at)| format!(" by {}, {}", safe(by), when(*at, now)));
    vec![
        ("hash", Some(entry.key.hash.clone())),
        ("marketplace", Some(entry.key.marketplace.to_string())),
        ("state", Some(format!("{}{}", record.state, settled.unwrap_or_default()))),
        ("reason", Some(safe(&entry.reason))),
        ("in words", Some(safe(&entry.detail))),
        ("message id", Some(safe(&entry.message_id))),
        ("sent", entry.sent_at.map(|time| when(time, now))),
        ("first seen", Some(when(entry.at, now))),
        ("last seen", Some(when(record.last_seen_at, now))),
        ("times", Some(record.seen.to_string())),
        ("bytes", Some(entry.body.len().to_string())),
    ]
}
