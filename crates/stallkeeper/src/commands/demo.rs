//! `stallkeeper demo`

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use anyhow::bail;
use clap::Args;
use secrecy::SecretString;

use crate::demo::{Judgement, Mismatch, Stage, Summary, Timeline, play_crowd, play_story, rows};
use crate::table::{Screen, print, print_json};

/// Above that, a table of all subscriptions is no help.
const ROWS_MAX: usize = 20;
/// How many mismatches are named.
const NAMED_MAX: usize = 10;

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Print one summary in JSON, and nothing else.
    #[arg(long)]
    json: bool,
    /// Let a crowd of buyers act besides, until so many notifications are published.
    #[arg(long, value_name = "COUNT", default_value_t = 0, hide_default_value = true)]
    notifications: u64,
    /// The seed of all chance: of the crowd's acts, of ids and of faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// An empty database to use, such as postgres://…, in place of an SQLite file that is thrown away.
    #[arg(long, value_name = "URL")]
    database: Option<SecretString>,
    /// Keep the marketplace and the worker running afterwards, to be played with.
    #[arg(long)]
    serve: bool,
}

/// Plays the demonstration; succeeds only if the worker's views are what the marketplace's books say.
///
/// # Errors
/// When a part fails, or the worker is wrong, with the subscriptions on which it is.
pub async fn run(args: DemoArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let started = Instant::now();
    let stage = Stage::open(args.seed, args.database.clone()).await?;
    let mut timeline = if args.json { Timeline::hidden() } else { Timeline::shown(out) };
    timeline.say(&format!(
        "A marketplace is open at {}, and a worker listens to it on {}.\n\
         Every third notification comes twice, every third is overtaken by others.\n",
        stage.simulator().url(),
        stage.database(),
    ))?;
    play_story(&stage, &mut timeline).await?;
    let published = stage.simulator().market().published();
    if args.notifications > published {
        timeline.say(&format!(
            "\nA crowd of buyers acts at random for three days of the marketplace's time; copies, delays, lost last \
             words, failed, refused and unanswered calls (seed {}).",
            args.seed
        ))?;
        let progress = !args.json && io::stderr().is_terminal();
        play_crowd(&stage, args.notifications - published, args.seed, progress).await?;
    }
    let judgement = stage.judge().await?;
    let summary = summarize(&stage, &judgement, args.seed, started);
    if args.json {
        print_json(out, &summary)?;
    } else {
        tell(&judgement, &summary, out)?;
    }
    out.flush()?;
    if args.serve {
        serve(&stage, args.json, out).await?;
    }
    stage.close().await?;
    verdict(&judgement.mismatches)
}

fn summarize(stage: &Stage, judgement: &Judgement, seed: u64, started: Instant) -> Summary {
    let mut subscriptions = BTreeMap::new();
    for view in judgement.views.values() {
        *subscriptions.entry(view.word.as_str()).or_default() += 1;
    }
    Summary {
        notifications: stage.notifications(),
        subscriptions,
        mismatches: judgement.mismatches.len(),
        mismatched: judgement.mismatches.iter().take(NAMED_MAX).cloned().collect(),
        seed,
        seconds: started.elapsed().as_secs_f64(),
    }
}

fn tell(judgement: &Judgement, summary: &Summary, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out)?;
    if judgement.books.len() <= ROWS_MAX {
        print(out, &subscriptions(judgement))?;
    } else {
        let mut table = Screen::detect().table(&["the worker says", "subscriptions"]);
        for (word, count) in &summary.subscriptions {
            table.add_row([(*word).to_owned(), count.to_string()]);
        }
        print(out, &table)?;
    }
    let counted = summary.notifications;
    writeln!(
        out,
        "\n{} notifications were delivered: {} applied, {} came again, {} told nothing new, {} were put aside.",
        counted.delivered, counted.applied, counted.duplicate, counted.stale, counted.quarantined
    )?;
    match judgement.mismatches.len() {
        0 => writeln!(
            out,
            "All {} subscriptions are what the marketplace's books say ({:.1} s).",
            judgement.books.len(),
            summary.seconds
        )?,
        count => writeln!(out, "{count} of {} subscriptions are wrong.", judgement.books.len())?,
    }
    Ok(())
}

fn subscriptions(judgement: &Judgement) -> comfy_table::Table {
    let mut table = Screen::detect().table(&[
        "subscription",
        "buyer",
        "tenant",
        "the books say",
        "the worker says",
        "access",
    ]);
    for row in rows(&judgement.books, &judgement.views) {
        table.add_row([row.key, row.buyer, row.tenant, row.books, row.worker, row.access]);
    }
    table
}

async fn serve(stage: &Stage, quiet: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if !quiet {
        writeln!(
            out,
            "\nThe marketplace stays open at {}/control/ until Ctrl-C; the worker's configuration is {}.",
            stage.simulator().url(),
            stage.folder().join("stallkeeper.toml").display()
        )?;
        out.flush()?;
    }
    stage.interrupted().await;
    Ok(())
}

fn verdict(mismatches: &[Mismatch]) -> anyhow::Result<()> {
    if mismatches.is_empty() {
        return Ok(());
    }
    let name = |mismatch: &Mismatch| {
        let Mismatch { subscription, books, worker } = mismatch;
        format!("\n  {subscription}: the books say {books}, the worker says {worker}")
    };
    let named: String = mismatches.iter().take(NAMED_MAX).map(name).collect();
    let more = match mismatches.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    bail!("the worker is wrong about {} subscriptions:{named}{more}", mismatches.len())
}
