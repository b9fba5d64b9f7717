//! What happens, line by line as it happens.

use std::io::{self, Write};

use stallkeeper_lifecycle::Timestamp;

use super::Mismatch;

/// Where the lines of a demonstration go; nothing is shown where only the summary is wanted.
pub struct Timeline<'a> {
    out: Option<&'a mut dyn Write>,
}

/// One line: what happened, and what the worker made of it.
pub struct Line<'a> {
    /// When, by the marketplace's clock.
    pub at: Timestamp,
    /// To whom.
    pub buyer: &'a str,
    /// What.
    pub what: &'a str,
    /// The worker's word for where the subscription stands now.
    pub word: &'a str,
    /// Where the books say something else.
    pub mismatch: Option<&'a Mismatch>,
}

/// What is said of usage, by the worker or by the marketplace's bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// What it should be.
    Right(String),
    /// Something else.
    Wrong {
        /// What is said.
        words: String,
        /// What it should be.
        but: String,
    },
}

impl<'a> Timeline<'a> {
    /// A timeline for people.
    pub fn shown(out: &'a mut dyn Write) -> Self {
        Self { out: Some(out) }
    }

    /// A timeline that shows nothing.
    pub fn hidden() -> Self {
        Self { out: None }
    }

    /// Shows a line of text as it is.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        let Some(out) = &mut self.out else { return Ok(()) };
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Shows the columns' titles.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn title(&mut self) -> io::Result<()> {
        self.say(&columns("TIME", "BUYER", "WHAT HAPPENS", "THE WORKER SAYS"))
    }

    /// Shows what happened.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        let verdict = match line.mismatch {
            None => format!("✓ {}", line.word),
            Some(mismatch) => format!("✗ {}, but the books say {}", mismatch.worker, mismatch.books),
        };
        self.say(&columns(&clock(line.at), line.buyer, line.what, &verdict))
    }

    /// Shows what became of usage, or what of it is not as it must be.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn usage(&mut self, at: Timestamp, buyer: &str, what: &str, said: &Said) -> io::Result<()> {
        let verdict = match said {
            Said::Right(words) => format!("✓ {words}"),
            Said::Wrong { words, but } => format!("✗ {words}, but it should be {but}"),
        };
        self.say(&columns(&clock(at), buyer, what, &verdict))
    }

    /// Shows more about the line before.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn note(&mut self, what: &str) -> io::Result<()> {
        self.say(columns("", "", what, "").trim_end())
    }

    /// Shows what happened without the worker's knowledge.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn unheard(&mut self, at: Timestamp, buyer: &str, what: &str) -> io::Result<()> {
        self.say(columns(&clock(at), buyer, what, "").trim_end())
    }
}

fn columns(at: &str, buyer: &str, what: &str, worker: &str) -> String {
    format!("{at:<8}  {buyer:<7}  {what:<62}  {worker}")
}

/// The hour and minute of a time as it is written.
pub(super) fn hour_and_minute(time: &str) -> String {
    time.chars().skip(11).take(5).collect()
}

/// The hour, minute and second.
fn clock(at: Timestamp) -> String {
    at.to_string().chars().skip(11).take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(mismatch: Option<&Mismatch>) -> String {
        let mut out = Vec::new();
        let at = "2026-03-01T09:30:00.25Z".parse().unwrap();
        let line = Line { at, buyer: "aurora", what: "subscribes", word: "active", mismatch };
        Timeline::shown(&mut out).line(&line).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_tells_when_who_what_and_how_it_stands() {
        let line = shown(None);
        assert!(line.starts_with("09:30:00  aurora   subscribes "), "{line}");
        assert!(line.ends_with("✓ active\n"), "{line}");
    }

    #[test]
    fn a_mismatch_names_both_sides() {
        let mismatch = Mismatch {
            subscription: "aws/a/customer/b".to_owned(),
            books: "ended".to_owned(),
            worker: "active".to_owned(),
        };
        assert!(shown(Some(&mismatch)).ends_with("✗ active, but the books say ended\n"));
    }

    #[test]
    fn usage_that_is_not_where_it_should_be_is_named_with_where_it_should() {
        let mut out = Vec::new();
        let at = "2026-03-01T09:30:00.25Z".parse().unwrap();
        let said = Said::Wrong { words: "counted".to_owned(), but: "lost".to_owned() };
        Timeline::shown(&mut out).usage(at, "aurora", "is late", &said).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert!(line.ends_with("✗ counted, but it should be lost\n"), "{line}");
    }

    #[test]
    fn a_hidden_timeline_shows_nothing_and_does_not_fail() {
        Timeline::hidden().say("x").unwrap();
    }
}
