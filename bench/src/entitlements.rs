//! Who may use what, asked over HTTP, beside an axum route that returns the same answer as a constant.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use axum::http::header;
use axum::routing::get;
use clap::Args;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_runtime::{SystemClock, WallClock as _};
use xtask::postgres::free_port;

use crate::app;
use crate::cli::EntitlementsArgs;
use crate::installation::Installation;
use crate::memory::megabytes;
use crate::numbers::{median, number};
use crate::opened::Opened;
use crate::process::{Process, capture, tied};
use crate::report::{Goal, Report, Row};
use crate::seller::{PRODUCT, Seller, TOKEN};
use crate::stand::{Database, Stand};
use crate::versions;

/// How many connections ask at once, from how many threads.
const CONNECTIONS: u32 = 32;
const THREADS: u32 = 1;
/// How long reading all subscriptions may take.
const LOAD: Duration = Duration::from_mins(10);
const PROBE_EVERY: Duration = Duration::from_millis(100);
const SUBSCRIBED_FOR: Duration = Duration::from_hours(24);

/// Where the constant is served, and what it is.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConstantArgs {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    body: PathBuf,
}

/// Serves the constant until it is ended: the limit.
pub(crate) fn serve_constant(args: &ConstantArgs) -> anyhow::Result<()> {
    let body: &'static str = fs::read_to_string(&args.body)?.leak();
    let answer = move || async move { ([(header::CONTENT_TYPE, "application/json")], body) };
    let routes = Router::new().route("/v1/entitlements", get(answer));
    // As many threads as the worker has.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen).await?;
        axum::serve(listener, routes).await?;
        Ok(())
    })
}

/// Measures both in turn, prints the table, and writes it as JSON where that is asked for.
pub(crate) async fn run(args: &EntitlementsArgs) -> anyhow::Result<()> {
    let stand = Stand::open(&args.programs)?;
    let versions = versions::versions(&stand)?;
    let empty = started(&stand, "empty", 0).await?;
    let resident_empty = empty.process.resident_bytes()?;
    empty.process.stop().await?;

    let worker = started(&stand, "loaded", args.subscriptions).await?;
    let resident = worker.process.resident_bytes()?;
    let held = metric(&worker.url, "stallkeeper_entitlements_bytes").await?;
    let body = stand.folder().join("answer.json");
    fs::write(&body, ask(&worker.url).await?.context("the worker does not answer any more")?)?;
    let script = stand.folder().join("ask.lua");
    fs::write(&script, lua(args.subscriptions))?;
    let (constant, constant_url) = constant(&stand, &body).await?;
    let (mut answers, mut constants) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        eprintln!("round {round} of {}", args.rounds);
        constants.push(wrk(&constant_url, &script, args.secs)?);
        answers.push(wrk(&worker.url, &script, args.secs)?);
    }
    constant.stop().await?;
    worker.process.stop().await?;

    let report = Report {
        versions,
        notes: notes(args),
        rows: rows(
            &answers,
            &constants,
            &Memory {
                subscriptions: args.subscriptions,
                held,
                resident: resident.saturating_sub(resident_empty),
                loaded_in: worker.loaded_in,
            },
        ),
    };
    println!("{}", report.text());
    if let Some(path) = &args.json {
        report.write_json(path)?;
    }
    Ok(())
}

struct Memory {
    subscriptions: u64,
    /// By the worker's own count, in bytes.
    held: f64,
    /// More than without any, in bytes.
    resident: u64,
    loaded_in: Duration,
}

struct Worker {
    process: Process,
    url: String,
    loaded_in: Duration,
}

/// A worker in role `web` over so many subscriptions, which has read them all.
async fn started(stand: &Stand<'_>, name: &str, subscriptions: u64) -> anyhow::Result<Worker> {
    let url = stand.fresh(Database::Sqlite, name)?;
    let installation = Installation::of_seller(stand.binary(), &url)?;
    let now = Timestamp::from(SystemClock.now());
    let opened = Opened::at(Database::Sqlite, &url).await?;
    Seller::new()?.subscribe(&*opened.store, subscriptions, now.minus(SUBSCRIBED_FOR), now).await?;
    opened.close().await;
    let (mut process, url) = installation.start_role("web")?;
    // It is ready only once it has read them.
    let began = tokio::time::Instant::now();
    app::wait_for(&mut process, &url).await?;
    while ask(&url).await?.is_none() {
        process.ensure_running()?;
        ensure!(began.elapsed() < LOAD, "the worker has not read its subscriptions within {LOAD:?}");
        tokio::time::sleep(PROBE_EVERY).await;
    }
    Ok(Worker { process, url, loaded_in: began.elapsed() })
}

