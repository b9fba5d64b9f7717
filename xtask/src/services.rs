//! What the tests need running: Postgres and moto, started for one command or until killed.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::moto::Moto;
use crate::postgres::{Cluster, Durability};
use crate::program::tied;
use crate::tree::Tree;
use crate::{browser, setup, template};

/// Running services; dropped, they stop.
#[derive(Debug)]
pub(crate) struct Services {
    postgres: Cluster,
    moto: Moto,
    node_modules: PathBuf,
    chromium: PathBuf,
}

impl Services {
    pub(crate) fn start(tree: &Tree) -> Result<Self> {
        let (node_modules, chromium) = (browser::modules(tree)?, browser::chromium()?);
        let (postgres, moto) = (Cluster::create(Durability::None)?, Moto::start(tree)?);
        Ok(Self { postgres, moto, node_modules, chromium })
    }

    pub(crate) fn postgres(&self) -> &Cluster {
        &self.postgres
    }

    /// What the tests read to find the services and the binary of the given tree.
    pub(crate) fn environment(&self, tree: &Tree) -> [(&'static str, String); 7] {
        [
            ("STALLKEEPER_TEST_POSTGRES_URL", self.postgres.url("postgres")),
            ("STALLKEEPER_TEST_TEMPLATE", template::NAME.to_owned()),
            ("STALLKEEPER_TEST_MOTO_URL", self.moto.url()),
            ("STALLKEEPER_TEST_PYTHON", self.moto.python().display().to_string()),
            ("STALLKEEPER_TEST_NODE_MODULES", self.node_modules.display().to_string()),
            ("STALLKEEPER_TEST_CHROMIUM", self.chromium.display().to_string()),
            ("STALLKEEPER_TEST_BINARY", tree.binary().display().to_string()),
        ]
    }
}

/// The chore: runs the command with services and gives its status, or keeps them until this is killed.
pub(crate) fn run(tree: &Tree, command: &[String]) -> Result<ExitCode> {
    setup::run(tree)?;
    let services = Services::start(tree)?;
    if let Err(error) = template::create(tree, services.postgres()) {
        eprintln!("warning: no template database, so tests that clone it will fail: {error:#}");
    }
    match command.split_first() {
        Some((program, args)) => run_with(tree, &services, program, args),
        None => stay(tree, &services),
    }
}

fn run_with(tree: &Tree, services: &Services, program: &str, args: &[String]) -> Result<ExitCode> {
    let status = tied(program)
        .args(args)
        .envs(services.environment(tree))
        .status()
        .with_context(|| format!("cannot start {program}"))?;
    // A status above 255 or a signal has no exact counterpart; it is a failure all the same.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

fn stay(tree: &Tree, services: &Services) -> Result<ExitCode> {
    let mut exports = String::new();
    for (name, value) in services.environment(tree) {
        writeln!(exports, "export {name}='{value}'")?;
    }
    let file = tree.target().join("test-services.env");
    fs::write(&file, &exports).with_context(|| format!("cannot write {}", file.display()))?;
    print!("{exports}");
    eprintln!("also in {}; Ctrl-C or a signal to process {} stops them", file.display(), std::process::id());
    // Nothing to do but to hold them: a signal ends this process, and the services with it.
    let held = Command::new("setpriv").args(["--pdeathsig=TERM", "sleep", "infinity"]).status();
    held.context("cannot wait")?;
    Ok(ExitCode::SUCCESS)
}
