//! `stallkeeper demo`

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use anyhow::bail;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use crate::config::LogConfig;
use crate::demo::{
    Account, Afterwards, Crowd, Judgement, Mismatch, Stage, Summary, Timeline, Usage, expected, key,
    play_crowd, play_story, said, wind_down,
};
use crate::logs;
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
    /// The seed of the crowd's acts, of ids and of what befalls notifications.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// An empty database to use, such as postgres://…, in place of an SQLite file that is thrown away.
    #[arg(long, value_name = "URL")]
    database: Option<SecretString>,
    /// Keep the marketplace and the worker running afterwards, to be played with.
    #[arg(long)]
    serve: bool,
}

/// Plays the demonstration; succeeds only if the worker was never wrong and nothing was lost.
///
/// # Errors
/// When a part fails, or the worker is wrong, with the subscriptions on which it is.
pub async fn run(args: DemoArgs, out: &mut impl Write) -> anyhow::Result<()> {
    logs::init(&LogConfig { format: None, filter: log_filter() })?;
    let crowd = if args.notifications > 0 { Crowd::Comes } else { Crowd::StaysAway };
    let afterwards = if args.serve { Afterwards::StaysOpen } else { Afterwards::Closes };
    let stage = Stage::open(args.seed, args.database.clone(), crowd, afterwards).await?;
    let played = play(&stage, &args, out).await;
    // Stopped whatever came of it; a worker that broke is the better explanation.
    stage.close().await?;
    verdict(&played?)
}

/// The demonstration meets errors on purpose, whose warnings are of no interest until something is wrong.
fn log_filter() -> String {
    std::env::var("STALLKEEPER_LOG_FILTER").unwrap_or_else(|_| "error".to_owned())
}

/// What the worker was wrong about, at any time, and what else is not as it must be.
struct Played {
    mismatches: Vec<Mismatch>,
    problems: Vec<String>,
}

async fn play(stage: &Stage, args: &DemoArgs, out: &mut impl Write) -> anyhow::Result<Played> {
    let started = Instant::now();
    let mut timeline = if args.json { Timeline::hidden() } else { Timeline::shown(out) };
    timeline.say(&format!(
        "A marketplace is open at {}, and a worker listens to it on {}.\n\
         Every third notification comes twice, and some overtake others.\n",
        stage.simulator().url(),
        stage.database(),
    ))?;
    let mut mismatches = play_story(stage, &mut timeline).await?;
    let published = stage.simulator().market().published();
    if args.notifications > published {
        timeline.say(&format!(
            "\nA crowd of buyers acts at random for three days of the marketplace's time; copies, delays, lost \
             last words, failed, refused and unanswered calls (seed {}).",
            args.seed
        ))?;
        let progress = !args.json && io::stderr().is_terminal();
        play_crowd(stage, args.notifications - published, args.seed, progress).await?;
    }
    let usage_books = wind_down(stage).await?;
    let judgement = stage.judge().await?;
    mismatches.extend(judgement.mismatches.iter().cloned());
    mismatches.sort();
    mismatches.dedup();
    let mut problems = problems(&judgement, args.notifications);
    problems.extend(usage_books.problems());
    let summary = Summary {
        notifications: judgement.notifications,
        subscriptions: by_word(&judgement),
        usage: usage_books.usage(),
        mismatches: mismatches.len(),
        mismatched: mismatches.iter().take(NAMED_MAX).cloned().collect(),
        problems: problems.clone(),
        seed: args.seed,
        seconds: started.elapsed().as_secs_f64(),
        url: args.serve.then(|| stage.simulator().url().to_owned()),
    };
    if args.json {
        print_json(out, &summary)?;
    } else {
        tell(&judgement, &summary, out)?;
    }
    if args.serve {
        serve(stage, args, out).await?;
    }
    Ok(Played { mismatches, problems })
}

fn problems(judgement: &Judgement, wanted: u64) -> Vec<String> {
    let mut problems = judgement.notifications.problems();
    let published = judgement.notifications.published;
    if u64::try_from(published).is_ok_and(|published| published < wanted) {
        problems.push(format!("the crowd came to an early end, after {published} notifications"));
    }
    problems
}

