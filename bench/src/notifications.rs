use std::collections::BTreeMap;

use crate::cli::NotificationsArgs;
use crate::memory::{self, Memory};
use crate::node::{self, Form};
use crate::numbers::{harmonic_bound, median};
use crate::report::{Goal, Report, Row};
use crate::rows::Written;
use crate::run::Runs;
use crate::stand::{Database, Stand};
use crate::{drain, rows, start, versions, worker};

/// How often a worker is started to see how long that takes: it is short, so that one hiccup counts for much.
const STARTS: usize = 7;

/// All that belongs to one database.
#[derive(Debug, Default)]
struct Side {
    worker: Runs,
    rows: Runs,
    start_ms: Vec<f64>,
    memory: Option<Memory>,
}

/// All that was measured.
#[derive(Debug, Default)]
struct Measured {
    postgres: Side,
    sqlite: Side,
    drain: Runs,
    per_message: Runs,
    per_batch: Runs,
    versions: BTreeMap<String, String>,
}

impl Measured {
    fn side(&mut self, database: Database) -> &mut Side {
        match database {
            Database::Postgres => &mut self.postgres,
            Database::Sqlite => &mut self.sqlite,
        }
    }
}

/// Measures everything, prints the table, and writes it as JSON where that is asked for.
pub(crate) async fn run(args: &NotificationsArgs) -> anyhow::Result<()> {
    let stand = Stand::open(&args.programs)?;
    let mut measured = Measured { versions: versions::with_peers(&stand)?, ..Measured::default() };
    for round in 1..=args.rounds {
        eprintln!("round {round} of {}", args.rounds);
        measure_rates(&stand, args.notifications, &mut measured).await?;
    }
    for database in Database::ALL {
        eprintln!("start and memory on {}", database.name());
        for _ in 0..STARTS {
            let took = start::measure(&stand, database).await?;
            measured.side(database).start_ms.push(took.as_secs_f64() * 1e3);
        }
        let many = memory_notifications(args);
        measured.side(database).memory = Some(memory::measure(&stand, database, many).await?);
    }
    let report = report(args, &measured);
    println!("{}", report.text());
    if let Some(path) = &args.json {
        report.write_json(path)?;
    }
    Ok(())
}

/// One round: everything that is compared with each other is measured close together.
async fn measure_rates(stand: &Stand<'_>, notifications: u64, measured: &mut Measured) -> anyhow::Result<()> {
    for database in Database::ALL {
        let (run, url) = worker::measure(stand, database, notifications).await?;
        eprintln!("  worker on {}: {:.0} a second", database.name(), run.per_sec());
        let written = rows::measure(stand, database, &url, Written::Notifications, run.items)?;
        eprintln!("  rows on {}: {:.0} a second", database.name(), written.run.per_sec());
        measured.side(database).worker.push(run);
        measured.side(database).rows.push(written.run);
        measured.versions.extend(written.versions);
    }
    let run = drain::measure(stand, notifications).await?;
    eprintln!("  receive and delete: {:.0} a second", run.per_sec());
    measured.drain.push(run);
    let run = node::measure(stand, Form::PerMessage, notifications).await?;
    eprintln!("  Node per message: {:.0} a second", run.per_sec());
    measured.per_message.push(run);
    let run = node::measure(stand, Form::PerBatch, notifications).await?;
    eprintln!("  Node per batch: {:.0} a second", run.per_sec());
    measured.per_batch.push(run);
    Ok(())
}

fn memory_notifications(args: &NotificationsArgs) -> u64 {
    args.memory_notifications.unwrap_or(10 * args.notifications)
}

fn report(args: &NotificationsArgs, measured: &Measured) -> Report {
    let mut rows = rates(measured);
    for (database, side) in [(Database::Postgres, &measured.postgres), (Database::Sqlite, &measured.sqlite)] {
        rows.extend(bound(database, side, &measured.drain));
    }
    rows.extend(peers(measured));
    for (database, side) in [(Database::Postgres, &measured.postgres), (Database::Sqlite, &measured.sqlite)] {
        rows.extend(footprint(database, side));
    }
    Report { versions: measured.versions.clone(), notes: notes(args), rows }
}

fn rates(measured: &Measured) -> Vec<Row> {
    vec![
        measured.postgres.worker.row("worker on Postgres"),
        measured.sqlite.worker.row("worker on SQLite"),
        measured.drain.row("a: SDK receive and delete alone"),
        measured.postgres.rows.row("b: the same rows by script, Postgres"),
        measured.sqlite.rows.row("b: the same rows by script, SQLite"),
        measured.per_message.row("Node worker, per message"),
        measured.per_batch.row("Node worker, per batch of 10"),
    ]
}

fn bound(database: Database, side: &Side, drain: &Runs) -> [Row; 2] {
    let bound = harmonic_bound(drain.per_sec(), side.rows.per_sec());
    let name = database.name();
    [
        Row::new(format!("bound 1/(1/a + 1/b), {name}"), bound, "a second"),
        Row::new(format!("worker on {name} / bound"), side.worker.per_sec() / bound, "x")
            .with_goal(Goal::AtLeast(0.8)),
    ]
}

fn peers(measured: &Measured) -> [Row; 2] {
    let worker = measured.postgres.worker.per_sec();
    [
        Row::new("worker on Postgres / Node per message", worker / measured.per_message.per_sec(), "x")
            .with_goal(Goal::AtLeast(15.0)),
        Row::new("worker on Postgres / Node per batch of 10", worker / measured.per_batch.per_sec(), "x")
            .with_goal(Goal::AtLeast(5.0)),
    ]
}

fn footprint(database: Database, side: &Side) -> Vec<Row> {
    let name = database.name();
    let start = median(side.start_ms.iter().copied()).unwrap_or_default();
    let mut rows = vec![
        Row::new(format!("start to first poll, {name}"), start, "ms")
            .with_goal(Goal::AtMost(150.0))
            .with_rounds(side.start_ms.clone()),
    ];
    if let Some(memory) = &side.memory {
        let [quarter, half, all] = memory.passing;
        rows.push(Row::new(format!("memory idle, {name}"), memory.idle, "MB").with_goal(Goal::AtMost(25.0)));
        rows.push(Row::new(format!("memory after a quarter, {name}"), quarter, "MB"));
        rows.push(Row::new(format!("memory after a half, {name}"), half, "MB"));
        rows.push(Row::new(format!("memory after all, {name}"), all, "MB"));
        rows.push(Row::new(format!("growth from a quarter to all, {name}"), memory.growth(), "MB"));
    }
    rows
}

fn notes(args: &NotificationsArgs) -> Vec<String> {
    vec![
        format!(
            "Each rate: {} notifications from a queue filled before, from the start of the process to the last \
             deletion; the median of {} rounds, all in one run, taken in turn.",
            args.notifications, args.rounds
        ),
        format!("Memory: {} notifications pass.", memory_notifications(args)),
        "The worker keeps no subscription in memory: 0 bytes for each.".to_owned(),
        "The worker has its default settings, and signature.policy = \"enforce\" with certificates fetched and \
         their chain checked; the Node workers check no signature."
            .to_owned(),
        "fsync is on in Postgres with its default settings; SQLite has WAL and synchronous = FULL.".to_owned(),
        format!(
            "The Node worker runs {} consumers per message and {} per batch in one process; more made it no \
             faster.",
            Form::PerMessage.consumers(),
            Form::PerBatch.consumers()
        ),
        "Everything shares the same processors: simulator, database, and what is measured.".to_owned(),
    ]
}
