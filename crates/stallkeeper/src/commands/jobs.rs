//! `stallkeeper jobs`

use std::io::Write;
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Serialize;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{JobKind, JobPosition, JobRecord, JobState, PAGE_MAX, Page, Store};

use super::act::ByArgs;
use crate::acts::{self, RetryError};
use crate::table::{Rfc3339, Screen, print, print_json, safe, when};

/// What can be done with stored work.
#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// List stored work: given up, due, or parked because no endpoint is configured.
    List(ListArgs),
    /// Try a job that was given up again, at once.
    Retry(RetryArgs),
}

/// Arguments of `jobs list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only jobs in this state; all of them otherwise, those given up first.
    #[arg(long, value_parser = state, value_name = "due|parked|failed")]
    state: Option<JobState>,
    /// How many of each state at the most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    limit: u32,
    /// Only what follows this job, as `KEY/KIND`, which is how to go on where a list of one state ended.
    #[arg(long, requires = "state", value_name = "KEY/KIND")]
    after: Option<JobPosition>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `jobs retry`.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// The subscription, as `marketplace/product/kind/id`.
    key: SubscriptionKey,
    /// The kind of job, such as `wake`.
    kind: JobKind,
    #[command(flatten)]
    by: ByArgs,
}

fn state(word: &str) -> Result<JobState, String> {
    word.parse().map_err(|_| "expected due, parked or failed".to_owned())
}

/// Lists jobs, or tries one again.
///
/// # Errors
/// When the database cannot be read, or there is no such job that was given up.
pub async fn run(
    command: JobsCommand,
    store: Arc<dyn Store>,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        JobsCommand::List(args) => list(&args, &*store, now, out).await,
        JobsCommand::Retry(args) => retry(&args, &*store, now, out).await,
    }
}

/// A part of the list; the JSON of `jobs list`.
#[derive(Debug, Serialize)]
struct List {
    /// Those that were given up first, then those that are due and those that are parked; each in the order of keys
    /// and kinds.
    jobs: Vec<JobLine>,
    /// What to give as `--after` to go on; null where this is the end, and where no one `--state` was asked for.
    next_after: Option<String>,
    /// The states of which there may be more, each to be listed by `--state`.
    cut_states: Vec<&'static str>,
}

async fn list(
    args: &ListArgs,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let states = match args.state {
        Some(state) => vec![state],
        None => vec![JobState::Failed, JobState::Due, JobState::Parked],
    };
    let page = Page { after: args.after.clone(), limit: args.limit };
    let (mut records, mut cuts) = (Vec::new(), Vec::new());
    for state in states {
        let found = store.jobs(state, &page).await?;
        let is_full = found.len() >= usize::try_from(args.limit)?;
        let last = found.last().filter(|_| is_full);
        cuts.extend(last.map(|last| (state, last.position().to_string())));
        records.extend(found);
    }
    if args.json {
        let jobs = records.iter().map(JobLine::of).collect();
        let next_after = cuts.first().filter(|_| args.state.is_some()).map(|(_, after)| after.clone());
        let cut_states = cuts.iter().map(|(state, _)| state.as_str()).collect();
        return Ok(print_json(out, &List { jobs, next_after, cut_states })?);
    }
    if records.is_empty() {
        writeln!(out, "no jobs")?;
        return Ok(());
    }
    print(out, &table(&records, Screen::detect(), now))?;
    for (state, after) in cuts {
        writeln!(out, "\nthere may be more: --state {state} --after '{}'", safe(&after))?;
    }
    Ok(())
}

async fn retry(
    args: &RetryArgs,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let RetryArgs { key, kind, by } = args;
    match acts::retry(store, key, *kind, by.actor(), now).await {
        Ok(()) => {}
        Err(RetryError::NotFailed) => {
            bail!("no job `{kind}` of {key} was given up; see `stallkeeper jobs list --state failed`")
        }
        Err(RetryError::Store(error)) => return Err(error.into()),
    }
    writeln!(out, "the job `{kind}` of {key} is due now; a running worker takes it within a minute")?;
    Ok(())
}

