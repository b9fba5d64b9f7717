use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use stallkeeper_ledger::{Record, RecordState};
use stallkeeper_lifecycle::{Timestamp, Word};
use stallkeeper_persistence::usage::RecordLine;
use stallkeeper_persistence::{JobState, Page};

use super::super::visitor::Visitor;
use super::super::words::{KeyLink, Left, Moment, Tone, count, href, length, tone};
use super::super::{ConsoleApi, Desk, LaneLine, QueueState};
use super::lines::{Badge, JobRow, LossRow, SubscriptionRow};
use super::shell::Shell;
use super::{Trouble, page};
use crate::usage::name_of;
use crate::{Problem, safe};

/// How many lines each part shows; the rest is behind its link.
const LINES: u32 = 8;

/// Of how many frozen records those at risk are picked.
const RECORDS: u32 = 100;

/// A record with less time than this is at risk, whatever share of its time that is.
const LITTLE: Duration = Duration::from_mins(30);

#[derive(Template)]
#[template(path = "console/overview.html")]
struct OverviewPage {
    shell: Shell,
    words: Vec<Figure>,
    todo: Vec<Figure>,
    problems: Vec<Problem>,
    windows: Vec<SubscriptionRow>,
    windows_open: String,
    risks: Vec<RiskRow>,
    unsent: String,
    queues: Vec<QueueRow>,
    lanes: Vec<LaneRow>,
    errors: Vec<JobRow>,
    losses: Vec<LossRow>,
}

/// A number that links to what it counts.
struct Figure {
    count: String,
    name: &'static str,
    class: &'static str,
    note: String,
    href: String,
}

/// A record that may not be billed in time.
struct RiskRow {
    link: KeyLink,
    dimension: String,
    quantity: String,
    hour: String,
    left: Left,
}

struct QueueRow {
    name: String,
    state: Badge,
    words: String,
    last: Option<Moment>,
}

