use std::time::Duration;

use super::crew::Crew;
use super::plan::Plan;
use super::report::{Report, Tally};
use super::verdict::{self, Verdict};
use crate::Database;
use crate::market::Market;

const INBOX: &str = "SELECT id FROM inbox";
const APPLIED: &str =
    "SELECT subscription, event, outcome FROM history WHERE event IS NOT NULL ORDER BY number";
/// An agreement's event has a line with each license that named the agreement, too.
const WITHOUT_ITS_LINE: &str = "SELECT inbox.id, inbox.subscription, CAST(count(history.number) AS TEXT) FROM inbox LEFT JOIN history \
     ON history.event = inbox.id AND history.subscription = inbox.subscription \
     GROUP BY inbox.id, inbox.subscription HAVING count(history.number) <> 1";
const QUARANTINE: &str = "SELECT reason, detail, message_id FROM quarantine ORDER BY first_seen_at";

/// Holds the database and the queues against the books.
pub(super) async fn judge(
    plan: &Plan,
    tally: Tally,
    market: &Market,
    crew: &Crew,
    database: &Database,
    took: Duration,
) -> Report {
    let (published, books, queues) = (market.published().await, market.books().await, market.queues().await);
    let inbox: Vec<String> = database.rows(INBOX).await.into_iter().flatten().collect();
    let verdicts: Vec<Verdict> = vec![
        verdict::every_view_equals_the_books(&books, &crew.views(), &published),
        verdict::nothing_is_lost(&published, &inbox),
        verdict::nothing_is_applied_twice(&database.rows(APPLIED).await),
        verdict::every_notification_has_its_line_of_history(&database.rows(WITHOUT_ITS_LINE).await),
        verdict::the_quarantine_is_empty(&database.rows(QUARANTINE).await),
        verdict::both_queues_are_empty(queues),
        verdict::no_job_failed_or_is_overdue(&database.rows(&troubled_jobs(market).await).await),
        verdict::every_window_that_passed_was_closed(&database.rows(&open_windows(market).await).await),
        verdict::every_kill_met_work(plan.kills, &tally.in_hand, &tally.in_flight),
        verdict::every_stop_was_clean(&tally.unclean),
    ];
    let depth = queues.notifications;
    Report {
        tally,
        subscriptions: books.len(),
        notifications: published.len(),
        undelivered: published.iter().filter(|one| one.copies == 0).count(),
        copies: depth.put,
        redeliveries: depth.received.saturating_sub(depth.put),
        took,
        verdicts,
    }
}

/// The jobs whose time has come, as what a count is taken of.
pub(super) async fn overdue(market: &Market) -> String {
    format!("jobs WHERE state = 'due' AND due_at <= TIMESTAMPTZ '{}'", market.now().await)
}

async fn troubled_jobs(market: &Market) -> String {
    let columns = "subscription, kind, state, CAST(attempts AS TEXT), last_error";
    format!("SELECT {columns} FROM {} OR state = 'failed'", overdue(market).await)
}

async fn open_windows(market: &Market) -> String {
    let now = market.now().await;
    format!(
        "SELECT key, word, CAST(deadline AS TEXT) FROM subscriptions \
         WHERE listed AND word = 'ending' AND deadline <= TIMESTAMPTZ '{now}'"
    )
}
