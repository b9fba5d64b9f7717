//! How commands show things: tables and times for people, JSON for machines.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::{Serialize, Serializer};
use stallkeeper_lifecycle::Timestamp;
pub use stallkeeper_web::safe;

/// A narrower terminal than this would tear words apart, so that lines may as well run over.
const WIDTH_MIN: u16 = 60;

/// Beyond these, the next larger unit reads better.
const SECONDS_MAX: u64 = 120;
const MINUTES_MAX: u64 = 120 * 60;
const HOURS_MAX: u64 = 48 * 3_600;

/// Where text for people goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// How many columns it has; lines are never broken where that is not known, as in a pipe.
    pub columns: Option<u16>,
}

impl Screen {
    /// The terminal behind standard output, where there is one.
    pub fn detect() -> Self {
        if !io::stdout().is_terminal() {
            return Self::default();
        }
        Self { columns: terminal_size::terminal_size().map(|(width, _)| width.0.max(WIDTH_MIN)) }
    }

    /// A table without lines and colours, which reads well in a terminal, a pipe and a ticket alike.
    pub fn table(self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(header.iter().map(|title| title.to_uppercase()));
        match self.columns {
            Some(columns) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table
    }

    /// Names and values below each other; a value that is absent takes its line with it.
    pub fn facts(self, facts: &[(&str, Option<String>)]) -> String {
        let shown = facts.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let width = shown.clone().map(|(name, _)| name.len()).max().unwrap_or(0);
        shown.fold(String::new(), |mut text, (name, value)| {
            // Writing to a string cannot fail.
            let _infallible = writeln!(text, "{name:width$}  {value}");
            text
        })
    }
}

/// Writes a table with a line end, its trailing blanks cut off.
///
/// # Errors
/// When `out` does not take it.
pub fn print(out: &mut impl Write, table: &Table) -> io::Result<()> {
    table.lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

/// Writes a value as JSON with a line end.
///
/// # Errors
/// When it cannot be written as JSON, or `out` does not take it.
pub fn print_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// A time in JSON: RFC 3339, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rfc3339(pub Timestamp);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A time for people: to the second, and how far away it is.
pub fn when(time: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", second(time), relative(time, now))
}

/// A time to the second.
pub fn second(time: Timestamp) -> String {
    let micros = time.as_micros();
    Timestamp::from_micros(micros - micros.rem_euclid(1_000_000)).to_string()
}

/// How far away a time is, such as `3 h ago` and `in 42 min`.
pub fn relative(time: Timestamp, now: Timestamp) -> String {
    let ahead = time > now;
    let seconds = if ahead { time.since(now) } else { now.since(time) }.as_secs();
    let amount = match seconds {
        0 => return "now".to_owned(),
        1..SECONDS_MAX => format!("{seconds} s"),
        SECONDS_MAX..MINUTES_MAX => format!("{} min", seconds / 60),
        MINUTES_MAX..HOURS_MAX => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    };
    if ahead { format!("in {amount}") } else { format!("{amount} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_told_to_the_second_and_by_its_distance() {
        let now = at("2026-03-01T12:00:00Z");
        assert_eq!(when(at("2026-03-01T12:42:00.5Z"), now), "2026-03-01T12:42:00Z (in 42 min)");
        assert_eq!(when(at("2026-03-01T12:00:00Z"), now), "2026-03-01T12:00:00Z (now)");
    }

    #[test]
    fn distances_change_their_unit_where_it_reads_better() {
        let now = at("2026-03-10T12:00:00Z");
        for (time, words) in [
            ("2026-03-10T11:58:01Z", "119 s ago"),
            ("2026-03-10T11:58:00Z", "2 min ago"),
            ("2026-03-10T10:00:00Z", "2 h ago"),
            ("2026-03-08T12:00:00Z", "2 days ago"),
            ("2026-03-11T12:00:00Z", "in 24 h"),
        ] {
            assert_eq!(relative(at(time), now), words);
        }
    }

    #[test]
    fn json_times_are_rfc_3339() {
        let json = serde_json::to_string(&Rfc3339(at("2026-03-01T12:00:00.25Z"))).unwrap();
        assert_eq!(json, "\"2026-03-01T12:00:00.25Z\"");
    }

    #[test]
    fn what_would_steer_a_terminal_is_written_as_an_escape() {
        assert_eq!(safe("a\u{1b}[2J\u{202e}b\u{9b}\nü"), "a\\u{1b}[2J\\u{202e}b\\u{9b}\\nü");
    }

    #[test]
    fn a_table_fits_the_terminal_and_has_no_colour() {
        let mut table = Screen { columns: Some(60) }.table(&["key", "why"]);
        table.add_row(["aws/prod-1/customer/X01", &"long words ".repeat(20)]);
        let text = table.to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn a_table_in_a_pipe_keeps_each_row_on_its_line() {
        let mut table = Screen::default().table(&["key", "why"]);
        table.add_row(["a", &"long words ".repeat(40)]);
        let mut out = Vec::new();
        print(&mut out, &table).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().all(|line| !line.ends_with(' ')));
    }

    #[test]
    fn absent_values_take_their_line_with_them() {
        let text = Screen::default().facts(&[("word", Some("active".to_owned())), ("offer", None)]);
        assert_eq!(text, "word  active\n");
    }
}
