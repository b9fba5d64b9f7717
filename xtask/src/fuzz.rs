//! Fuzzing: every target for as long as asked, as many at once as there are cores.

use std::collections::VecDeque;
use std::fs;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use crate::program::{self, capture, cargo, tied};
use crate::tree::Tree;

/// One fuzz target: a test function in a crate's `tests/fuzz_….rs`.
struct Target {
    file: String,
    function: String,
}

/// How one target's run ended.
struct Outcome {
    target: Target,
    passed: bool,
    output: String,
}

/// Runs every fuzz target for the given minutes and prints what each did; a finding is an error.
pub(crate) fn run(tree: &Tree, minutes: u32) -> Result<()> {
    let targets = targets(tree)?;
    ensure!(!targets.is_empty(), "no fuzz targets: none of crates/*/tests/ holds a fuzz_*.rs");
    println!("{} targets, {minutes} min each", targets.len());
    let outcomes = run_all(tree, targets, minutes)?;
    println!("\n{:<60} {:>14}", "target", "iterations");
    for outcome in &outcomes {
        let iterations = iterations(&outcome.output).map_or_else(|| "?".to_owned(), |n| n.to_string());
        let verdict = if outcome.passed { "" } else { "  FAILED" };
        let name = format!("{}::{}", outcome.target.file, outcome.target.function);
        println!("{name:<60} {iterations:>14}{verdict}");
    }
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.passed).collect();
    for outcome in &failed {
        println!("\n--- {}::{}\n{}", outcome.target.file, outcome.target.function, outcome.output);
    }
    ensure!(failed.is_empty(), "{} of {} fuzz targets failed", failed.len(), outcomes.len());
    ensure!(
        outcomes.iter().all(|outcome| iterations(&outcome.output).is_some_and(|n| n > 0)),
        "a target did not say that it ran; is it a bolero target?"
    );
    Ok(())
}

fn targets(tree: &Tree) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for file in files(tree)? {
        // Built first, so that the runs below only take turns at cargo's lock for a moment.
        program::run(cargo(tree).args(["test", "--workspace", "--no-run", "--test", &file]))?;
        let list = capture(cargo(tree).args(["test", "--workspace", "--quiet", "--test", &file]).args([
            "--",
            "--list",
            "--format=terse",
        ]))?;
        let functions = list.lines().filter_map(|line| line.strip_suffix(": test"));
        targets.extend(functions.map(|name| Target { file: file.clone(), function: name.to_owned() }));
    }
    Ok(targets)
}

fn files(tree: &Tree) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for krate in fs::read_dir(tree.root().join("crates")).context("cannot list crates")? {
        for entry in fs::read_dir(krate?.path().join("tests")).into_iter().flatten() {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(stem) = name.strip_suffix(".rs").filter(|stem| stem.starts_with("fuzz_")) {
                files.push(stem.to_owned());
            }
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn run_all(tree: &Tree, targets: Vec<Target>, minutes: u32) -> Result<Vec<Outcome>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let waiting = Mutex::new(VecDeque::from(targets));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    thread::scope(|scope| {
        let work = || -> Result<Vec<Outcome>> {
            std::iter::from_fn(next).map(|target| run_one(tree, target, minutes)).collect()
        };
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut outcomes = Vec::new();
        for worker in workers {
            match worker.join() {
                Ok(done) => outcomes.extend(done?),
                Err(_) => bail!("a fuzz worker panicked"),
            }
        }
        Ok(outcomes)
    })
}

fn run_one(tree: &Tree, target: Target, minutes: u32) -> Result<Outcome> {
    let output = tied(cargo(tree).get_program())
        .args(["test", "--workspace", "--quiet", "--test", &target.file])
        .args(["--", "--exact", "--nocapture", &target.function])
        .current_dir(tree.root())
        .env("CARGO_TARGET_DIR", tree.target())
        .env("BOLERO_RANDOM_TEST_TIME_MS", (u64::from(minutes) * 60_000).to_string())
        .stdin(Stdio::null())
        .output()
        .context("cannot start cargo")?;
    let text = [output.stdout, output.stderr].concat();
    Ok(Outcome {
        target,
        passed: output.status.success(),
        output: String::from_utf8_lossy(&text).into_owned(),
    })
}

/// What bolero's closing line counts: `… | rng inputs: 123 | …`.
fn iterations(output: &str) -> Option<u64> {
    let (_, rest) = output.split_once("rng inputs: ")?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::iterations;

    #[test]
    fn the_iterations_are_read_from_the_engine_s_closing_line() {
        let line =
            "test body ...\trun time: 1s | iterations/s: 5 | corpus inputs: 3 | rng inputs: 1234 | exit";
        assert_eq!(iterations(line), Some(1234));
        assert_eq!(iterations("running 0 tests"), None);
    }
}
