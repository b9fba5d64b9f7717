//! Tells the stories of many seeds, several at a time, and says what went wrong and what was covered.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use stallkeeper_simulation::{Backend, Coverage, Failure, run_seed, shrink};

#[derive(Parser)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// One seed alone, told in full.
    #[arg(long)]
    seed: Option<u64>,
    /// On what: sqlite or postgres.
    #[arg(long, default_value = "sqlite")]
    database: String,
    /// How many stories a failing one may take to be shortened.
    #[arg(long, default_value_t = 200)]
    shrink: usize,
    /// How often each thing has to happen in all stories together, or the run proves too little.
    #[arg(long, default_value_t = 20)]
    at_least: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("the simulation cannot run: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (from, seeds) = arguments.seed.map_or((arguments.from, arguments.seeds), |seed| (seed, 1));
    let next = Arc::new(AtomicU64::new(from));
    let until = from.saturating_add(seeds);
    let progress = bar(seeds);
    let begun = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let (next, progress) = (Arc::clone(&next), progress.clone());
            let (database, shrink) = (arguments.database.clone(), arguments.shrink);
            std::thread::spawn(move || tell_stories(&database, &next, until, shrink, &progress))
        })
        .collect();
    let mut coverage = Coverage::default();
    let mut failures = Vec::new();
    for worker in workers {
        let Ok(told) = worker.join() else { anyhow::bail!("a thread of stories broke off") };
        let (covered, failed) = told?;
        coverage.add(&covered);
        failures.extend(failed);
    }
    progress.finish_and_clear();
    println!("{}", coverage.table());
    let took = begun.elapsed().as_secs_f64();
    for failure in &failures {
        print_failure(failure, &arguments.database);
    }
    let missing = if arguments.seed.is_some() || !failures.is_empty() {
        Vec::new()
    } else {
        coverage.missing(arguments.at_least)
    };
    for what in &missing {
        println!("met fewer than {} times: {what}", arguments.at_least);
    }
    let told = next.load(Ordering::Relaxed).min(until) - from;
    println!("{told} stories on {} in {took:.0} s: {} went wrong", arguments.database, failures.len());
    Ok(if failures.is_empty() && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn bar(seeds: u64) -> ProgressBar {
    let bar = ProgressBar::new(seeds);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} stories, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// One thread's stories, until there are none left or one went wrong.
fn tell_stories(
    database: &str,
    next: &AtomicU64,
    until: u64,
    tries: usize,
    progress: &ProgressBar,
) -> Result<(Coverage, Option<Box<Failure>>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let backend = match database {
            "sqlite" => Backend::sqlite().await?,
            "postgres" => Backend::Postgres,
            other => anyhow::bail!("--database is {other}: give sqlite or postgres"),
        };
        let mut coverage = Coverage::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= until {
                return Ok((coverage, None));
            }
            match run_seed(seed, &backend).await {
                Ok(covered) => coverage.add(&covered),
                Err(failure) => {
                    // One that went wrong is enough to look at.
                    next.store(until, Ordering::Relaxed);
                    return Ok((coverage, Some(shrink(failure, &backend, tries).await)));
                }
            }
            progress.inc(1);
        }
    })
}

fn print_failure(failure: &Failure, database: &str) {
    println!("SEED {} WENT WRONG: {:#}", failure.seed, failure.error);
    println!("with {:#?}", failure.setting);
    println!("the story, shortened to {} steps:", failure.steps.len());
    for step in &failure.steps {
        println!("  {step:?}");
    }
    println!("again: cargo xtask simulate --database {database} --seed {}", failure.seed);
}
