use std::io::Write;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{JobKind, JobPosition, JobRecord, JobState, PAGE_MAX, Page, Store, StoreError};

use super::history::{History, HistoryLine};
use super::line::{PeriodLine, SubscriptionLine};
use crate::commands::jobs::{JobLine, kind_and_target, plan};
use crate::config::Config;
use crate::table::{Rfc3339, Screen, print, print_json, safe, when};

/// Arguments of `subscriptions show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The subscription, as `marketplace/product/kind/id`.
    key: SubscriptionKey,
    /// How many of the newest lines of history to show.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    lines: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The whole story; the JSON of `subscriptions show`.
#[derive(Debug, Serialize)]
struct Story {
    /// How it looks now.
    #[serde(flatten)]
    subscription: SubscriptionLine,
    /// What happened, oldest first.
    history: Vec<HistoryLine>,
    /// How many older lines are not among them.
    history_earlier: usize,
    /// What is still to be done.
    jobs: Vec<JobLine>,
}

pub(super) async fn run(
    args: &ShowArgs,
    config: &Config,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let key = &args.key;
    let Some(record) = store.subscription(key).await? else {
        bail!("there is no subscription {key}; see `stallkeeper subscriptions list`");
    };
    let line = SubscriptionLine::of(&record, config, now);
    let history = History::read(store, key, usize::try_from(args.lines)?).await?;
    let jobs = jobs_of(store, key).await.context("its jobs cannot be read")?;
    if args.json {
        let History { lines, earlier } = history;
        let jobs = jobs.iter().map(JobLine::of).collect();
        print_json(out, &Story { subscription: line, history: lines, history_earlier: earlier, jobs })?;
        return Ok(());
    }
    let screen = Screen::detect();
    writeln!(out, "{}\n\n{}", safe(&line.key), screen.facts(&facts(&line, config, now)))?;
    if history.earlier > 0 {
        writeln!(out, "{} earlier lines are not shown; see --lines", history.earlier)?;
    }
    print(out, &history.table(screen))?;
    print_jobs(&jobs, screen, now, out)
}

/// A subscription has few jobs; they are looked for just behind its neighbour's key.
pub(crate) async fn jobs_of(store: &dyn Store, key: &SubscriptionKey) -> Result<Vec<JobRecord>, StoreError> {
    let mut found = Vec::new();
    for state in JobState::ALL {
        let mut page = Page { after: just_before(key), limit: PAGE_MAX };
        loop {
            let records = store.jobs(state, &page).await?;
            let Some(last) = records.last() else { break };
            page.after = Some(last.position());
            let is_past = last.job.key.to_string() > key.to_string();
            found.extend(records.into_iter().filter(|record| record.job.key == *key));
            if is_past {
                break;
            }
        }
    }
    Ok(found)
}

/// A position before a subscription's jobs: its key without the last character.
fn just_before(key: &SubscriptionKey) -> Option<JobPosition> {
    let text = key.to_string();
    let (cut, _) = text.char_indices().next_back()?;
    let before = text.get(..cut)?.parse().ok()?;
    Some(JobPosition { key: before, kind: JobKind::Wake, target: String::new() })
}

fn facts(line: &SubscriptionLine, config: &Config, now: Timestamp) -> Vec<(&'static str, Option<String>)> {
    let at = |time: Option<Rfc3339>| time.map(|time| when(time.0, now));
    let period = line.period.as_ref();
    vec![
        ("word", Some(word(line, now))),
        ("access", Some(line.access_in_words())),
        ("product", Some(product(line, config))),
        ("tenant", Some(tenant(line))),
        ("period", period.map(|period| period_in_words(period, now))),
        ("offer", period.and_then(|period| period.offer.as_deref()).map(safe)),
        ("trial", period.map(|period| period.trial.to_owned())),
        ("plan", period.and_then(|period| period.plan.as_deref()).map(safe)),
        ("expires", period.and_then(|period| at(period.expires_at))),
        (
            "deadline",
            line.deadline.map(|time| format!("{}: final usage is accepted until then", when(time.0, now))),
        ),
        ("attempts until", at(line.attempts_until)),
        (
            "advisory",
            at(line.advisory_since).map(|since| format!("since {since}: AWS warns about this buyer")),
        ),
        ("agreement", line.agreement.as_deref().map(safe)),
        ("changed", at(Some(line.updated_at))),
    ]
}

fn word(line: &SubscriptionLine, now: Timestamp) -> String {
    let end = match line.end {
        Some("lapsed") => ": the final-usage window passed",
        Some("final") => ": for good",
        _ => "",
    };
    match line.since {
        Some(since) => format!("{} since {}{end}", line.word, when(since.0, now)),
        None => line.word.to_owned(),
    }
}

fn product(line: &SubscriptionLine, config: &Config) -> String {
    let named = config.products.iter().find(|product| Some(product.key.as_str()) == line.product.as_deref());
    match named {
        Some(product) => safe(&format!("{} ({})", product.key, product.name)),
        None => "no configured listing has this product code".to_owned(),
    }
}

fn tenant(line: &SubscriptionLine) -> String {
    match (&line.tenant, &line.user) {
        (None, _) => "none; see `stallkeeper subscriptions rebind`".to_owned(),
        (Some(tenant), None) => safe(tenant),
        (Some(tenant), Some(user)) => safe(&format!("{tenant}, user {user}")),
    }
}

fn period_in_words(period: &PeriodLine, now: Timestamp) -> String {
    let began = match period.started_at {
        Some(started_at) => format!("since {}", when(started_at.0, now)),
        None => "its beginning was never heard of".to_owned(),
    };
    let resumed = if period.entry == "resumed" { ", inside the window of the one before" } else { "" };
    format!("{}, {began}{resumed}", period.number)
}

fn print_jobs(
    jobs: &[JobRecord],
    screen: Screen,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut table = screen.table(&["job", "state", "when", "last error"]);
    for job in jobs {
        let error = job.last_error.as_deref().map(safe).unwrap_or_default();
        table.add_row([kind_and_target(job), job.state.to_string(), plan(job, now), error]);
    }
    Ok(print(out, &table)?)
}
