//! Times, counts and links as pages have them.

use std::time::Duration;

use stallkeeper_lifecycle::{SubscriptionKey, Timestamp, Word};
use stallkeeper_persistence::COUNT_MAX;
use time::OffsetDateTime;
use time::macros::format_description;
use url::form_urlencoded::byte_serialize;

use crate::safe;

/// A moment on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// For programs: RFC 3339, in UTC, to the second.
    pub(super) iso: String,
    /// For people, such as `3 Dec 14:05:09`, in UTC.
    pub(super) text: String,
    /// How far away it is, such as `3 h ago`.
    pub(super) distance: String,
}

impl Moment {
    pub(super) fn of(time: Timestamp, now: Timestamp) -> Self {
        let micros = time.as_micros();
        let second = Timestamp::from_micros(micros - micros.rem_euclid(1_000_000));
        Self { iso: second.to_string(), text: date(second), distance: distance(time, now) }
    }
}

fn date(second: Timestamp) -> String {
    let format = format_description!("[day padding:none] [month repr:short] [hour]:[minute]:[second]");
    let text = OffsetDateTime::try_from(second).ok().and_then(|time| time.format(format).ok());
    text.unwrap_or_else(|| second.to_string())
}

/// An hour's beginning for people, such as `3 Dec 14:00`.
pub(super) fn hour(start: Timestamp) -> String {
    let format = format_description!("[day padding:none] [month repr:short] [hour]:[minute]");
    let text = OffsetDateTime::try_from(start).ok().and_then(|time| time.format(format).ok());
    text.unwrap_or_else(|| start.to_string())
}

/// How far away a time is.
pub(super) fn distance(time: Timestamp, now: Timestamp) -> String {
    let ahead = time > now;
    let away = if ahead { time.since(now) } else { now.since(time) };
    match (away.as_secs(), ahead) {
        (0, _) => "now".to_owned(),
        (_, true) => format!("in {}", length(away)),
        (_, false) => format!("{} ago", length(away)),
    }
}

/// A length of time in the unit that reads best.
pub(super) fn length(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Time that runs out, as a clock has it: `59:03`, or `23 h 05 min` where it is long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// Whole seconds, for the script.
    pub(super) seconds: u64,
    /// As the page has it.
    pub(super) text: String,
    /// How urgent it is.
    pub(super) tone: Tone,
}

/// How something looks, beside its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it should be.
    Good,
    /// Nothing to think of.
    Quiet,
    /// To be looked at.
    Warn,
    /// Something is lost, or about to be.
    Bad,
}

impl Tone {
    /// The class of the stylesheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Quiet => "quiet",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

impl Left {
    pub(super) fn until(end: Timestamp, now: Timestamp) -> Self {
        let seconds = end.since(now).as_secs();
        let tone = match seconds {
            0..900 => Tone::Bad,
            900..1_800 => Tone::Warn,
            _ => Tone::Quiet,
        };
        Self { seconds, text: clock(seconds), tone }
    }
}

/// The script writes the same.
fn clock(seconds: u64) -> String {
    match seconds {
        0 => "over".to_owned(),
        1..3_600 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        3_600..172_800 => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A count as listings know it: from 10,000 on there are so many or more.
pub(super) fn count(number: u64) -> String {
    let text = grouped(number.min(COUNT_MAX));
    if number >= COUNT_MAX { format!("{text}+") } else { text }
}

/// Digits in groups of three, with narrow blanks between them.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// How a word looks.
pub(super) fn tone(word: Word) -> Tone {
    match word {
        Word::Active => Tone::Good,
        Word::Unknown | Word::Ended => Tone::Quiet,
        Word::Registered | Word::Unclaimed | Word::Suspended | Word::Ending => Tone::Warn,
        Word::Failed => Tone::Bad,
    }
}

/// A subscription's key as pages have it: the id stands out, and the page about it is behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyLink {
    /// The holder's id.
    pub(super) id: String,
    /// The rest of the key.
    pub(super) of: String,
    /// Where its page is.
    pub(super) href: String,
}

impl KeyLink {
    pub(super) fn of(key: &SubscriptionKey) -> Self {
        Self {
            id: safe(key.holder.id()),
            of: safe(&format!("{}/{}/{}", key.marketplace, key.product, key.holder.kind())),
            href: subscription_href(key),
        }
    }
}

/// Where a subscription's page is.
pub(super) fn subscription_href(key: &SubscriptionKey) -> String {
    href("/console/subscription", &[("key", &key.to_string())])
}

/// An address with parameters; empty ones are left out.
pub(super) fn href(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut text = path.to_owned();
    for (place, (name, value)) in parameters.iter().filter(|(_, value)| !value.is_empty()).enumerate() {
        text.push(if place == 0 { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        text.extend(byte_serialize(value.as_bytes()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_moment_is_told_to_the_second_and_by_its_distance() {
        let moment = Moment::of(at("2026-12-03T14:05:09.7Z"), at("2026-12-03T16:05:10Z"));
        assert_eq!(moment.iso, "2026-12-03T14:05:09Z");
        assert_eq!(moment.text, "3 Dec 14:05:09");
        assert_eq!(moment.distance, "2 h ago");
        assert_eq!(hour(at("2026-12-03T14:00:00Z")), "3 Dec 14:00");
    }

    #[test]
    fn distances_change_their_unit_where_it_reads_better() {
        let now = at("2026-03-10T12:00:00Z");
        for (time, words) in [
            ("2026-03-10T12:00:00.4Z", "now"),
            ("2026-03-10T11:58:01Z", "119 s ago"),
            ("2026-03-10T11:58:00Z", "2 min ago"),
            ("2026-03-08T12:00:00Z", "2 days ago"),
            ("2026-03-11T12:00:00Z", "in 24 h"),
        ] {
            assert_eq!(distance(at(time), now), words);
        }
    }

    #[test]
    fn time_left_reads_like_a_clock_and_grows_urgent() {
        let now = at("2026-03-10T12:00:00Z");
        let left = |until: &str| {
            let left = Left::until(at(until), now);
            (left.seconds, left.text, left.tone)
        };
        assert_eq!(left("2026-03-10T12:59:03.9Z"), (3_543, "59:03".to_owned(), Tone::Quiet));
        assert_eq!(left("2026-03-10T12:20:00Z"), (1_200, "20:00".to_owned(), Tone::Warn));
        assert_eq!(left("2026-03-10T12:00:09Z"), (9, "00:09".to_owned(), Tone::Bad));
        assert_eq!(left("2026-03-10T11:00:00Z"), (0, "over".to_owned(), Tone::Bad));
        assert_eq!(left("2026-03-11T11:05:00Z").1, "23 h 05 min");
    }

    #[test]
    fn counts_end_where_the_store_stops_counting() {
        assert_eq!(count(0), "0");
        assert_eq!(count(9_999), "9\u{202f}999");
        assert_eq!(count(10_000), "10\u{202f}000+");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn a_link_survives_whatever_an_id_is_made_of() {
        let key: SubscriptionKey = "aws/prod-1/customer/a/../b?c=d&e #f\"<".parse().unwrap();
        assert_eq!(
            subscription_href(&key),
            "/console/subscription?key=aws%2Fprod-1%2Fcustomer%2Fa%2F..%2Fb%3Fc%3Dd%26e+%23f%22%3C"
        );
    }
}
