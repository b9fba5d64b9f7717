//! Usage events over HTTP until they are durable, beside the database taking the same rows from a script.

use std::collections::BTreeMap;
use std::time::Duration;

use stallkeeper_lifecycle::Timestamp;
use stallkeeper_runtime::{SystemClock, WallClock as _};

use crate::app::{self, CONNECTIONS, Reports};
use crate::cli::UsageArgs;
use crate::installation::Installation;
use crate::memory::megabytes;
use crate::numbers::median;
use crate::opened::Opened;
use crate::report::{Goal, Report, Row};
use crate::rows::{self, Written};
use crate::run::{Run, Runs};
use crate::seller::Seller;
use crate::server::Server;
use crate::stand::{Database, Stand};
use crate::versions;

/// How many events a request holds: the most that one takes, and a tenth of it.
const REQUESTS: [usize; 2] = [1_000, 100];
/// Since when buyers have been subscribed.
const SUBSCRIBED_FOR: Duration = Duration::from_hours(24);

/// What was measured on one database.
#[derive(Debug, Default)]
struct Side {
    /// By the size of a request.
    worker: BTreeMap<usize, Runs>,
    events: Runs,
    with_records: Runs,
    /// Megabytes at a quarter, a half and all.
    memory: [Vec<f64>; 3],
    turned_away: u64,
}

/// Measures everything, prints the table, and writes it as JSON where that is asked for.
pub(crate) async fn run(args: &UsageArgs) -> anyhow::Result<()> {
    let stand = Stand::open(&args.programs)?;
    let mut versions = versions::versions(&stand)?;
    let mut sides = Database::ALL.map(|database| (database, Side::default()));
    for round in 1..=args.rounds {
        eprintln!("round {round} of {}", args.rounds);
        for (database, side) in &mut sides {
            versions.extend(measure(&stand, args, *database, side).await?);
        }
    }
    let report = report(args, versions, &sides);
    println!("{}", report.text());
    if let Some(path) = &args.json {
        report.write_json(path)?;
    }
    Ok(())
}

/// One round on one database: everything that is compared with each other is measured close together.
async fn measure(
    stand: &Stand<'_>,
    args: &UsageArgs,
    database: Database,
    side: &mut Side,
) -> anyhow::Result<BTreeMap<String, String>> {
    let name = database.name();
    let mut source = String::new();
    for size in REQUESTS {
        let (run, url) = worker(stand, args, database, size, side).await?;
        eprintln!("  worker on {name}, {size} a request: {:.0} a second", run.per_sec());
        side.worker.entry(size).or_default().push(run);
        source = url;
    }
    let events = rows::measure(stand, database, &source, Written::Events, args.events)?;
    eprintln!("  rows on {name}: {:.0} a second", events.run.per_sec());
    let all = rows::measure(stand, database, &source, Written::EventsAndRecords, args.events)?;
    eprintln!("  rows with records on {name}: {:.0} a second", all.run.per_sec());
    side.events.push(events.run);
    side.with_records.push(all.run);
    Ok(events.versions)
}

/// Lets a worker take usage in on a fresh database; gives the database's URL, too.
async fn worker(
    stand: &Stand<'_>,
    args: &UsageArgs,
    database: Database,
    of_request: usize,
    side: &mut Side,
) -> anyhow::Result<(Run, String)> {
    let url = stand.fresh(database, "worker")?;
    let installation = Installation::of_seller(stand.binary(), &url)?;
    let now = Timestamp::from(SystemClock.now());
    let opened = Opened::at(database, &url).await?;
    Seller::new()?.subscribe(&*opened.store, args.tenants, now.minus(SUBSCRIBED_FOR), now).await?;
    opened.close().await;
    let reports = Reports::of(args.events, args.tenants, of_request, now)?;
    stand.server.settle()?;
    let (mut process, address) = installation.start_role("web")?;
    app::wait_for(&mut process, &address).await?;
    let server = stand.server_of(database);
    let (before, server_before) = (process.cpu()?, server.map(Server::cpu).transpose()?);
    let reported = app::report(&process, &address, reports).await?;
    let (after, server_after) = (process.cpu()?, server.map(Server::cpu).transpose()?);
    process.stop().await?;
    let run = Run {
        items: args.events,
        took: reported.took,
        cpu: after.saturating_sub(before),
        server_cpu: server_after.zip(server_before).map(|(after, before)| after.saturating_sub(before)),
    };
    for (all, bytes) in side.memory.iter_mut().zip(reported.resident) {
        all.push(megabytes(bytes));
    }
    side.turned_away += reported.turned_away;
    Ok((run, url))
}

fn report(args: &UsageArgs, versions: BTreeMap<String, String>, sides: &[(Database, Side)]) -> Report {
    let mut rows: Vec<Row> = Vec::new();
    for (database, side) in sides {
        rows.extend(of_side(*database, side));
    }
    Report { versions, notes: notes(args, sides), rows }
}

fn of_side(database: Database, side: &Side) -> Vec<Row> {
    let name = database.name();
    let mut rows: Vec<Row> = Vec::new();
    for (size, runs) in side.worker.iter().rev() {
        rows.push(runs.row(&format!("worker on {name}, {size} a request")));
    }
    rows.push(side.events.row(&format!("a: the same events by script, {name}")));
    rows.push(side.with_records.row(&format!("b: the same with records and meters, {name}")));
    for (size, runs) in side.worker.iter().rev() {
        let whole = |limit: &Runs| runs.per_sec() / limit.per_sec();
        let ratio = Row::new(format!("{name}, {size} a request / a"), whole(&side.events), "x");
        // What is asked for is of Postgres, and of requests that are worth it.
        let is_asked_for = database == Database::Postgres && *size == REQUESTS[0];
        rows.push(if is_asked_for { ratio.with_goal(Goal::AtLeast(0.6)) } else { ratio });
        rows.push(Row::new(format!("{name}, {size} a request / b"), whole(&side.with_records), "x"));
    }
    for (part, seen) in ["a quarter", "a half", "all"].into_iter().zip(&side.memory) {
        let median = median(seen.iter().copied()).unwrap_or_default();
        rows.push(Row::new(format!("memory after {part}, {name}"), median, "MB"));
    }
    rows
}

fn notes(args: &UsageArgs, sides: &[(Database, Side)]) -> Vec<String> {
    let turned_away: u64 = sides.iter().map(|(_, side)| side.turned_away).sum();
    vec![
        format!(
            "Each rate: {} events of {} tenants and 3 dimensions, drawn at random; the median of {} rounds, \
             all in one run, taken in turn.",
            args.events, args.tenants, args.rounds
        ),
        format!(
            "The worker, in role web, answers once an event is durable; {CONNECTIONS} connections that are \
             kept open, from the first request to the last answer; {turned_away} requests were turned away \
             and sent again."
        ),
        "a: its rows of usage_events by multi-row inserts, 1,000 to a transaction, with the same indexes."
            .to_owned(),
        "b: the same, and in each transaction the records and meters that its events change, as the worker \
         has to write them."
            .to_owned(),
        "fsync is on in Postgres with its default settings; SQLite has WAL and synchronous = FULL."
            .to_owned(),
        "Everything shares the same processors: app, database, and what is measured.".to_owned(),
    ]
}
