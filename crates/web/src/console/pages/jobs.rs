use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use stallkeeper_persistence::{JobPosition, JobState, NoJobPosition, Page};

use super::super::Desk;
use super::super::visitor::Visitor;
use super::super::words::{count, href};
use super::lines::JobRow;
use super::shell::Shell;
use super::{ROWS, Trouble, cut, page};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    state: String,
    /// `key/kind`
    after: String,
}

#[derive(Template)]
#[template(path = "console/jobs.html")]
struct JobsPage {
    shell: Shell,
    state: &'static str,
    states: [Choice; 3],
    rows: Vec<JobRow>,
    next: Option<String>,
}

/// A state with its number of jobs.
struct Choice {
    name: &'static str,
    count: String,
    is_chosen: bool,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let state = if asked.state.is_empty() { "failed" } else { &asked.state };
    let state: JobState =
        state.parse().map_err(|_| Trouble::Address("a job is due, parked or failed".to_owned()))?;
    let after = Some(asked.after.as_str()).filter(|after| !after.is_empty()).map(position).transpose()?;
    let (records, more) = cut(desk.api.jobs(state, &Page { after, limit: ROWS + 1 }).await?, ROWS);
    let (counts, now) = (desk.api.job_counts().await?, desk.api.now());
    let choice =
        |of: JobState, number| Choice { name: of.as_str(), count: count(number), is_chosen: of == state };
    let next = |last: &stallkeeper_persistence::JobRecord| {
        let after = last.position().to_string();
        href("/console/jobs", &[("state", state.as_str()), ("after", &after)])
    };
    Ok(page(&JobsPage {
        state: state.as_str(),
        states: [
            choice(JobState::Failed, counts.failed),
            choice(JobState::Due, counts.due),
            choice(JobState::Parked, counts.parked),
        ],
        next: records.last().filter(|_| more).map(next),
        rows: records.iter().map(|record| JobRow::of(record, now)).collect(),
        shell: Shell::new(&desk, &visitor, "jobs", "Jobs"),
    }))
}

fn position(text: &str) -> Result<JobPosition, Trouble> {
    text.parse().map_err(|error: NoJobPosition| Trouble::Address(error.to_string()))
}
