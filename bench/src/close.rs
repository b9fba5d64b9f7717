//! A full hour closes: what that costs, and that it does not depend on the history behind it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use stallkeeper_ledger::{Hour, Record, RecordState};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_metering::{Closer, MeteringConfig, Next};
use stallkeeper_persistence::usage::Unsent;
use stallkeeper_persistence::{Store, Work};
use stallkeeper_runtime::{FakeClock, WallClock as _};
use tokio::time::Instant;

use crate::cli::CloseArgs;
use crate::final_hour::records;
use crate::memory::megabytes;
use crate::numbers::number;
use crate::opened::Opened;
use crate::process::own_resident_bytes;
use crate::report::{Goal, Report, Row};
use crate::seller::{self, Seller, parse};
use crate::server::Server;
use crate::stand::{Database, Stand};
use crate::versions;

/// An hour in the middle of a month and of a day, with a day of history before it.
const HOUR: &str = "2026-06-10T10:00:00Z";
/// How many subscriptions' history is written at once.
const PART: usize = 1_000;
const DATABASE: &str = "closing";

/// How the closing of one hour went.
#[derive(Clone, Copy, Debug)]
struct Closed {
    meters: usize,
    took: Duration,
    /// Rows of records that Postgres read for it.
    rows_read: Option<u64>,
    /// Megabytes at the start, in the middle and at the end.
    memory: [f64; 3],
    /// How long reading the first wave took afterwards.
    plan: Duration,
}

/// Measures, prints the table, and writes it as JSON where that is asked for.
pub(crate) async fn run(args: &CloseArgs) -> anyhow::Result<()> {
    let stand = Stand::open(&args.programs)?;
    let versions = versions::versions(&stand)?;
    let mut rows = Vec::new();
    for database in Database::ALL {
        let mut each = Vec::new();
        for hours in [0, args.history_hours] {
            eprintln!(
                "{} subscriptions with {hours} hours behind them on {}",
                args.subscriptions,
                database.name()
            );
            let closed = measure(&stand, database, args.subscriptions, hours).await?;
            rows.extend(of_run(&format!("{}, {hours} h of history", database.name()), &closed));
            each.push(closed);
        }
        if let [without, with] = each.as_slice() {
            let ratio = with.took.as_secs_f64() / without.took.as_secs_f64();
            rows.push(
                Row::new(format!("with history / without, {}", database.name()), ratio, "x")
                    .with_goal(Goal::AtMost(1.25)),
            );
        }
    }
    let report = Report { versions, notes: notes(args), rows };
    println!("{}", report.text());
    if let Some(path) = &args.json {
        report.write_json(path)?;
    }
    Ok(())
}

fn of_run(name: &str, closed: &Closed) -> Vec<Row> {
    let per_thousand = closed.took.as_secs_f64() * 1e6 / number(closed.meters as u64);
    let mut rows = vec![
        Row::new(format!("1,000 meters closed, {name}"), per_thousand, "ms"),
        Row::new(format!("first wave read, {name}"), closed.plan.as_secs_f64() * 1e3, "ms"),
    ];
    if let Some(read) = closed.rows_read {
        let per_record = number(read) / number(records(closed.meters as u64));
        rows.push(Row::new(format!("rows read for each record, {name}"), per_record, ""));
    }
    for (when, megabytes) in ["at the start", "in the middle", "at the end"].into_iter().zip(closed.memory) {
        rows.push(Row::new(format!("memory {when}, {name}"), megabytes, "MB"));
    }
    rows
}

async fn measure(
    stand: &Stand<'_>,
    database: Database,
    subscriptions: u64,
    hours: u32,
) -> anyhow::Result<Closed> {
    let url = stand.fresh(database, DATABASE)?;
    let opened = Opened::at(database, &url).await?;
    let (seller, hour): (_, Timestamp) = (Seller::new()?, parse(HOUR)?);
    let since = hour.minus(Duration::from_hours(48));
    seller.subscribe(&*opened.store, subscriptions, since, since).await?;
    let used_at = hour.plus(Duration::from_mins(5));
    seller.use_up(&*opened.store, subscriptions, used_at, used_at).await?;
    write_history(&*opened.store, subscriptions, hours).await?;
    if database == Database::Postgres {
        // As its own housekeeping does it within a minute or two.
        stand.server.analyze(DATABASE)?;
    }
    let closed = close(stand, database, &opened.store, &seller).await?;
    opened.close().await;
    ensure!(u64::try_from(closed.meters)? == subscriptions, "only {} meters were closed", closed.meters);
    Ok(closed)
}

