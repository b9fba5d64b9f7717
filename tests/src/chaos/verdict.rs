//! What must be so at the end, each as a function that names the first differences.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::market::{BookEntry, Depth, Published, Queues};

/// What the configuration that the simulator writes calls the marketplace.
const MARKETPLACE: &str = "aws";
const NAMED_MAX: usize = 10;

/// Whether something is as it must be.
#[derive(Clone, Debug)]
pub struct Verdict {
    what: &'static str,
    differences: Vec<String>,
}

/// A subscription as the worker sees it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct View {
    pub(super) key: String,
    pub(super) word: String,
    pub(super) deadline: Option<String>,
}

impl Verdict {
    fn new(what: &'static str, differences: Vec<String>) -> Self {
        Self { what, differences }
    }

    /// Whether it is so.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, differences } = self;
        if self.passed() {
            return write!(formatter, "PASS  {what}");
        }
        write!(formatter, "FAIL  {what}: {} differ", differences.len())?;
        differences.iter().take(NAMED_MAX).try_for_each(|line| write!(formatter, "\n        {line}"))
    }
}

/// `published` tells what was said of those that differ.
pub(super) fn every_view_equals_the_books(
    books: &[BookEntry],
    views: &[View],
    published: &[Published],
) -> Verdict {
    let seen: BTreeMap<&str, String> =
        views.iter().map(|view| (view.key.as_str(), told(&view.word, view.deadline.as_deref()))).collect();
    let booked: BTreeMap<String, String> =
        books.iter().map(|entry| (format!("{MARKETPLACE}/{}", entry.id), expected(entry))).collect();
    let keys: BTreeSet<&str> = booked.keys().map(String::as_str).chain(seen.keys().copied()).collect();
    let differ = keys.into_iter().filter_map(|key| {
        let (books, worker) = (booked.get(key), seen.get(key));
        let said = |side: Option<&String>| side.cloned().unwrap_or_else(|| "nothing".to_owned());
        let words = || format!("{key}: the books say {}, the worker {}", said(books), said(worker));
        (books != worker).then(|| format!("{}; {}", words(), story(key, published)))
    });
    Verdict::new("every view equals the books", differ.collect())
}

/// What was published about a subscription, and how often it was delivered.
fn story(key: &str, published: &[Published]) -> String {
    let about = published.iter().filter(|one| {
        key.strip_prefix(MARKETPLACE).is_some_and(|rest| rest.get(1..) == Some(&one.subscription))
    });
    let lines: Vec<String> =
        about.map(|one| format!("{} at {} ({} copies)", one.what, one.at, one.copies)).collect();
    if lines.is_empty() { "nothing was published".to_owned() } else { lines.join(", ") }
}

/// In the worker's words; nobody is bound, so whoever has subscribed is unclaimed.
fn expected(entry: &BookEntry) -> String {
    let word = match entry.standing.as_str() {
        "subscribed" => "unclaimed",
        "payment-failed" => "failed",
        other => other,
    };
    told(word, entry.deadline.as_deref())
}

fn told(word: &str, deadline: Option<&str>) -> String {
    let moment = |text: &str| OffsetDateTime::parse(text, &Rfc3339).expect("a deadline in RFC 3339").to_utc();
    deadline.map_or_else(|| word.to_owned(), |deadline| format!("{word} until {}", moment(deadline)))
}

/// `inbox` holds the id of each row.
pub(super) fn nothing_is_lost(published: &[Published], inbox: &[String]) -> Verdict {
    let mut taken_in: BTreeMap<&str, usize> = BTreeMap::new();
    for id in inbox {
        *taken_in.entry(id).or_default() += 1;
    }
    let mut delivered = BTreeSet::new();
    let mut differences = Vec::new();
    for Published { id, what, subscription, copies, .. } in published.iter().filter(|one| one.copies > 0) {
        let count = taken_in.get(id.as_str()).copied().unwrap_or_default();
        if !delivered.insert(id.as_str()) {
            differences.push(format!("{id} ({what} of {subscription}): the simulator gave this id twice"));
        } else if count != 1 {
            let notification = format!("{id} ({what} of {subscription}, {copies} copies)");
            differences.push(format!("{notification}: {count} times in the inbox"));
        }
    }
    let unknown = taken_in.keys().filter(|id| !delivered.contains(**id));
    differences.extend(unknown.map(|id| format!("{id}: in the inbox, but never delivered")));
    Verdict::new("every delivered notification is in the inbox exactly once", differences)
}

/// `lines` holds subscription, notification and outcome of each line of history that a notification wrote.
pub(super) fn nothing_is_applied_twice(lines: &[Vec<String>]) -> Verdict {
    let mut seen = BTreeSet::new();
    let twice = lines.iter().filter(|line| !seen.insert(line.get(..2)));
    Verdict::new(
        "no notification is applied twice",
        twice.map(|line| format!("{} once more in the history", line.join(" "))).collect(),
    )
}

/// `rows` holds id, subscription and number of lines of each notification that has not one line of history.
pub(super) fn every_notification_has_its_line_of_history(rows: &[Vec<String>]) -> Verdict {
    Verdict::new("every notification has its one line of history", named(rows))
}

/// `rows` holds reason, detail and message id of each.
pub(super) fn the_quarantine_is_empty(rows: &[Vec<String>]) -> Verdict {
    Verdict::new("the quarantine is empty", named(rows))
}

