//! The whole check: what a change must pass.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::program::{self, cargo};
use crate::services::Services;
use crate::tree::Tree;
use crate::{setup, template};

/// Runs every step in order, all in one profile and target folder; the first failure ends it.
pub(crate) fn run(tree: &Tree) -> Result<()> {
    let mut steps = Steps::default();
    let done = run_steps(tree, &mut steps);
    steps.print_summary();
    done
}

fn run_steps(tree: &Tree, steps: &mut Steps) -> Result<()> {
    steps.run("setup", || setup::run(tree))?;
    steps.run("format", || program::run(cargo(tree).args(["fmt", "--all", "--check"])))?;
    // With the dependencies' features that the tests ask for, so that the test step finds all of it built.
    steps.run("build", || workspace(tree, "build", &["--all-targets"]))?;
    steps.run("clippy", || workspace(tree, "clippy", &["--all-targets", "--", "-D", "warnings"]))?;
    steps.run("documentation", || document(tree))?;
    let services = steps.run("services", || Services::start(tree))?;
    steps.run("template database", || template::create(tree, services.postgres()))?;
    steps.run("tests", || program::run(workspace_command(tree, "test", &[]).envs(services.environment(tree))))
}

fn document(tree: &Tree) -> Result<()> {
    program::run(workspace_command(tree, "doc", &["--no-deps"]).env("RUSTDOCFLAGS", "-Dwarnings"))
}

fn workspace(tree: &Tree, verb: &str, args: &[&str]) -> Result<()> {
    program::run(&mut workspace_command(tree, verb, args))
}

fn workspace_command(tree: &Tree, verb: &str, args: &[&str]) -> Command {
    let mut command = cargo(tree);
    command.args([verb, "--workspace", "--locked"]).args(args);
    command
}

/// The steps that ran, and how long each took.
#[derive(Default)]
struct Steps {
    done: Vec<(&'static str, Duration)>,
    failed: Option<(&'static str, Duration)>,
}

impl Steps {
    fn run<T>(&mut self, name: &'static str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("=== {name}");
        let start = Instant::now();
        let result = step();
        let took = (name, start.elapsed());
        println!("=== {name}: {:.1} s", took.1.as_secs_f64());
        match &result {
            Ok(_) => self.done.push(took),
            Err(_) => self.failed = Some(took),
        }
        result.with_context(|| format!("step `{name}`"))
    }

    fn print_summary(&self) {
        println!("\n{:<20} {:>9}", "step", "seconds");
        for (name, took) in &self.done {
            println!("{name:<20} {:>9.1}", took.as_secs_f64());
        }
        if let Some((name, took)) = self.failed {
            println!("{name:<20} {:>9.1}  FAILED", took.as_secs_f64());
        }
    }
}
