use std::time::Duration;

use stallkeeper_lifecycle::{MarketplaceName, Timestamp};
use stallkeeper_persistence::{JobCounts, StoreError};

use super::check::Check;
use super::finding::{Books, DatabaseFinding, Look, Unseen};
use super::words;
use crate::store::OpenError;

const DATABASE: &str = "database";
const SCHEMA: &str = "schema";
const QUARANTINE: &str = "quarantine";
const JOBS: &str = "jobs";

/// A stall is quiet as a rule, but for so long it is worth a word.
const LONG_SILENCE: Duration = Duration::from_hours(7 * 24);

pub(super) fn checks(finding: &DatabaseFinding, now: Timestamp) -> Vec<Check> {
    match finding {
        DatabaseFinding::NotConfigured => closed(Check::failure(
            DATABASE,
            "none is configured",
            "set STALLKEEPER_DATABASE_URL to sqlite:///path/to/stallkeeper.db (one worker) or \
             postgres://user:password@host/database (several)",
        )),
        DatabaseFinding::Closed(why) => {
            closed(Check::failure(DATABASE, words::unseen(why), remedy_of_closed(why)))
        }
        DatabaseFinding::Behind(missing) => unread(Check::failure(
            SCHEMA,
            format!("{} missing", missing_migrations(*missing)),
            "run `stallkeeper migrate`",
        )),
        DatabaseFinding::Ahead => unread(Check::failure(
            SCHEMA,
            "a newer version of Stallkeeper has migrated the database",
            "run that version here too",
        )),
        DatabaseFinding::Current(books) => {
            let mut checks = vec![answers(), Check::ok(SCHEMA, "it is this version's")];
            checks.extend(books_checks(books, now));
            checks
        }
    }
}

fn answers() -> Check {
    Check::ok(DATABASE, "it answers")
}

fn closed(failure: Check) -> Vec<Check> {
    let unseen = [SCHEMA, QUARANTINE, JOBS].map(|check| Check::unseen(check, DATABASE));
    [failure].into_iter().chain(unseen).collect()
}

fn unread(failure: Check) -> Vec<Check> {
    let unseen = [QUARANTINE, JOBS].map(|check| Check::unseen(check, SCHEMA));
    [answers(), failure].into_iter().chain(unseen).collect()
}

fn missing_migrations(count: usize) -> String {
    if count == 1 { "1 migration is".to_owned() } else { format!("{count} migrations are") }
}

fn remedy_of_closed(why: &Unseen<OpenError>) -> &'static str {
    match why {
        Unseen::Failed(OpenError::Refused(_) | OpenError::Scheme) => "correct STALLKEEPER_DATABASE_URL",
        Unseen::Failed(OpenError::Schema(_)) => "do what the message says",
        Unseen::Failed(OpenError::Unavailable(_)) | Unseen::TimedOut(_) => {
            "start the database, or correct STALLKEEPER_DATABASE_URL"
        }
    }
}

fn books_checks(books: &Books, now: Timestamp) -> Vec<Check> {
    let mut checks = vec![quarantine(&books.quarantine_held), jobs(&books.jobs)];
    checks.extend(books.last_received.iter().map(|(name, at)| last_received(name, at, now)));
    checks
}

fn quarantine(held: &Look<u64, StoreError>) -> Check {
    match held {
        Ok(0) => Check::ok(QUARANTINE, "nothing is held"),
        Ok(held) => Check::warning(
            QUARANTINE,
            format!("{} could not be understood and held back", words::counted(*held, "notification")),
            "look at them with `stallkeeper quarantine list`, then replay or discard each",
        ),
        Err(why) => unanswered(QUARANTINE, why),
    }
}

fn jobs(counts: &Look<JobCounts, StoreError>) -> Check {
    match counts {
        Ok(JobCounts { failed: 0, due, parked }) => {
            Check::ok(JOBS, format!("none was given up, {due} to be run, {parked} parked"))
        }
        Ok(JobCounts { failed, .. }) => Check::warning(
            JOBS,
            format!("{} given up", words::counted(*failed, "job")),
            "look at them with `stallkeeper jobs list`, then `stallkeeper jobs retry`",
        ),
        Err(why) => unanswered(JOBS, why),
    }
}

fn last_received(name: &MarketplaceName, at: &Look<Option<Timestamp>, StoreError>, now: Timestamp) -> Check {
    let check = format!("{name}: last notification");
    match at {
        Ok(None) => Check::ok(check, "none was taken in yet"),
        Ok(Some(at)) => {
            let silence = now.since(*at);
            let rare = if silence > LONG_SILENCE { "; right if no buyer came or went since" } else { "" };
            Check::ok(check, format!("taken in {} ago ({at}){rare}", words::span(silence)))
        }
        Err(why) => unanswered(&check, why),
    }
}

