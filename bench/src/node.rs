//! The peer: the worker that a seller would write himself in Node.

use std::path::PathBuf;
use std::process::Command;

use crate::installation::credentials;
use crate::process::{Process, capture, tied};
use crate::run::Run;
use crate::stand::{Database, Stand};

/// How it stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A transaction for each message.
    PerMessage,
    /// A transaction for ten.
    PerBatch,
}

impl Form {
    /// As `consumer.mjs` takes it.
    fn word(self) -> &'static str {
        match self {
            Self::PerMessage => "message",
            Self::PerBatch => "batch",
        }
    }

    /// How many consumers run in its process; more made it no faster.
    pub(crate) fn consumers(self) -> u32 {
        match self {
            Self::PerMessage => 2,
            Self::PerBatch => 16,
        }
    }
}

/// Lets it empty a full queue into a fresh database.
pub(crate) async fn measure(stand: &Stand<'_>, form: Form, notifications: u64) -> anyhow::Result<Run> {
    let simulator = stand.loaded_simulator(notifications).await?;
    let url = stand.fresh(Database::Postgres, "node")?;
    let mut command = tied(&program(stand));
    command.arg(stand.programs.peers.join("consumer.mjs"));
    command.args([form.word(), &form.consumers().to_string()]);
    command.envs(credentials()).env("NODE_ENV", "production");
    command.env("DATABASE_URL", &url).env("QUEUE_URL", simulator.queue_url());
    let log = stand.folder().join("node.log");
    let run = Run::timed(&simulator, Some(&stand.server), || Process::spawn(&mut command, &log)).await?;
    simulator.stop().await?;
    let complaints = std::fs::read_to_string(&log)?;
    anyhow::ensure!(complaints.is_empty(), "the Node worker complains:\n{complaints}");
    Ok(run)
}

/// Node's version, and those of the packages by their names.
pub(crate) fn versions(stand: &Stand<'_>) -> anyhow::Result<Vec<(String, String)>> {
    const PACKAGES: [&str; 3] = ["sqs-consumer", "pg", "@aws-sdk/client-sqs"];
    let node = capture(Command::new(program(stand)).arg("--version"))?;
    let mut versions = vec![("Node".to_owned(), node.trim().trim_start_matches('v').to_owned())];
    for name in PACKAGES {
        let manifest = stand.programs.peers.join("node_modules").join(name).join("package.json");
        let manifest: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(manifest)?)?;
        let version = manifest.get("version").and_then(|version| version.as_str()).unwrap_or("unknown");
        versions.push((name.to_owned(), version.to_owned()));
    }
    Ok(versions)
}

/// The Node that is pinned beside the packages.
fn program(stand: &Stand<'_>) -> PathBuf {
    stand.programs.peers.join("node_modules/.bin/node")
}
