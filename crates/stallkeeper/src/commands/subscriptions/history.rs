use serde::Serialize;
use serde_json::Value;
use stallkeeper_lifecycle::{Anomaly, SubscriptionKey};
use stallkeeper_persistence::{HistoryRecord, PAGE_MAX, Page, Store, StoreError};

use crate::table::{Rfc3339, Screen, safe, second};

/// A line of history; part of the JSON of `subscriptions show`.
#[derive(Debug, Serialize)]
pub(super) struct HistoryLine {
    /// Counts up in the order of storing, over all subscriptions.
    number: i64,
    /// When the marketplace says it happened.
    happened_at: Option<Rfc3339>,
    /// When the worker took it in.
    received_at: Rfc3339,
    /// What happened, such as `subscribe-success` or `bound`.
    what: String,
    /// `applied`, `unchanged` or `too-old`.
    outcome: String,
    /// The subscription's word after it.
    word: String,
    /// What is odd about it, as a code such as `pending-lost`.
    anomaly: Option<String>,
    /// `marketplace`, `worker` or `operator:NAME`.
    actor: String,
    /// The notification's id.
    event: Option<String>,
    /// The rest as it is stored; times in it are microseconds since 1970.
    detail: Value,
}

/// The newest lines of a history, oldest first, and how many older ones there are.
pub(super) struct History {
    pub(super) lines: Vec<HistoryLine>,
    pub(super) earlier: usize,
}

impl History {
    /// Reads a history to its end, of which at most `limit` lines are kept.
    pub(super) async fn read(
        store: &dyn Store,
        key: &SubscriptionKey,
        limit: usize,
    ) -> Result<Self, StoreError> {
        let mut history = Self { lines: Vec::new(), earlier: 0 };
        let mut page = Page::first(PAGE_MAX);
        loop {
            let records = store.history(key, &page).await?;
            let Some(last) = records.last() else { break };
            page.after = Some(last.number);
            history.lines.extend(records.iter().map(HistoryLine::of));
            let excess = history.lines.len().saturating_sub(limit);
            history.earlier += history.lines.drain(..excess).count();
        }
        Ok(history)
    }

    /// The timeline for people.
    pub(super) fn table(&self, screen: Screen) -> comfy_table::Table {
        let mut table = screen.table(&["happened", "received", "what", "then", "outcome", "by", "odd"]);
        for line in &self.lines {
            table.add_row([
                line.happened_at.map(|time| second(time.0)).unwrap_or_default(),
                second(line.received_at.0),
                line.what_in_words(),
                line.word.clone(),
                line.outcome.clone(),
                safe(&line.actor),
                line.anomaly.as_deref().map(in_words).unwrap_or_default(),
            ]);
        }
        table
    }
}

impl HistoryLine {
    fn of(record: &HistoryRecord) -> Self {
        let entry = &record.entry;
        Self {
            number: record.number,
            happened_at: entry.happened_at.map(Rfc3339),
            received_at: Rfc3339(entry.at),
            what: entry.what.clone(),
            outcome: entry.outcome.clone(),
            word: entry.word.clone(),
            anomaly: entry.anomaly.clone(),
            actor: entry.actor.to_string(),
            event: entry.event.as_ref().map(ToString::to_string),
            detail: serde_json::from_str(&entry.detail)
                .unwrap_or_else(|_| Value::String(entry.detail.clone())),
        }
    }

    fn what_in_words(&self) -> String {
        match self.detail.get("tenant").and_then(Value::as_str) {
            Some(tenant) => safe(&format!("{} to {tenant}", self.what)),
            None => safe(&self.what),
        }
    }
}

/// An oddity's code in words; a code of a newer version stands for itself.
fn in_words(anomaly: &str) -> String {
    Anomaly::named(anomaly).map_or_else(|| safe(anomaly), |anomaly| anomaly.in_words().to_owned())
}

#[cfg(test)]
mod tests {
    use stallkeeper_persistence::{Actor, HistoryEntry};

    use super::*;

    fn line(what: &str, detail: &str, anomaly: Option<&str>) -> HistoryLine {
        let entry = HistoryEntry {
            key: "aws/prod-1/customer/X01".parse().unwrap(),
            at: "2026-03-01T12:00:05Z".parse().unwrap(),
            what: what.to_owned(),
            happened_at: Some("2026-03-01T12:00:00.25Z".parse().unwrap()),
            event: Some("event-1".parse().unwrap()),
            outcome: "applied".to_owned(),
            word: "ended".to_owned(),
            anomaly: anomaly.map(str::to_owned),
            actor: Actor::Marketplace,
            detail: detail.to_owned(),
        };
        HistoryLine::of(&HistoryRecord { number: 7, entry })
    }

    #[test]
    fn a_line_tells_when_it_happened_when_it_came_and_what_is_odd() {
        let lines = vec![line("unsubscribe-success", "{}", Some("pending-lost"))];
        let text = History { lines, earlier: 0 }.table(Screen::default()).to_string();
        let row = text.lines().nth(1).unwrap();
        let cells: Vec<&str> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(
            cells,
            [
                "2026-03-01T12:00:00Z",
                "2026-03-01T12:00:05Z",
                "unsubscribe-success",
                "ended",
                "applied",
                "marketplace",
                "the final-usage window was never announced",
            ]
        );
    }

    #[test]
    fn a_binding_tells_the_tenant() {
        assert_eq!(line("bound", r#"{"tenant":"acme"}"#, None).what_in_words(), "bound to acme");
    }

    #[test]
    fn json_names_are_stable() {
        let json = serde_json::to_value(line("bound", r#"{"tenant":"acme"}"#, None)).unwrap();
        let expected = serde_json::json!({
            "number": 7, "happened_at": "2026-03-01T12:00:00.25Z", "received_at": "2026-03-01T12:00:05Z",
            "what": "bound", "outcome": "applied", "word": "ended", "anomaly": null, "actor": "marketplace",
            "event": "event-1", "detail": {"tenant": "acme"},
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn every_oddity_has_words() {
        for anomaly in Anomaly::ALL {
            assert_ne!(in_words(anomaly.name()), anomaly.name());
        }
    }
}
