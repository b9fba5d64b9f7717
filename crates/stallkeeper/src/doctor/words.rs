//! Findings as people say them.

use std::error::Error;
use std::time::Duration;

use stallkeeper_runtime::error_chain;

use super::Unseen;

/// Why there is no answer.
pub(super) fn unseen<E: Error + 'static>(unseen: &Unseen<E>) -> String {
    match unseen {
        Unseen::Failed(error) => error_chain(error),
        Unseen::TimedOut(limit) => format!("no answer within {}", span(*limit)),
    }
}

/// A duration in its largest unit, rounded down.
pub(super) fn span(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let secs = duration.as_secs();
    let unit = UNITS.into_iter().find(|(unit_secs, _)| secs >= *unit_secs);
    let (unit_secs, name) = unit.unwrap_or((1, "second"));
    counted(secs / unit_secs, name)
}

/// A number of things; the plural has an `s`.
pub(super) fn counted(count: u64, name: &str) -> String {
    if count == 1 { format!("1 {name}") } else { format!("{count} {name}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_its_largest_unit() {
        let told =
            [0, 1, 59, 60, 7_199, 7_200, 86_400, 1_209_600].map(|secs| span(Duration::from_secs(secs)));
        let expected =
            ["0 seconds", "1 second", "59 seconds", "1 minute", "1 hour", "2 hours", "1 day", "14 days"];
        assert_eq!(told, expected);
    }
}