/// A database that opens and then does not answer is broken, whatever the question.
fn unanswered(check: &str, why: &Unseen<StoreError>) -> Check {
    Check::failure(check, words::unseen(why), "look into the database's own log, then try again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn books() -> Books {
        let counts = JobCounts { parked: 4, due: 1, failed: 0 };
        Books { quarantine_held: Ok(0), jobs: Ok(counts), last_received: Vec::new() }
    }

    fn statuses(finding: &DatabaseFinding) -> Vec<(String, Status)> {
        checks(finding, NOW).into_iter().map(|check| (check.name().to_owned(), check.status())).collect()
    }

    fn named(finding: &DatabaseFinding, name: &str) -> Check {
        checks(finding, NOW).into_iter().find(|check| check.name() == name).unwrap()
    }

    fn expected(statuses: [Status; 4]) -> Vec<(String, Status)> {
        [DATABASE, SCHEMA, QUARANTINE, JOBS].map(str::to_owned).into_iter().zip(statuses).collect()
    }

    #[test]
    fn a_database_as_it_should_be_is_all_right() {
        assert_eq!(statuses(&DatabaseFinding::Current(books())), expected([Status::Ok; 4]));
    }

    #[test]
    fn what_cannot_be_seen_behind_a_closed_database_is_a_warning_and_no_failure_of_its_own() {
        let out_of_reach = OpenError::Unavailable("nobody answers".into());
        for closed in [
            DatabaseFinding::NotConfigured,
            DatabaseFinding::Closed(Unseen::Failed(out_of_reach)),
            DatabaseFinding::Closed(Unseen::TimedOut(Duration::from_secs(20))),
        ] {
            let [failure, unseen] = [Status::Failure, Status::Warning];
            assert_eq!(statuses(&closed), expected([failure, unseen, unseen, unseen]), "{closed:?}");
        }
    }

    #[test]
    fn a_wrong_url_and_a_stopped_server_have_different_remedies() {
        let closed = |error| named(&DatabaseFinding::Closed(Unseen::Failed(error)), DATABASE);
        let stopped = closed(OpenError::Unavailable("nobody answers".into()));
        assert!(stopped.remedy().unwrap().starts_with("start the database"));
        assert!(stopped.found().ends_with("nobody answers"));
        let refused = closed(OpenError::Refused("no such user".into()));
        assert_eq!(refused.remedy(), Some("correct STALLKEEPER_DATABASE_URL"));
    }

    #[test]
    fn tables_of_another_version_fail_with_the_way_to_the_right_ones() {
        let [ok, failure, unseen] = [Status::Ok, Status::Failure, Status::Warning];
        for finding in [DatabaseFinding::Behind(1), DatabaseFinding::Ahead] {
            assert_eq!(statuses(&finding), expected([ok, failure, unseen, unseen]));
        }
        assert_eq!(named(&DatabaseFinding::Behind(1), SCHEMA).found(), "1 migration is missing");
        assert_eq!(named(&DatabaseFinding::Behind(5), SCHEMA).remedy(), Some("run `stallkeeper migrate`"));
    }

    #[test]
    fn held_notifications_and_jobs_given_up_are_warnings_that_count_them() {
        let counts = JobCounts { parked: 0, due: 0, failed: 1 };
        let finding = DatabaseFinding::Current(Books { quarantine_held: Ok(2), jobs: Ok(counts), ..books() });
        let [ok, warning] = [Status::Ok, Status::Warning];
        assert_eq!(statuses(&finding), expected([ok, ok, warning, warning]));
        assert!(named(&finding, QUARANTINE).found().starts_with("2 notifications"));
        assert!(named(&finding, JOBS).found().starts_with("1 job "));
    }

    #[test]
    fn a_question_that_is_not_answered_fails() {
        let quarantine_held = Err(Unseen::TimedOut(Duration::from_secs(10)));
        let finding = DatabaseFinding::Current(Books { quarantine_held, ..books() });
        let [ok, failure] = [Status::Ok, Status::Failure];
        assert_eq!(statuses(&finding), expected([ok, ok, failure, ok]));
        assert_eq!(named(&finding, QUARANTINE).found(), "no answer within 10 seconds");
    }

    #[test]
    fn a_long_silence_is_told_in_words_and_is_no_warning() {
        let silent = |days: u64| {
            let at = Some(NOW.minus(Duration::from_hours(24 * days)));
            let last_received = vec![("aws".parse().unwrap(), Ok(at))];
            let finding = DatabaseFinding::Current(Books { last_received, ..books() });
            named(&finding, "aws: last notification")
        };
        assert_eq!((silent(7).status(), silent(8).status()), (Status::Ok, Status::Ok));
        assert!(silent(7).found().ends_with(')'), "{:?}", silent(7));
        assert!(silent(8).found().starts_with("taken in 8 days ago"));
        assert!(silent(8).found().ends_with("right if no buyer came or went since"));
    }
}
