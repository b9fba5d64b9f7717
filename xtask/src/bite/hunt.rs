//! The test that hunts a planted bug, and what came of it.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::program::{self, cargo};
use crate::tree::Tree;

/// A bug may make a test hang; that is found, too, but not waited for longer than this.
const LIMIT_SECS: &str = "600";
/// How many seeded stories are told for a bug that only some of them meet.
const SEEDS: (&str, &str) = ("STALLKEEPER_SEEDS", "200");
/// The exit status of coreutils' `timeout` when the limit passed.
const TIMED_OUT: i32 = 124;

/// Which test: `-p <package> (--lib | --test <file>) [filter]`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Hunt {
    package: String,
    place: Place,
    filter: Option<String>,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Place {
    Lib,
    File(String),
}

/// What a hunt came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Finding {
    /// These tests failed: the bug is found.
    Found(Vec<String>),
    /// The tests did not end.
    Hung,
    /// All passed, and at least one ran.
    NothingFound,
    /// The filter names no test.
    NothingRan,
    /// The code, or the patch, is no program.
    DoesNotCompile(String),
    /// The patch does not fit the code.
    DoesNotApply(String),
}

/// Builds the worker and all that is hunted with, at once, so that later only what a patch touches is built.
pub(crate) fn build_all(tree: &Tree, hunts: &BTreeSet<&Hunt>) -> Result<()> {
    let mut command = cargo(tree);
    command.args(["build", "--workspace", "--locked", "--bin", "stallkeeper"]);
    let files: BTreeSet<&String> = hunts.iter().filter_map(|hunt| hunt.file()).collect();
    for file in files {
        command.args(["--test", file]);
    }
    program::run(&mut command)
}

impl Finding {
    pub(crate) fn is_found(&self) -> bool {
        matches!(self, Self::Found(_) | Self::Hung)
    }

    /// Reads the outcome of a test run whose code compiled.
    fn read(status: Option<i32>, output: &str) -> Result<Self> {
        let failed = |line: &str| {
            let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
            Some(name.to_owned())
        };
        let failures: Vec<String> = output.lines().filter_map(failed).collect();
        let ran =
            output.lines().any(|line| line.starts_with("test result: ok. ") && !line.contains(" 0 passed"));
        Ok(match status {
            Some(0) if ran => Self::NothingFound,
            Some(0) => Self::NothingRan,
            Some(TIMED_OUT) => Self::Hung,
            _ if !failures.is_empty() => Self::Found(failures),
            _ => bail!("the tests did not end as tests do:\n{output}"),
        })
    }
}

impl Hunt {
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (package, place, filter) = match words.as_slice() {
            ["-p", package, "--lib", filter @ ..] => (package, Place::Lib, filter),
            ["-p", package, "--test", file, filter @ ..] => {
                (package, Place::File((*file).to_owned()), filter)
            }
            _ => bail!("expected `-p <package> (--lib | --test <file>) [filter]`, found `{line}`"),
        };
        let filter = match filter {
            [] => None,
            [one] => Some((*one).to_owned()),
            _ => bail!("expected one filter at most, found `{}`", filter.join(" ")),
        };
        Ok(Self { package: (*package).to_owned(), place, filter })
    }

    fn file(&self) -> Option<&String> {
        match &self.place {
            Place::Lib => None,
            Place::File(file) => Some(file),
        }
    }

    /// Builds what the hunt needs, then runs it.
    pub(crate) fn run(&self, tree: &Tree, environment: &[(&'static str, String)]) -> Result<Finding> {
        let build = self.build(tree).stdin(Stdio::null()).output().context("cannot start cargo")?;
        if !build.status.success() {
            return Ok(Finding::DoesNotCompile(String::from_utf8_lossy(&build.stderr).into_owned()));
        }
        let test = self.test(tree);
        let output = Command::new("timeout")
            .args(["--kill-after=10", LIMIT_SECS])
            .arg(test.get_program())
            .args(test.get_args())
            .current_dir(tree.root())
            .env("CARGO_TARGET_DIR", tree.target())
            .envs(environment.iter().cloned())
            .env(SEEDS.0, SEEDS.1)
            .stdin(Stdio::null())
            .output()
            .context("cannot start the tests")?;
        let printed = [output.stdout, output.stderr].concat();
        Finding::read(output.status.code(), &String::from_utf8_lossy(&printed))
    }

    /// The test's program, and the worker's where the test drives it.
    fn build(&self, tree: &Tree) -> Command {
        let mut command = cargo(tree);
        match &self.place {
            Place::Lib => command.args(["test", "--no-run", "-p", &self.package, "--lib"]),
            Place::File(file) => command.args(["build", "--workspace", "--test", file]),
        };
        if self.package == "stallkeeper-tests" {
            command.args(["--bin", "stallkeeper"]);
        }
        command
    }

    /// With `--workspace`, dependencies keep the features that all tests share, so that none is built again.
    fn test(&self, tree: &Tree) -> Command {
        let mut command = cargo(tree);
        match &self.place {
            Place::Lib => command.args(["test", "-p", &self.package, "--lib"]),
            Place::File(file) => command.args(["test", "--workspace", "--test", file]),
        };
        command.args(["--", "--test-threads=2"]).args(&self.filter);
        command
    }
}

impl Display for Hunt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "-p {}", self.package)?;
        match &self.place {
            Place::Lib => write!(formatter, " --lib")?,
            Place::File(file) => write!(formatter, " --test {file}")?,
        }
        self.filter.iter().try_for_each(|filter| write!(formatter, " {filter}"))
    }
}