/// Settled records of the hours before, like those of the hour that is open.
async fn write_history(store: &dyn Store, subscriptions: u64, hours: u32) -> anyhow::Result<()> {
    let keys = (0..subscriptions).map(seller::key).collect::<anyhow::Result<Vec<_>>>()?;
    for part in keys.chunks(PART) {
        let open = live(store, part).await?;
        for back in 1..=i64::from(hours) {
            let settled: Vec<Record> = open.iter().map(|record| settled(record, back)).collect();
            let mut transaction = store.begin(Work::Usage).await?;
            transaction.put_records(&settled, parse(HOUR)?).await?;
            transaction.commit().await?;
        }
    }
    Ok(())
}

async fn live(store: &dyn Store, keys: &[SubscriptionKey]) -> anyhow::Result<Vec<Record>> {
    let mut transaction = store.begin(Work::Usage).await?;
    Ok(transaction.live_records(keys).await?)
}

fn settled(open: &Record, hours_back: i64) -> Record {
    let mut record = open.clone();
    record.key.hour = Hour::new(open.key.hour.number() - hours_back);
    let at = record.key.hour.end();
    record.state = RecordState::Settled { at, record_id: format!("{hours_back:032}") };
    record.sending.attempts = vec![hours_back];
    record
}

async fn close(
    stand: &Stand<'_>,
    database: Database,
    store: &Arc<dyn Store>,
    seller: &Arc<Seller>,
) -> anyhow::Result<Closed> {
    let hour: Timestamp = parse(HOUR)?;
    let due = hour.plus(Duration::from_hours(2)).plus(Duration::from_secs(1));
    let clock = FakeClock::new(due.try_into()?);
    let closer =
        Closer::new(store.clone(), Arc::new(clock.clone()), seller.clone(), &[], MeteringConfig::default());
    let server = stand.server_of(database);
    let before = rows_read(server).await?;
    let (mut meters, mut seen, started) = (0, Vec::new(), Instant::now());
    loop {
        seen.push(own_resident_bytes()?);
        let stepped = closer.step().await?;
        meters += stepped.done;
        if stepped.next != Next::Now {
            break;
        }
    }
    let took = started.elapsed();
    seen.push(own_resident_bytes()?);
    let after = rows_read(server).await?;
    let at = |index: usize| seen.get(index).copied().map(megabytes).context("no step was taken");
    let memory = [at(0)?, at(seen.len() / 2)?, at(seen.len() - 1)?];
    let started = Instant::now();
    let query = Unsent {
        marketplaces: vec![seller.marketplace()],
        but: Vec::new(),
        now: clock.now().into(),
        limit: 500,
    };
    let planned = store.unsent(&query).await?.len();
    ensure!(planned == 500 || planned == meters * seller::DIMENSIONS.len(), "only {planned} are to be sent");
    let plan = started.elapsed();
    let rows_read = after.zip(before).map(|(after, before)| after.saturating_sub(before));
    Ok(Closed { meters, took, rows_read, memory, plan })
}

async fn rows_read(server: Option<&Server>) -> anyhow::Result<Option<u64>> {
    let Some(server) = server else { return Ok(None) };
    server.rows_read(DATABASE, "usage_records").await.map(Some)
}

fn notes(args: &CloseArgs) -> Vec<String> {
    vec![
        format!(
            "An hour of usage of {} subscriptions with 3 dimensions closes and is frozen by the closer as the \
             worker has it, at most 256 meters to a transaction; once without history, and once with {} hours \
             of settled records behind it.",
            args.subscriptions, args.history_hours
        ),
        "Memory is that of this process, which holds nothing else.".to_owned(),
        "fsync is on in Postgres with its default settings; SQLite has WAL and synchronous = FULL."
            .to_owned(),
    ]
}
