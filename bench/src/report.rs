use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use crate::numbers::readable;

/// All that a bench found out.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) versions: BTreeMap<String, String>,
    /// How it was measured, one sentence each.
    pub(crate) notes: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    /// The median of the rounds.
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<Goal>,
    /// Whether the goal is reached; none where there is no goal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reached: Option<bool>,
    /// What the measured process took of the processors for each notification, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_micros: Option<f64>,
    /// The same of Postgres beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_cpu_micros: Option<f64>,
    /// The single rounds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rounds: Vec<f64>,
}

/// What is asked of a value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub(crate) fn is_reached_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(least) => format!("at least {}", readable(least)),
            Self::AtMost(most) => format!("at most {}", readable(most)),
        }
    }
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            value,
            unit,
            goal: None,
            reached: None,
            cpu_micros: None,
            server_cpu_micros: None,
            rounds: Vec::new(),
        }
    }

    pub(crate) fn with_goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), reached: Some(goal.is_reached_by(self.value)), ..self }
    }

    pub(crate) fn with_rounds(self, rounds: Vec<f64>) -> Self {
        Self { rounds, ..self }
    }

    fn cells(&self) -> [String; 7] {
        let optional = |value: Option<f64>| value.map(readable).unwrap_or_default();
        let reached = match self.reached {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        };
        [
            self.what.clone(),
            readable(self.value),
            self.unit.to_owned(),
            optional(self.cpu_micros),
            optional(self.server_cpu_micros),
            self.goal.map(Goal::words).unwrap_or_default(),
            reached.to_owned(),
        ]
    }
}

impl Report {
    /// For people: one table, what it was measured with, and how.
    pub(crate) fn text(&self) -> String {
        let versions = self.versions.iter().map(|(name, version)| format!("{name}: {version}"));
        let notes = self.notes.iter().map(|note| format!("- {note}"));
        let lines = |lines: Vec<String>| lines.join("\n");
        format!("{}\n\n{}\n\n{}\n", table(&self.rows), lines(versions.collect()), lines(notes.collect()))
    }

    pub(crate) fn write_json(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
    }
}

fn table(rows: &[Row]) -> Table {
    const NUMBERS: [usize; 3] = [1, 3, 4];
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["WHAT", "MEDIAN", "", "CPU µs EACH", "POSTGRES µs EACH", "GOAL", "REACHED"]);
    for row in rows {
        table.add_row(row.cells());
    }
    for column in NUMBERS {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_reached_at_its_very_value() {
        assert!(Goal::AtLeast(0.8).is_reached_by(0.8));
        assert!(Goal::AtMost(25.0).is_reached_by(25.0));
        assert!(!Goal::AtLeast(15.0).is_reached_by(14.99));
        assert!(!Goal::AtMost(150.0).is_reached_by(150.01));
    }

    #[test]
    fn a_missed_goal_stands_out_in_the_table() {
        let rows = vec![Row::new("worker on Postgres / bound", 0.75, "x").with_goal(Goal::AtLeast(0.8))];
        let text = Report { rows, ..Report::default() }.text();
        let line = text.lines().find(|line| line.contains("bound")).unwrap();
        assert!(line.contains("0.75") && line.contains("at least 0.80") && line.contains("NO"), "{line}");
    }

    #[test]
    fn the_text_names_versions_and_notes() {
        let mut report = Report::default();
        report.versions.insert("rustc".to_owned(), "1.95.0".to_owned());
        report.notes.push("fsync is on".to_owned());
        let text = report.text();
        assert!(text.contains("rustc: 1.95.0\n") && text.contains("- fsync is on\n"), "{text}");
    }

    #[test]
    fn the_json_leaves_out_what_was_not_measured() {
        let json = serde_json::to_value(Row::new("idle", 20.0, "MB")).unwrap();
        assert_eq!(json, serde_json::json!({ "what": "idle", "value": 20.0, "unit": "MB" }));
    }
}
