//! Many subscriptions that end in the same minute: all of their usage has to go out inside the window.

use std::time::Duration;

use stallkeeper_ledger::{CALL_RECORDS_MAX, margin};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_simulator::MeteringSettings;

use crate::cli::FinalHourArgs;
use crate::numbers::number;
use crate::planned::{self, Pace};
use crate::report::{Goal, Report, Row};
use crate::seller::DIMENSIONS;
use crate::stand::{Database, Stand};
use crate::{leaving, versions};

/// How long a final-usage window is open (AWS `unsubscribe-pending`).
pub(crate) const WINDOW: Duration = Duration::from_hours(1);
/// From so many subscriptions on an hour is planned in this process, by a clock of its own.
const PLANNED_FROM: u64 = 50_000;

/// How a final hour ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// How many records there were to be sent.
    pub(crate) records: u64,
    /// How many calls were made, without those that were throttled.
    pub(crate) calls: u64,
    pub(crate) throttled: u64,
    /// How many records the calls had.
    pub(crate) in_calls: u64,
    pub(crate) on_bill: u64,
    /// How many records came when the window was over.
    pub(crate) late: u64,
    /// How much the app reported, how much is billed, and how much is listed as lost, in units.
    pub(crate) recorded: i64,
    pub(crate) billed: i64,
    pub(crate) lost: i64,
    pub(crate) cut: Cut,
    /// How long it took to run.
    pub(crate) took: Duration,
}

/// When things happened, by the marketplace's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// When the first window ends.
    pub(crate) deadline: Timestamp,
    /// How long before it usage is frozen.
    pub(crate) margin: Duration,
    pub(crate) first_call: Option<Timestamp>,
    pub(crate) last_call: Option<Timestamp>,
}

impl Cut {
    /// From the cut to the last call.
    fn to_last_call(self) -> Duration {
        self.last_call.map_or(Duration::ZERO, |last| last.since(self.deadline.minus(self.margin)))
    }

    /// From the first call to the last one.
    fn sending(self) -> Duration {
        self.last_call.zip(self.first_call).map_or(Duration::ZERO, |(last, first)| last.since(first))
    }
}

/// How many records so many subscriptions have.
pub(crate) fn records(subscriptions: u64) -> u64 {
    subscriptions * DIMENSIONS.len() as u64
}

/// Measures, prints the table, and writes it as JSON where that is asked for.
pub(crate) async fn run(args: &FinalHourArgs) -> anyhow::Result<()> {
    let stand = Stand::open(&args.programs)?;
    let versions = versions::versions(&stand)?;
    let mut rows = Vec::new();
    for database in Database::ALL {
        let name = database.name();
        eprintln!("{} subscriptions end on {name}", args.subscriptions);
        if args.subscriptions < PLANNED_FROM {
            rows.extend(sent(name, &leaving::measure(&stand, database, args.subscriptions).await?));
        } else {
            for (pace, words) in [(Pace::Quota, "at the quota"), (Pace::Third, "at a third of it")] {
                let ended = planned::measure(&stand, database, args.subscriptions, pace).await?;
                eprintln!("  {words}: took {:.0} s to run", ended.took.as_secs_f64());
                rows.extend(planned_rows(&format!("{name}, {words}"), pace, &ended));
            }
        }
    }
    let report = Report { versions, notes: notes(args), rows };
    println!("{}", report.text());
    if let Some(path) = &args.json {
        report.write_json(path)?;
    }
    Ok(())
}

/// The calls, beside the fewest that there can be.
fn calls(name: &str, ended: &Ended) -> Vec<Row> {
    let fewest = ended.records.div_ceil(CALL_RECORDS_MAX as u64);
    vec![
        Row::new(format!("records, {name}"), number(ended.records), ""),
        Row::new(format!("calls, {name}"), number(ended.calls), ""),
        Row::new(format!("calls / fewest, {name}"), number(ended.calls) / number(fewest), "x")
            .with_goal(Goal::AtMost(1.05)),
        Row::new(format!("records a call, {name}"), number(ended.in_calls) / number(ended.calls), "")
            .with_goal(Goal::AtLeast(24.5)),
        Row::new(format!("throttled calls, {name}"), number(ended.throttled), ""),
        Row::new(format!("records after the window, {name}"), number(ended.late), "")
            .with_goal(Goal::AtMost(0.0)),
    ]
}

fn sent(name: &str, ended: &Ended) -> Vec<Row> {
    let fewest = number(ended.records.div_ceil(CALL_RECORDS_MAX as u64));
    let at_quota = fewest / f64::from(MeteringSettings::CALLS_PER_SEC);
    let sending = ended.cut.sending().as_secs_f64();
    let mut rows = calls(name, ended);
    rows.extend([
        Row::new(format!("records not billed, {name}"), number(ended.records - ended.on_bill), "")
            .with_goal(Goal::AtMost(0.0)),
        Row::new(format!("first call to last, {name}"), sending, "s"),
        Row::new(format!("first call to last / time at the quota, {name}"), sending / at_quota, "x")
            .with_goal(Goal::AtMost(1.05)),
        Row::new(format!("cut to last call, {name}"), ended.cut.to_last_call().as_secs_f64(), "s"),
        share_of_margin(name, &ended.cut),
    ]);
    rows
}

fn planned_rows(name: &str, pace: Pace, ended: &Ended) -> Vec<Row> {
    let units = |units: i64| number(units.unsigned_abs());
    let unaccounted = ended.recorded - ended.billed - ended.lost;
    let lost = Row::new(format!("lost, {name}"), units(ended.lost), "units");
    let mut rows = calls(name, ended);
    rows.extend([
        Row::new(format!("recorded, {name}"), units(ended.recorded), "units"),
        Row::new(format!("billed, {name}"), units(ended.billed), "units"),
        if pace == Pace::Quota { lost.with_goal(Goal::AtMost(0.0)) } else { lost },
        Row::new(format!("neither billed nor lost, {name}"), units(unaccounted), "units")
            .with_goal(Goal::AtMost(0.0)),
        Row::new(format!("margin, {name}"), ended.cut.margin.as_secs_f64(), "s"),
        Row::new(format!("cut to last call, {name}"), ended.cut.to_last_call().as_secs_f64(), "s"),
        share_of_margin(name, &ended.cut),
    ]);
    rows
}

fn share_of_margin(name: &str, cut: &Cut) -> Row {
    let used = cut.to_last_call().as_secs_f64() / cut.margin.as_secs_f64();
    Row::new(format!("share of the margin, {name}"), used, "x").with_goal(Goal::AtMost(1.0))
}

fn notes(args: &FinalHourArgs) -> Vec<String> {
    let n = args.subscriptions;
    let first = format!(
        "{n} subscriptions with usage of 3 dimensions in the current hour end in the same minute; the quota \
         is {} calls a second, and the margin {} s.",
        MeteringSettings::CALLS_PER_SEC,
        margin(records(n), MeteringSettings::CALLS_PER_SEC).as_secs()
    );
    let how = if n < PLANNED_FROM {
        "The built worker with the marketplace's SDK; the simulator holds the quota and refuses what comes \
         after the window. Its clock is moved to a few seconds before the cut."
    } else {
        "Planned in this process: the stores, the closer and the sender as the worker has them, the \
         simulator's books behind its rate, and a clock that goes on by each call."
    };
    vec![
        first,
        how.to_owned(),
        "fsync is on in Postgres with its default settings; SQLite has WAL and synchronous = FULL."
            .to_owned(),
        "Everything shares the same processors: marketplace, database, and what is measured.".to_owned(),
    ]
}