fn by_word(judgement: &Judgement) -> BTreeMap<&'static str, u64> {
    let mut words = BTreeMap::new();
    for view in judgement.views.values() {
        *words.entry(view.word.as_str()).or_default() += 1;
    }
    words
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
    writeln!(out)?;
    print(out, &usage(&summary.usage))?;
    let counted = summary.notifications;
    writeln!(
        out,
        "\n{} notifications were delivered: {} applied, {} came again, {} told nothing new, {} were put aside.",
        counted.delivered, counted.applied, counted.duplicate, counted.stale, counted.quarantined
    )?;
    if summary.mismatches == 0 && summary.problems.is_empty() {
        writeln!(
            out,
            "All {} subscriptions are what the marketplace's books say, every unit used is on its bill once, and \
             what is lost was planted ({:.1} s).",
            judgement.books.len(),
            summary.seconds
        )?;
    }
    for mismatch in &summary.mismatched {
        writeln!(out, "✗ {}", in_words(mismatch))?;
    }
    summary.problems.iter().try_for_each(|problem| writeln!(out, "✗ {problem}"))?;
    out.flush()?;
    Ok(())
}

fn subscriptions(judgement: &Judgement) -> comfy_table::Table {
    let titles = ["subscription", "buyer", "tenant", "the books say", "the worker says", "access"];
    let mut table = Screen::detect().table(&titles);
    for entry in &judgement.books {
        let key = key(entry);
        let books = expected(Some(entry), judgement.registrations.get(&key));
        let worker = said(judgement.views.get(&key));
        let word = |account: &Account| account.word.unwrap_or("nothing").to_owned();
        let tenant = worker.tenant.clone().unwrap_or_default();
        let row = [word(&books), word(&worker), worker.access.to_owned()];
        table.add_row([key, entry.buyer.clone(), tenant].into_iter().chain(row));
    }
    table
}

/// What became of usage, by buyer and dimension, and in all.
fn usage(usage: &Usage) -> comfy_table::Table {
    let titles = ["buyer", "dimension", "used", "billed", "pending", "lost", "why"];
    let mut table = Screen::detect().table(&titles);
    let left_out = usage.buyers.len().saturating_sub(ROWS_MAX);
    for row in usage.buyers.iter().take(ROWS_MAX) {
        let why: Vec<&str> = row.why.iter().map(String::as_str).collect();
        let counts = [row.recorded, row.billed, row.pending, row.lost].map(|units| units.to_string());
        let row = [row.buyer.clone(), row.dimension.clone()].into_iter().chain(counts);
        table.add_row(row.chain([why.join(", ")]));
    }
    let more = if left_out > 0 { format!("all, also {left_out} more rows") } else { "all".to_owned() };
    let counts = [usage.recorded, usage.billed, usage.pending, usage.lost].map(|units| units.to_string());
    table.add_row([more, String::new()].into_iter().chain(counts));
    table
}

async fn serve(stage: &Stage, args: &DemoArgs, out: &mut impl Write) -> anyhow::Result<()> {
    if !args.json {
        let config = stage.folder().join("stallkeeper.toml");
        let (market, worker) = (stage.simulator().url(), stage.app().url());
        writeln!(out, "\nAll of it stays open until Ctrl-C:\n")?;
        writeln!(out, "  shop     {market}/shop     play the buyer, move the clock")?;
        writeln!(out, "  control  {market}/control/  the same for scripts")?;
        if let Some(served) = stage.served() {
            let token = served.operator_token.expose_secret();
            writeln!(out, "  console  {worker}console  sign in with {token}")?;
            writeln!(out, "  buyers   {}  where the shop sends them", served.public_url())?;
        }
        writeln!(out, "  API      {worker}v1/  with the token {}\n", stage.app().token().expose_secret())?;
        writeln!(
            out,
            "See what the worker has: stallkeeper --config {} subscriptions list",
            config.display()
        )?;
        if args.database.is_some() {
            writeln!(out, "with STALLKEEPER_DATABASE_URL set to the database that you gave.")?;
        }
    }
    out.flush()?;
    stage.interrupted().await;
    Ok(())
}

fn verdict(played: &Played) -> anyhow::Result<()> {
    let Played { mismatches, problems } = played;
    if mismatches.is_empty() && problems.is_empty() {
        return Ok(());
    }
    let more = mismatches.len().saturating_sub(NAMED_MAX);
    let named = mismatches.iter().take(NAMED_MAX).map(in_words);
    let lines: Vec<String> =
        named.chain((more > 0).then(|| format!("and {more} more"))).chain(problems.iter().cloned()).collect();
    bail!(
        "the worker was wrong {} times:
  {}",
        mismatches.len().saturating_add(problems.len()),
        lines.join(
            "
  "
        )
    )
}

fn in_words(mismatch: &Mismatch) -> String {
    let Mismatch { subscription, books, worker } = mismatch;
    format!("{subscription}: the books say {books}, the worker says {worker}")
}
