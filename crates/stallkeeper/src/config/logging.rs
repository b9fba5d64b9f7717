use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::section::Section;

const FILTER: &str = "info";

/// Logs, which go to standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Their form; text on a terminal and JSON elsewhere, where it is not set.
    pub format: Option<LogFormat>,
    /// What is logged, such as `info,stallkeeper_poller=debug`.
    pub filter: String,
}

/// The form of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

pub(super) fn read(section: &Section<'_>) -> LogConfig {
    let filter = section.string("filter").unwrap_or_else(|| FILTER.to_owned());
    if EnvFilter::try_new(&filter).is_err() {
        section.refuse("filter", "expected levels by target, such as info,stallkeeper_poller=debug");
    }
    LogConfig { format: section.word("format"), filter }
}
