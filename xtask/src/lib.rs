#![doc = include_str!("../README.md")]

mod bench;
mod bite;
mod browser;
mod chaos;
mod fuzz;
mod image;
mod moto;
mod pinned;
pub mod postgres;
mod prepare;
mod program;
mod services;
mod setup;
mod simulate;
mod template;
mod test;
mod tree;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::tree::Tree;

const USAGE: &str = "\
usage: cargo xtask <chore>

  setup                    install what the tests need and is missing
  services [-- command…]   start Postgres and moto; run the command with them, or stay until killed
  test                     format, build, clippy, documentation and every test
  prepare [--check]        refresh (or compare) the stores' checked-query caches
  fuzz [--minutes N]       run every fuzz target for N minutes (10)
  bite [name…]             plant each bug of xtask/bites and expect its tests to find it
  bench notifications […]  measure the worker's speed beside its limit and its peers (--help tells more)
  bench usage […]          measure how fast usage is taken in, beside the database alone
  bench final-hour […]     let many subscriptions end at once, and count calls and records
  bench entitlements […]   ask who may use what, beside a route that returns a constant
  bench close […]          close a full hour, with and without history behind it
  chaos [--notifications N] [--kills N] [--restarts N] [--workers N] [--seed S]
                           run workers through kills, restarts, faults and clock jumps, and hold
                           the outcome against the simulator's books
  simulate [--seeds N] [--from N] [--seed N] [--database sqlite|postgres] [--at-least N]
                           tell the stories of many seeds and hold the ledger against the bills;
                           a story that goes wrong is shortened and printed, and --seed tells it again
  image                    build the container image without a registry, try it and print its size";

/// Runs the chore that the arguments name; the exit status is 1 when it failed, and 2 for bad usage.
pub fn main(args: &[String]) -> ExitCode {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let Some((chore, rest)) = args.split_first() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let chore = match Chore::parse(chore, rest) {
        Ok(chore) => chore,
        Err(error) => {
            eprintln!("{error:#}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match Tree::find().and_then(|tree| chore.run(&tree)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

enum Chore {
    Setup,
    Services { command: Vec<String> },
    Test,
    Prepare(prepare::Mode),
    Fuzz { minutes: u32 },
    Bite { names: Vec<String> },
    Bench { args: Vec<String> },
    Chaos { args: Vec<String> },
    Simulate { args: Vec<String> },
    Image,
}

impl Chore {
    fn parse(chore: &str, rest: &[&str]) -> Result<Self> {
        let owned = |args: &[&str]| args.iter().map(ToString::to_string).collect();
        Ok(match (chore, rest) {
            ("setup", []) => Self::Setup,
            ("services", []) => Self::Services { command: Vec::new() },
            ("services", ["--", command @ ..]) if !command.is_empty() => {
                Self::Services { command: owned(command) }
            }
            ("test", []) => Self::Test,
            ("prepare", []) => Self::Prepare(prepare::Mode::Refresh),
            ("prepare", ["--check"]) => Self::Prepare(prepare::Mode::Compare),
            ("fuzz", []) => Self::Fuzz { minutes: 10 },
            ("fuzz", ["--minutes", minutes]) => {
                Self::Fuzz { minutes: minutes.parse().context("--minutes takes a whole number")? }
            }
            ("bite", names) => Self::Bite { names: owned(names) },
            ("bench", args @ ["notifications" | "usage" | "final-hour" | "close" | "entitlements", ..]) => {
                Self::Bench { args: owned(args) }
            }
            ("chaos", args) => Self::Chaos { args: owned(args) },
            ("simulate", args) => Self::Simulate { args: owned(args) },
            ("image", []) => Self::Image,
            _ => bail!("unknown chore or arguments: {chore} {}", rest.join(" ")),
        })
    }

    fn run(&self, tree: &Tree) -> Result<ExitCode> {
        match self {
            Self::Setup => setup::run(tree)?,
            Self::Services { command } => return services::run(tree, command),
            Self::Test => test::run(tree)?,
            Self::Prepare(mode) => prepare::run(tree, *mode)?,
            Self::Fuzz { minutes } => fuzz::run(tree, *minutes)?,
            Self::Bite { names } => bite::run(tree, names)?,
            Self::Bench { args } => return bench::run(tree, args),
            Self::Chaos { args } => return chaos::run(tree, args),
            Self::Simulate { args } => return simulate::run(tree, args),
            Self::Image => image::run(tree)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
