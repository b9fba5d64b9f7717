use std::io::Write;

use clap::Args;
use serde::Serialize;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{PAGE_MAX, Page, QuarantineKey, QuarantineRecord, QuarantineState, Store};

use super::{MessageName, short};
use crate::table::{Rfc3339, Screen, print, print_json, relative, safe};

/// Arguments of `quarantine list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Messages in this state.
    #[arg(long, default_value = "held", value_parser = state, value_name = "held|replayed|discarded")]
    state: QuarantineState,
    /// Only what follows this message, as `marketplace/hash`, which is how to go on where a list ended.
    #[arg(long, value_parser = after, value_name = "MARKETPLACE/HASH")]
    after: Option<QuarantineKey>,
    /// How many at the most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn state(word: &str) -> Result<QuarantineState, String> {
    word.parse().map_err(|_| "expected held, replayed or discarded".to_owned())
}

fn after(text: &str) -> Result<QuarantineKey, String> {
    match text.parse()? {
        MessageName::Whole(key) => Ok(key),
        MessageName::Prefix(_) => Err("expected marketplace/hash in full".to_owned()),
    }
}

/// A message in quarantine, without its body; part of the JSON of `quarantine list` and `quarantine show`.
#[derive(Debug, Serialize)]
pub(super) struct QuarantineLine {
    /// Whose queue it came from.
    marketplace: String,
    /// SHA-256 of its bytes, by which it is named.
    hash: String,
    /// The queue's id of the message.
    message_id: String,
    /// `held`, `replayed` or `discarded`.
    state: &'static str,
    /// The refusal's code, such as `unknown-action`.
    reason: String,
    /// The refusal in words.
    detail: String,
    /// How often it came.
    seen: i64,
    /// When the queue took it in.
    sent_at: Option<Rfc3339>,
    /// When it was first refused.
    first_seen_at: Rfc3339,
    /// When it came last.
    last_seen_at: Rfc3339,
    /// Who replayed or discarded it.
    settled_by: Option<String>,
    /// When.
    settled_at: Option<Rfc3339>,
}

impl QuarantineLine {
    pub(super) fn of(record: &QuarantineRecord) -> Self {
        let entry = &record.entry;
        Self {
            marketplace: entry.key.marketplace.to_string(),
            hash: entry.key.hash.clone(),
            message_id: entry.message_id.clone(),
            state: record.state.as_str(),
            reason: entry.reason.clone(),
            detail: entry.detail.clone(),
            seen: record.seen,
            sent_at: entry.sent_at.map(Rfc3339),
            first_seen_at: Rfc3339(entry.at),
            last_seen_at: Rfc3339(record.last_seen_at),
            settled_by: record.settled.as_ref().map(|(by, _)| by.clone()),
            settled_at: record.settled.as_ref().map(|(_, at)| Rfc3339(*at)),
        }
    }
}

/// A part of the list; the JSON of `quarantine list`.
#[derive(Debug, Serialize)]
struct List {
    /// In the order of marketplaces and hashes.
    messages: Vec<QuarantineLine>,
    /// What to give as `--after` to go on; null where this is the end.
    next_after: Option<String>,
}

pub(super) async fn run(
    args: &ListArgs,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let page = Page { after: args.after.clone(), limit: args.limit };
    let records = store.quarantine_list(args.state, &page).await?;
    let is_full = records.len() >= usize::try_from(args.limit)?;
    let next_after = records.last().filter(|_| is_full).map(|record| name(&record.entry.key));
    if args.json {
        let messages = records.iter().map(QuarantineLine::of).collect();
        print_json(out, &List { messages, next_after })?;
        return Ok(());
    }
    if records.is_empty() {
        writeln!(out, "no messages are {}", args.state)?;
        return Ok(());
    }
    print(out, &table(&records, Screen::detect(), now))?;
    if let Some(after) = next_after {
        writeln!(out, "\nthere may be more: --after {after}")?;
    }
    Ok(())
}

fn name(key: &QuarantineKey) -> String {
    format!("{}/{}", key.marketplace, key.hash)
}

fn table(records: &[QuarantineRecord], screen: Screen, now: Timestamp) -> comfy_table::Table {
    let mut table = screen.table(&["hash", "marketplace", "last seen", "times", "reason", "in words"]);
    for record in records {
        let entry = &record.entry;
        table.add_row([
            short(&entry.key).to_owned(),
            entry.key.marketplace.to_string(),
            relative(record.last_seen_at, now),
            record.seen.to_string(),
            safe(&entry.reason),
            safe(&entry.detail),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use stallkeeper_persistence::QuarantineEntry;

    use super::*;

    fn record() -> QuarantineRecord {
        let entry = QuarantineEntry {
            key: QuarantineKey { marketplace: "aws".parse().unwrap(), hash: "0a".repeat(32) },
            message_id: "m-1".to_owned(),
            reason: "unknown-action".to_owned(),
            detail: "the action \u{1b}[31m is not known".to_owned(),
            body: Vec::new(),
            sent_at: None,
            at: "2026-03-01T11:00:00Z".parse().unwrap(),
        };
        let last_seen_at = "2026-03-01T11:30:00Z".parse().unwrap();
        QuarantineRecord { entry, state: QuarantineState::Held, seen: 2, last_seen_at, settled: None }
    }

    #[test]
    fn a_held_message_is_listed_by_the_beginning_of_its_hash_with_its_reason() {
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        let text = table(&[record()], Screen::default(), now).to_string();
        let row = text.lines().nth(1).unwrap();
        for cell in
            ["0a0a0a0a0a0a ", "aws", "30 min ago", "unknown-action", "the action \\u{1b}[31m is not known"]
        {
            assert!(row.contains(cell), "{row}");
        }
    }

    #[test]
    fn json_names_are_stable() {
        let json = serde_json::to_value(QuarantineLine::of(&record())).unwrap();
        let expected = serde_json::json!({
            "marketplace": "aws", "hash": "0a".repeat(32), "message_id": "m-1", "state": "held",
            "reason": "unknown-action", "detail": "the action \u{1b}[31m is not known", "seen": 2,
            "sent_at": null, "first_seen_at": "2026-03-01T11:00:00Z", "last_seen_at": "2026-03-01T11:30:00Z",
            "settled_by": null, "settled_at": null,
        });
        assert_eq!(json, expected);
    }
}
