//! Chaos: builds the worker as sellers run it, and hands over to the driver of `stallkeeper-tests`.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::postgres::server_program;
use crate::program::{self, cargo, tied};
use crate::tree::Tree;

/// The chore: passes its arguments on and gives the driver's own status.
pub(crate) fn run(tree: &Tree, args: &[String]) -> Result<ExitCode> {
    server_program("initdb")?;
    program::run(cargo(tree).args(["build", "--release", "--package", "stallkeeper"]))?;
    program::run(cargo(tree).args(["build", "--package", "stallkeeper-tests", "--bin", "chaos"]))?;
    let status = tied(tree.target().join("debug/chaos"))
        .args(args)
        .env("STALLKEEPER_TEST_BINARY", tree.target().join("release/stallkeeper"))
        .status()
        .context("cannot start the driver")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