struct LaneRow {
    name: String,
    marketplaces: String,
    state: Badge,
    words: String,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Trouble> {
    let api = &*desk.api;
    let (now, live, listings) = (api.now(), api.live().await, api.listings());
    let health = api.ledger_health().await?;
    let closing = api.closing(LINES).await?;
    let failed = api.jobs(JobState::Failed, &Page::first(LINES)).await?;
    let losses = api.losses(None, &Page::first(LINES)).await?;
    let queues = queues(api, &live.queues, now).await?;
    let expiring = api.expiring(RECORDS).await?;
    Ok(page(&OverviewPage {
        words: api.word_counts().await?.into_iter().filter_map(of_word).collect(),
        todo: todo(api, &health, now).await?,
        problems: live.problems.iter().map(safe_problem).collect(),
        windows: closing.iter().map(|record| SubscriptionRow::of(api, &listings, record)).collect(),
        windows_open: count(health.windows),
        risks: risks(api, &expiring, now),
        unsent: count(health.unsent),
        queues,
        lanes: live.lanes.iter().map(lane).collect(),
        errors: failed.iter().map(|record| JobRow::of(record, now)).collect(),
        losses: losses
            .iter()
            .map(|line| LossRow::of(line, api.meter_terms(&line.loss.subscription).as_deref(), now))
            .collect(),
        shell: Shell::new(&desk, &visitor, "overview", "Overview"),
    }))
}

/// A word's number; what nobody ever is, is not shown.
fn of_word((word, number): (Word, u64)) -> Option<Figure> {
    if word == Word::Unknown && number == 0 {
        return None;
    }
    let class = if number == 0 { Tone::Quiet } else { tone(word) }.class();
    let href = href("/console/subscriptions", &[("word", word.as_str())]);
    Some(Figure { count: count(number), name: word.as_str(), class, note: String::new(), href })
}

async fn todo(
    api: &dyn ConsoleApi,
    health: &stallkeeper_persistence::usage::LedgerHealth,
    now: Timestamp,
) -> Result<Vec<Figure>, Trouble> {
    let figure = |name, number: u64, tone: Tone, note: String, href: &str| Figure {
        count: count(number),
        name,
        class: if number == 0 { Tone::Quiet } else { tone }.class(),
        note: if number == 0 { String::new() } else { note },
        href: href.to_owned(),
    };
    let first_lost = health.next_held_end.map(|end| format!("first lost in {}", length(end.since(now))));
    let ended = health.conflicts + health.rejected + health.expired + health.not_subscribed;
    let held = first_lost.unwrap_or_default();
    Ok(vec![
        figure("held usage, late", health.held_late, Tone::Warn, held, "/console/held"),
        figure(
            "held, before activation",
            health.held_early,
            Tone::Quiet,
            "waits for the marketplace".to_owned(),
            "/console/held",
        ),
        figure(
            "in quarantine",
            api.quarantine_held().await?,
            Tone::Warn,
            "not understood".to_owned(),
            "/console/quarantine",
        ),
        figure(
            "jobs given up",
            api.job_counts().await?.failed,
            Tone::Bad,
            "to be retried".to_owned(),
            "/console/jobs",
        ),
        figure("records not billed", ended, Tone::Bad, "see losses".to_owned(), "/console/losses"),
    ])
}

fn safe_problem(problem: &Problem) -> Problem {
    Problem { part: safe(&problem.part), problem: safe(&problem.problem), remedy: safe(&problem.remedy) }
}

fn risks(api: &dyn ConsoleApi, records: &[RecordLine], now: Timestamp) -> Vec<RiskRow> {
    let at_risk = records.iter().filter_map(|line| Some((&line.record, ends(&line.record, now)?)));
    let row = |(record, end): (&Record, Timestamp)| {
        let terms = api.meter_terms(&record.key.subscription);
        RiskRow {
            link: KeyLink::of(&record.key.subscription),
            dimension: safe(&name_of(&record.key.dimension, terms.as_deref())),
            quantity: record.parts_reported().display(record.scale),
            hour: super::super::words::hour(record.key.hour.start()),
            left: Left::until(end, now),
        }
    };
    at_risk.take(usize::try_from(LINES).unwrap_or_default()).map(row).collect()
}

/// When a record's time is over that has used up half of it, or has little left.
fn ends(record: &Record, now: Timestamp) -> Option<Timestamp> {
    let (RecordState::Frozen { at }, Some(end)) = (&record.state, record.expires_at) else { return None };
    let left = end.since(now);
    (left < LITTLE || now.since(*at) >= left).then_some(end)
}

async fn queues(
    api: &dyn ConsoleApi,
    queues: &[super::super::QueueLine],
    now: Timestamp,
) -> Result<Vec<QueueRow>, Trouble> {
    let mut rows = Vec::new();
    for queue in queues {
        let (state, words) = queue_words(&queue.state);
        let last = api.last_received_at(&queue.marketplace).await?.map(|at| Moment::of(at, now));
        rows.push(QueueRow { name: safe(queue.marketplace.as_str()), state, words, last });
    }
    Ok(rows)
}

fn queue_words(state: &QueueState) -> (Badge, String) {
    match state {
        QueueState::Elsewhere => (Badge::new("elsewhere", Tone::Quiet), "another worker polls it".to_owned()),
        QueueState::Starting => (Badge::new("starting", Tone::Quiet), "waits for a first answer".to_owned()),
        QueueState::Working { blocked, in_flight, .. } if *blocked > 0 => {
            (Badge::new("blocked", Tone::Bad), format!("{blocked} of {in_flight} messages cannot be stored"))
        }
        QueueState::Working { since_answer, in_flight, .. } => {
            let asked = since_answer.map(|since| format!("answered {} ago", length(since)));
            let words = [Some(format!("{in_flight} in work")), asked].into_iter().flatten();
            (Badge::new("polled", Tone::Good), words.collect::<Vec<_>>().join(", "))
        }
        QueueState::Failing(why) => (Badge::new("failing", Tone::Bad), safe(why)),
    }
}

fn lane(lane: &LaneLine) -> LaneRow {
    let (state, words) = match &lane.trouble {
        None => (Badge::new("well", Tone::Good), format!("{} calls a second", lane.calls_per_sec)),
        Some((problem, remedy)) => (Badge::new("trouble", Tone::Bad), safe(&format!("{problem}: {remedy}"))),
    };
    let names: Vec<&str> =
        lane.marketplaces.iter().map(stallkeeper_lifecycle::MarketplaceName::as_str).collect();
    LaneRow { name: safe(&lane.name), marketplaces: names.join(", "), state, words }
}

#[cfg(test)]
mod tests {
    use stallkeeper_ledger::{Hour, Meter, RecordKey, Scale};

    use super::*;

    fn frozen(at: u64, until: u64) -> Record {
        let minute = |minutes| Hour::new(0).start().plus(Duration::from_mins(minutes));
        let key = RecordKey {
            subscription: "aws/p/customer/c".parse().unwrap(),
            hour: Hour::new(0),
            dimension: "hits".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        };
        let open = Record::open(key.clone(), &Meter::new(key.subscription), Scale::WHOLE);
        Record { state: RecordState::Frozen { at: minute(at) }, expires_at: Some(minute(until)), ..open }
    }

    #[test]
    fn a_record_is_at_risk_once_half_of_its_time_is_gone_or_little_is_left() {
        let at = |minutes| Hour::new(0).start().plus(Duration::from_mins(minutes));
        let is_at_risk = |record: &Record, now| ends(record, at(now)).is_some();
        assert!(!is_at_risk(&frozen(0, 200), 99));
        assert!(is_at_risk(&frozen(0, 200), 100));
        assert!(is_at_risk(&frozen(0, 60), 31));
        assert!(!is_at_risk(&Record { state: RecordState::Open, ..frozen(0, 60) }, 59));
    }

    #[test]
    fn a_queue_that_cannot_be_stored_from_is_told_apart_from_one_that_works() {
        let working = |blocked| QueueState::Working { since_answer: None, in_flight: 4, blocked };
        assert_eq!(queue_words(&working(0)).0, Badge::new("polled", Tone::Good));
        assert_eq!(queue_words(&working(2)).0, Badge::new("blocked", Tone::Bad));
    }
}