impl Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(tests) => match tests.as_slice() {
                [one] => write!(formatter, "found by {one}"),
                [one, others @ ..] => write!(formatter, "found by {one} and {} more", others.len()),
                [] => write!(formatter, "found"),
            },
            Self::Hung => write!(formatter, "found: the test no longer ends"),
            Self::NothingFound => write!(formatter, "NOT FOUND: every test passed"),
            Self::NothingRan => write!(formatter, "NOT FOUND: no test has that name"),
            Self::DoesNotCompile(errors) => write!(formatter, "NOT HUNTED: does not compile\n{errors}"),
            Self::DoesNotApply(errors) => write!(formatter, "NOT HUNTED: does not apply\n{errors}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, Hunt};

    #[test]
    fn a_failed_test_is_a_found_bug() {
        let output = "test one ... ok\ntest two ... FAILED\ntest result: FAILED. 1 passed; 1 failed";
        assert_eq!(Finding::read(Some(101), output).ok(), Some(Finding::Found(vec!["two".to_owned()])));
    }

    #[test]
    fn a_run_of_no_test_finds_nothing() {
        let output = "test result: ok. 0 passed; 0 failed; 0 ignored";
        assert_eq!(Finding::read(Some(0), output).ok(), Some(Finding::NothingRan));
    }

    #[test]
    fn a_run_that_only_passed_lets_the_bug_survive() {
        let output = "test result: ok. 10 passed; 0 failed; 0 ignored";
        let finding = Finding::read(Some(0), output).ok();
        assert_eq!(finding, Some(Finding::NothingFound));
        assert!(!Finding::NothingFound.is_found());
    }

    #[test]
    fn a_run_that_does_not_end_finds_the_bug() {
        let finding = Finding::read(Some(124), "test one ... ok").ok();
        assert_eq!(finding, Some(Finding::Hung));
        assert!(Finding::Hung.is_found());
    }

    #[test]
    fn what_was_not_hunted_is_not_found() {
        assert!(!Finding::NothingRan.is_found());
        assert!(!Finding::DoesNotCompile(String::new()).is_found());
        assert!(!Finding::DoesNotApply(String::new()).is_found());
    }

    #[test]
    fn a_run_that_broke_without_a_failed_test_is_an_error() {
        assert!(Finding::read(Some(101), "error: no such command").is_err());
    }

    #[test]
    fn a_hunt_names_its_package_and_place() {
        let hunt = "-p stallkeeper-lifecycle --test properties any_order";
        assert_eq!(Hunt::parse(hunt).map(|hunt| hunt.to_string()).ok().as_deref(), Some(hunt));
        assert!(Hunt::parse("--workspace").is_err());
    }
}