/// A job; the JSON of `jobs list`, and of the jobs in `subscriptions show`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct JobLine {
    /// The subscription's key.
    subscription: String,
    /// What is to be done, such as `wake`.
    kind: &'static str,
    /// The endpoint, where it is a delivery to one.
    target: Option<String>,
    /// `due`, `parked` or `failed`.
    state: &'static str,
    /// Not before this time.
    due_at: Rfc3339,
    /// Until when a runner has it.
    leased_until: Option<Rfc3339>,
    /// How often it was handed to a runner.
    attempts: i32,
    /// Why the last attempt failed.
    last_error: Option<String>,
}

impl JobLine {
    pub(super) fn of(record: &JobRecord) -> Self {
        Self {
            subscription: record.job.key.to_string(),
            kind: record.job.kind.as_str(),
            target: Some(record.job.target.clone()).filter(|target| !target.is_empty()),
            state: record.state.as_str(),
            due_at: Rfc3339(record.due_at),
            leased_until: record.leased_until.map(Rfc3339),
            attempts: record.job.attempts,
            last_error: record.last_error.clone(),
        }
    }
}

/// When a job runs, in words.
pub(super) fn plan(record: &JobRecord, now: Timestamp) -> String {
    match (record.state, record.leased_until) {
        (JobState::Parked, _) => "for nobody, as no endpoint is configured".to_owned(),
        (JobState::Failed, _) => "given up; see `stallkeeper jobs retry`".to_owned(),
        (JobState::Due, Some(until)) if until > now => {
            format!("runs now, at most until {}", when(until, now))
        }
        (JobState::Due, _) => when(record.due_at, now),
    }
}

/// Such as `wake`, or `deliver to app`.
pub(super) fn kind_and_target(record: &JobRecord) -> String {
    let (kind, target) = (record.job.kind, &record.job.target);
    if target.is_empty() { kind.to_string() } else { format!("{kind} to {}", safe(target)) }
}

fn table(records: &[JobRecord], screen: Screen, now: Timestamp) -> comfy_table::Table {
    let mut table = screen.table(&["subscription", "kind", "state", "when", "attempts", "last error"]);
    for record in records {
        table.add_row([
            safe(&record.job.key.to_string()),
            kind_and_target(record),
            record.state.to_string(),
            plan(record, now),
            record.job.attempts.to_string(),
            record.last_error.as_deref().map(safe).unwrap_or_default(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use stallkeeper_persistence::Job;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn record(state: JobState) -> JobRecord {
        let key = "aws/prod-1/customer/X01".parse().unwrap();
        let job = Job {
            key,
            kind: JobKind::Wake,
            target: String::new(),
            payload: "{}".to_owned(),
            version: 1,
            attempts: 3,
        };
        let due_at = at("2026-03-01T12:30:00Z");
        JobRecord { job, state, due_at, leased_until: None, last_error: Some("no\u{7} answer".to_owned()) }
    }

    #[test]
    fn a_job_tells_when_it_runs_or_why_not() {
        let now = at("2026-03-01T12:00:00Z");
        assert_eq!(plan(&record(JobState::Due), now), "2026-03-01T12:30:00Z (in 30 min)");
        assert_eq!(plan(&record(JobState::Parked), now), "for nobody, as no endpoint is configured");
        let leased = JobRecord { leased_until: Some(at("2026-03-01T12:01:00Z")), ..record(JobState::Due) };
        assert!(plan(&leased, now).starts_with("runs now"));
    }

    #[test]
    fn a_failure_is_shown_with_its_control_characters_escaped() {
        let now = at("2026-03-01T12:00:00Z");
        let text = table(&[record(JobState::Failed)], Screen::default(), now).to_string();
        assert!(text.contains("no\\u{7} answer") && text.contains("given up"), "{text}");
    }

    #[test]
    fn json_has_stable_names_and_rfc_3339_times() {
        let json = serde_json::to_value(JobLine::of(&record(JobState::Due))).unwrap();
        let expected = serde_json::json!({
            "subscription": "aws/prod-1/customer/X01", "kind": "wake", "target": null, "state": "due",
            "due_at": "2026-03-01T12:30:00Z", "leased_until": null, "attempts": 3, "last_error": "no\u{7} answer",
        });
        assert_eq!(json, expected);
    }
}
