//! Installing what the tests need and this machine lacks.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::program::{self, bounded, is_root, on_path, succeeds};
use crate::tree::Tree;
use crate::{browser, moto, postgres};

/// Debian's package and whether what it brings is here already.
pub(crate) struct Part {
    pub(crate) package: &'static str,
    pub(crate) is_here: fn() -> bool,
}

const PARTS: [Part; 9] = [
    Part { package: "postgresql", is_here: || postgres::server_program("initdb").is_ok() },
    Part { package: "python3-venv", is_here: moto::python_can_make_venvs },
    Part { package: "openssl", is_here: || succeeds(Command::new("openssl").arg("version")) },
    Part { package: "git", is_here: || succeeds(Command::new("git").arg("--version")) },
    Part { package: "chromium", is_here: || browser::chromium().is_ok() },
    Part { package: "fonts-wqy-microhei", is_here: browser::has_chinese_font },
    Part { package: "nodejs", is_here: || on_path("node").is_some() },
    Part { package: "npm", is_here: || on_path("npm").is_some() },
    Part { package: "wrk", is_here: || on_path("wrk").is_some() },
];

/// Installs the missing packages and the pinned ones of other languages; does nothing, and asks no network, when all is here.
pub(crate) fn run(tree: &Tree) -> Result<()> {
    install_missing(&PARTS)?;
    moto::install(tree)?;
    browser::install(tree)
}

/// Installs the packages of the parts that are not here.
pub(crate) fn install_missing(parts: &[Part]) -> Result<()> {
    let missing: Vec<&str> = parts.iter().filter(|part| !(part.is_here)()).map(|part| part.package).collect();
    if missing.is_empty() { Ok(()) } else { install_packages(&missing) }
}

fn install_packages(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    ensure!(is_root(), "missing Debian packages: run `apt-get install {names}` as root, then this again");
    println!("installing {names}");
    program::run(&mut apt_get(bounded("apt-get"), &["update"]))?;
    // What asks the network is bounded; what changes the system is not cut off in the middle.
    let install = ["install", "--yes", "--no-install-recommends"];
    program::run(apt_get(bounded("apt-get"), &install).arg("--download-only").args(packages))?;
    program::run(apt_get(Command::new("apt-get"), &install).args(packages))
}

fn apt_get(mut command: Command, args: &[&str]) -> Command {
    command.arg("--quiet").args(args).env("DEBIAN_FRONTEND", "noninteractive");
    // Debian's scripts start no server of their own in single-user mode; the tests start theirs.
    command.env("RUNLEVEL", "1");
    command
}
