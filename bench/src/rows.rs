//! The second half of the limit: the same rows, written in groups by a script.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::installation::Installation;
use crate::process::tied;
use crate::run::Run;
use crate::server::Server;
use crate::stand::{Database, Stand};

/// Which of the worker's rows are written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// All of its notifications, 100 to a transaction.
    Notifications,
    /// Usage events alone, 1,000 to a transaction.
    Events,
    /// Usage events with the hours' records and the meters that they change.
    EventsAndRecords,
}

impl Written {
    /// As `rows.py` takes it.
    fn word(self) -> &'static str {
        match self {
            Self::Notifications => "notifications",
            Self::Events => "events",
            Self::EventsAndRecords => "events-and-records",
        }
    }
}

#[derive(Debug, Deserialize)]
struct Told {
    items: u64,
    quarantined: u64,
    seconds: f64,
    cpu_seconds: f64,
    versions: BTreeMap<String, String>,
}

/// What the script found out.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) run: Run,
    pub(crate) versions: BTreeMap<String, String>,
}

/// Writes what a worker left in `source`, which has to be all that it took out of the queue.
pub(crate) fn measure(
    stand: &Stand<'_>,
    database: Database,
    source: &str,
    what: Written,
    taken_in: u64,
) -> anyhow::Result<Rows> {
    let target = stand.fresh(database, "rows")?;
    migrate(stand, &target)?;
    stand.server.settle()?;
    let mut script = Script::start(stand, source, &target, what)?;
    let server = stand.server_of(database);
    // By then it has read all rows, which does not count.
    script.is_ready()?;
    let before = server.map(Server::cpu).transpose()?;
    let written = script.write()?;
    let after = server.map(Server::cpu).transpose()?;
    ensure!(
        (written.items, written.quarantined) == (taken_in, 0),
        "the worker has not taken {taken_in} in: {written:?}"
    );
    let run = Run {
        items: written.items,
        took: Duration::from_secs_f64(written.seconds),
        cpu: Duration::from_secs_f64(written.cpu_seconds),
        server_cpu: after.zip(before).map(|(after, before)| after.saturating_sub(before)),
    };
    Ok(Rows { run, versions: written.versions })
}

/// `rows.py`, which says when it is ready, and is told when to write.
struct Script {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Script {
    fn start(stand: &Stand<'_>, source: &str, target: &str, what: Written) -> anyhow::Result<Self> {
        let mut command = tied(&stand.programs.python);
        command.arg(stand.programs.peers.join("rows.py")).args([source, target, what.word()]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(process.stdout.take().context("rows.py has no output")?);
        Ok(Self { process, lines })
    }

    fn is_ready(&mut self) -> anyhow::Result<()> {
        let line = self.line()?;
        ensure!(line.trim() == "ready", "rows.py cannot begin; it says {line:?}");
        Ok(())
    }

    fn write(mut self) -> anyhow::Result<Told> {
        // Its input's end is the word.
        drop(self.process.stdin.take());
        let line = self.line()?;
        self.process.wait()?;
        serde_json::from_str(&line).with_context(|| format!("rows.py failed; it says {line:?}"))
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        Ok(line)
    }
}

/// By the worker's own command, which wants a whole configuration.
fn migrate(stand: &Stand<'_>, url: &str) -> anyhow::Result<()> {
    Installation::of_seller(stand.binary(), url).map(drop)
}
