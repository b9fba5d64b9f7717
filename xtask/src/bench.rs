//! Speed: builds what is measured and what it is measured beside, and hands over to `stallkeeper-bench`.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::program::{self, capture, cargo, tied};
use crate::setup::{self, Part};
use crate::tree::Tree;

const PACKAGES: [&str; 2] = ["stallkeeper", "stallkeeper-bench"];

/// The chore: passes its arguments on and gives the bench's own status.
pub(crate) fn run(tree: &Tree, args: &[String]) -> Result<ExitCode> {
    setup::run(tree)?;
    build(tree)?;
    let peers = tree.root().join("bench/peers");
    let measures = |what: &str| args.first().is_some_and(|first| first == what);
    if measures("notifications") {
        install_node_packages(&peers)?;
    }
    if measures("entitlements") {
        setup::install_missing(&[Part {
            package: "wrk",
            // It names its version and ends with 1.
            is_here: || Command::new("wrk").arg("-v").output().is_ok(),
        }])?;
    }
    let venv = tree.target().join("bench-venv");
    let python = venv.join("bin/python");
    if measures("notifications") || measures("usage") {
        install_python_packages(&peers, &venv)?;
    }
    let release = tree.target().join("release");
    let status = tied(release.join("stallkeeper-bench"))
        .args(args)
        .env("STALLKEEPER_BENCH_BINARY", release.join("stallkeeper"))
        .env("STALLKEEPER_BENCH_PEERS", peers)
        .env("STALLKEEPER_BENCH_PYTHON", python)
        .status()
        .context("cannot start the bench")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn build(tree: &Tree) -> Result<()> {
    let mut command = cargo(tree);
    command.args(["build", "--release"]);
    for package in PACKAGES {
        command.args(["--package", package]);
    }
    program::run(&mut command)
}

/// As the lock file has them, unless they are there already.
fn install_node_packages(peers: &Path) -> Result<()> {
    let (wanted, installed) = (peers.join("package-lock.json"), peers.join("node_modules/installed.json"));
    let lock = fs::read(&wanted).with_context(|| format!("cannot read {}", wanted.display()))?;
    if fs::read(&installed).is_ok_and(|before| before == lock) {
        return Ok(());
    }
    println!("installing the Node peer's packages");
    // The system's Node only runs npm here; the peer has its own.
    let mut npm = Command::new("npm");
    capture(npm.arg("ci").args(["--no-audit", "--no-fund"]).current_dir(peers))
        .context("npm comes with Node, from nodejs.org or your distribution")?;
    fs::write(&installed, lock).context("cannot mark the packages as installed")
}

/// Into an environment of their own, unless it is there already.
fn install_python_packages(peers: &Path, venv: &Path) -> Result<()> {
    let requirements = peers.join("requirements.txt");
    let (python, installed) = (venv.join("bin/python"), venv.join("installed.txt"));
    let pins = fs::read(&requirements).context("cannot read the bench's requirements.txt")?;
    if fs::read(&installed).is_ok_and(|before| before == pins) {
        return Ok(());
    }
    println!("installing what rows.py needs into {}", venv.display());
    capture(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))?;
    let options = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
    capture(Command::new(&python).args(options).arg("--requirement").arg(&requirements))?;
    fs::write(&installed, pins).context("cannot mark the virtual environment as ready")
}
