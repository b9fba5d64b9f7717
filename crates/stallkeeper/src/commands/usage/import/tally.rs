use std::io::Write;

use serde::Serialize;
use stallkeeper_ledger::{EventState, Submission};
use stallkeeper_persistence::usage::Taken;

use super::Mode;
use crate::table::{Screen, print, print_json, safe};

/// How many refusals are shown to people; a file of which more is refused has one mistake many times.
const SHOWN_MAX: usize = 20;

/// How many are kept; the rest is only counted.
const KEPT_MAX: usize = 100_000;

/// What became of the events of a file; the JSON of `usage import`.
#[derive(Debug, Default, Serialize)]
pub(super) struct Tally {
    /// Those that are part of an hour.
    counted: u64,
    /// Those that wait.
    held: u64,
    /// Those that are not billed, each listed as lost.
    lost: u64,
    /// Those that had been taken in before.
    known: u64,
    /// Those of which nothing is stored.
    pub(super) refused: u64,
    /// Why; the first 100,000 of them, in the order of lines.
    refusals: Vec<RefusedLine>,
}

/// An event of which nothing is stored.
#[derive(Debug, Serialize)]
struct RefusedLine {
    /// The line of the file, counted from 1.
    line: u64,
    /// The event's id, where that much can be read.
    id: Option<String>,
    /// A word for programs, such as `unknown_tenant`; `unreadable` where the line is no event.
    code: &'static str,
    /// The same in words.
    why: String,
}

impl Tally {
    pub(super) fn count(&mut self, line: u64, submission: &Submission, taken: Taken) {
        match taken {
            Taken::Stored(EventState::Counted { .. }) => self.counted += 1,
            Taken::Stored(EventState::Held { .. }) => self.held += 1,
            Taken::Stored(EventState::Lost { .. }) => self.lost += 1,
            Taken::Known => self.known += 1,
            Taken::Refused(refusal) => {
                self.refuse(line, Some(submission.id.to_string()), refusal.code(), refusal.to_string());
            }
        }
    }

    pub(super) fn refuse(&mut self, line: u64, id: Option<String>, code: &'static str, why: String) {
        self.refused += 1;
        if self.refusals.len() < KEPT_MAX {
            self.refusals.push(RefusedLine { line, id, code, why });
        }
    }

    /// How many events there were.
    pub(super) fn all(&self) -> u64 {
        [self.counted, self.held, self.lost, self.known, self.refused].iter().sum()
    }

    pub(super) fn print(&mut self, mode: Mode, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
        // Lines that are no event are known at once, the others only when their batch is.
        self.refusals.sort_by_key(|refused| refused.line);
        if json {
            return Ok(print_json(out, &self)?);
        }
        let screen = Screen::detect();
        if !self.refusals.is_empty() {
            self.print_refusals(screen, out)?;
        }
        let mut table = screen.table(&["counted", "held", "lost", "known", "refused"]);
        table.add_row([self.counted, self.held, self.lost, self.known, self.refused]);
        print(out, &table)?;
        if mode == Mode::Try {
            writeln!(out, "\nnothing is stored: this was a dry run")?;
        }
        Ok(())
    }

    fn print_refusals(&self, screen: Screen, out: &mut impl Write) -> anyhow::Result<()> {
        let mut table = screen.table(&["line", "id", "why it is refused"]);
        for refused in self.refusals.iter().take(SHOWN_MAX) {
            let id = refused.id.as_deref().map(safe).unwrap_or_default();
            table.add_row([refused.line.to_string(), id, safe(&refused.why)]);
        }
        print(out, &table)?;
        let shown = u64::try_from(self.refusals.len().min(SHOWN_MAX))?;
        if self.refused > shown {
            writeln!(out, "and {} more; --json lists them", self.refused - shown)?;
        }
        Ok(writeln!(out)?)
    }
}
