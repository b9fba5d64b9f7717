//! Simulation: builds the teller of seeded stories as it runs fastest, and hands over to it.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::program::{self, cargo, tied};
use crate::services;
use crate::tree::Tree;

/// The chore: passes its arguments on and gives the teller's own status; Postgres is started where it is asked for.
pub(crate) fn run(tree: &Tree, args: &[String]) -> Result<ExitCode> {
    program::run(cargo(tree).args(["build", "--release", "--package", "stallkeeper-simulation"]))?;
    let teller = tree.target().join("release/simulate");
    if args.iter().any(|arg| arg.contains("postgres")) {
        program::run(cargo(tree).args(["build", "--package", "stallkeeper"]))?;
        let command = [vec![teller.display().to_string()], args.to_vec()].concat();
        return services::run(tree, &command);
    }
    let status = tied(teller).args(args).status().context("cannot start the teller of stories")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