pub(super) fn both_queues_are_empty(queues: Queues) -> Verdict {
    let Queues { notifications, dead_letters } = queues;
    let queues = [("the queue", notifications), ("the dead-letter queue", dead_letters)];
    let full = queues.into_iter().filter(|(_, depth)| depth.total() > 0);
    let held = full.map(|(name, Depth { visible, in_flight, delayed, .. })| {
        format!("{name} holds {visible} visible, {in_flight} in flight, {delayed} delayed")
    });
    Verdict::new("the queue and the dead-letter queue are empty", held.collect())
}

/// `rows` holds subscription, kind, state, attempts and last error of each that failed or is overdue.
pub(super) fn no_job_failed_or_is_overdue(rows: &[Vec<String>]) -> Verdict {
    Verdict::new("no job has failed or is overdue", named(rows))
}

/// `rows` holds subscription, announced word and deadline of each.
pub(super) fn every_window_that_passed_was_closed(rows: &[Vec<String>]) -> Verdict {
    Verdict::new("every final-usage window that passed was closed by its timer", named(rows))
}

/// `in_hand` tells for each kill how many messages the worker had, and `in_flight` how many the queue counted.
pub(super) fn every_kill_met_work(planned: usize, in_hand: &[u64], in_flight: &[u64]) -> Verdict {
    let idle =
        in_hand.iter().zip(in_flight).enumerate().filter(|(_, (hand, flight))| **hand == 0 || **flight == 0);
    let mut differences: Vec<String> = idle
        .map(|(number, (hand, flight))| format!("kill {}: {hand} in hand, {flight} in flight", number + 1))
        .collect();
    if in_hand.len() < planned {
        differences.push(format!("only {} of {planned} kills", in_hand.len()));
    }
    Verdict::new("every kill met messages in flight", differences)
}

/// `endings` holds what each worker that was told to stop ended with instead of status 0.
pub(super) fn every_stop_was_clean(endings: &[String]) -> Verdict {
    Verdict::new("every worker that was told to stop ended with status 0", endings.to_vec())
}

fn named(rows: &[Vec<String>]) -> Vec<String> {
    rows.iter().map(|row| row.join(" | ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, standing: &str, deadline: Option<&str>) -> BookEntry {
        BookEntry { id: id.into(), standing: standing.into(), deadline: deadline.map(Into::into) }
    }

    fn view(key: &str, word: &str, deadline: Option<&str>) -> View {
        View { key: key.into(), word: word.into(), deadline: deadline.map(Into::into) }
    }

    fn published(id: &str, copies: u64) -> Published {
        serde_json::from_value(serde_json::json!({
            "number": 1, "id": id, "at": "2026-11-22T10:00:00Z", "what": "subscribe-success", "subscription": "s", "copies": copies,
        }))
        .unwrap()
    }

    #[test]
    fn each_standing_has_its_word_and_a_deadline_is_a_moment_however_it_is_written() {
        let books = [
            entry("c/customer/1", "subscribed", None),
            entry("c/customer/2", "payment-failed", None),
            entry("c/customer/3", "ending", Some("2026-11-22T10:00:00.500Z")),
            entry("c/customer/4", "ended", None),
        ];
        let mut views = vec![
            view("aws/c/customer/1", "unclaimed", None),
            view("aws/c/customer/2", "failed", None),
            view("aws/c/customer/3", "ending", Some("2026-11-22T11:00:00.5+01:00")),
            view("aws/c/customer/4", "ended", None),
        ];
        let verdict = every_view_equals_the_books(&books, &views, &[]);
        assert!(verdict.passed(), "{verdict}");
        views[2].deadline = Some("2026-11-22T10:00:01Z".into());
        assert!(!every_view_equals_the_books(&books, &views, &[]).passed());
    }

    #[test]
    fn a_subscription_that_only_one_side_knows_is_named() {
        let missing =
            every_view_equals_the_books(&[entry("c/customer/1", "ended", None)], &[], &[]).to_string();
        assert!(missing.contains("aws/c/customer/1: the books say ended, the worker nothing"), "{missing}");
        let invented =
            every_view_equals_the_books(&[], &[view("aws/c/customer/1", "ended", None)], &[]).to_string();
        assert!(invented.contains("aws/c/customer/1: the books say nothing, the worker ended"), "{invented}");
    }

    #[test]
    fn what_was_lost_on_the_way_may_not_be_in_the_inbox_and_all_else_must_be_once() {
        let sent = [published("a", 1), published("b", 2), published("c", 0)];
        let ids = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(nothing_is_lost(&sent, &ids(&["b", "a"])).passed());
        for wrong in [&["a"][..], &["a", "b", "b"], &["a", "b", "c"], &["a", "b", "d"]] {
            assert_eq!(nothing_is_lost(&sent, &ids(wrong)).differences.len(), 1, "{wrong:?}");
        }
        let ambiguous = [published("a", 1), published("a", 1)];
        assert!(!nothing_is_lost(&ambiguous, &ids(&["a"])).passed());
    }

    #[test]
    fn one_notification_may_tell_several_subscriptions_but_each_only_once() {
        let line = |words: [&str; 3]| words.map(str::to_owned).to_vec();
        let agreement = [line(["agreement", "e", "applied"]), line(["license", "e", "applied"])];
        assert!(nothing_is_applied_twice(&agreement).passed());
        let again = [line(["license", "e", "applied"]), line(["license", "e", "unchanged"])];
        assert!(!nothing_is_applied_twice(&again).passed());
    }

    #[test]
    fn a_kill_that_met_nothing_or_never_came_is_a_difference() {
        assert!(every_kill_met_work(2, &[1, 5], &[3, 9]).passed());
        assert!(!every_kill_met_work(2, &[1, 0], &[3, 9]).passed());
        assert!(!every_kill_met_work(2, &[1, 5], &[3, 0]).passed());
        assert!(!every_kill_met_work(2, &[1], &[3]).passed());
    }
}