/// What the first tenant may do; nothing while the worker cannot tell.
async fn ask(url: &str) -> anyhow::Result<Option<String>> {
    let first = crate::seller::tenant(0);
    let path = format!("{url}/v1/entitlements?tenant={first}&product={PRODUCT}");
    let answer = reqwest::Client::new().get(path).bearer_auth(TOKEN).send().await?;
    Ok(if answer.status().is_success() { Some(answer.text().await?) } else { None })
}

async fn metric(url: &str, name: &str) -> anyhow::Result<f64> {
    let text = reqwest::get(format!("{url}/metrics")).await?.text().await?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.with_context(|| format!("the worker has no metric {name}"))
}

async fn constant(stand: &Stand<'_>, body: &std::path::Path) -> anyhow::Result<(Process, String)> {
    let listen = format!("127.0.0.1:{}", free_port()?);
    let mut command = tied(&std::env::current_exe()?);
    command.args(["constant", "--listen", &listen, "--body"]).arg(body);
    let mut process = Process::spawn(&mut command, &stand.folder().join("constant.log"))?;
    while tokio::net::TcpStream::connect(&listen).await.is_err() {
        process.ensure_running()?;
        tokio::time::sleep(PROBE_EVERY).await;
    }
    Ok((process, format!("http://{listen}")))
}

/// Asks about tenants in no order, the same in every run.
fn lua(subscriptions: u64) -> String {
    let tenants = crate::seller::tenant(0);
    let (name, last) = (tenants.trim_end_matches('0'), subscriptions.saturating_sub(1));
    format!(
        "math.randomseed(7)\nlocal headers = {{ authorization = \"Bearer {TOKEN}\" }}\n\
         request = function()\n  local path = \"/v1/entitlements?product={PRODUCT}&tenant={name}\"\n  \
         return wrk.format(\"GET\", path .. math.random(0, {last}), headers)\nend\n"
    )
}

/// Answers a second.
fn wrk(url: &str, script: &std::path::Path, secs: u32) -> anyhow::Result<f64> {
    let mut command = Command::new("wrk");
    command.args([
        "-t",
        &THREADS.to_string(),
        "-c",
        &CONNECTIONS.to_string(),
        "-d",
        &format!("{secs}s"),
        "-s",
    ]);
    let text = capture(command.arg(script).arg(url))?;
    ensure!(!text.contains("Non-2xx"), "some answers were errors:\n{text}");
    ensure!(!text.contains("Socket errors"), "some connections broke:\n{text}");
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok());
    rate.with_context(|| format!("wrk names no rate:\n{text}"))
}

fn rows(answers: &[f64], constants: &[f64], memory: &Memory) -> Vec<Row> {
    let middle = |rates: &[f64]| median(rates.iter().copied()).unwrap_or_default();
    let each = number(memory.subscriptions.max(1));
    vec![
        Row::new("an entitlement", middle(answers), "a second").with_rounds(answers.to_vec()),
        Row::new("a: a constant of the same size, by axum", middle(constants), "a second")
            .with_rounds(constants.to_vec()),
        Row::new("an entitlement / a", middle(answers) / middle(constants), "x")
            .with_goal(Goal::AtLeast(0.8)),
        Row::new("memory a subscription, by the worker's count", memory.held / each, "bytes"),
        Row::new("memory a subscription, resident", number(memory.resident) / each, "bytes"),
        Row::new("memory, more than without any", megabytes(memory.resident), "MB"),
        Row::new("from the start of the process until all are read", memory.loaded_in.as_secs_f64(), "s"),
    ]
}

fn notes(args: &EntitlementsArgs) -> Vec<String> {
    vec![
        format!(
            "{} subscriptions of as many tenants, asked for at random by wrk with {THREADS} thread and \
             {CONNECTIONS} connections for {} s; the median of {} rounds, taken in turn in one run.",
            args.subscriptions, args.secs, args.rounds
        ),
        "The worker, in role web on SQLite, checks the token, looks the answer up and makes its tag."
            .to_owned(),
        "Everything shares the same processors: wrk, and what is measured.".to_owned(),
    ]
}
