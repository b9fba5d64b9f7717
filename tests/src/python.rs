//! Programs of the pinned Python environment.

use std::path::Path;
use std::process::Command;

use crate::{Finished, environment};

/// Runs a program that `tests/requirements.txt` brings to its end: `python` itself, or `cfn-lint`.
pub fn run_pinned(program: &str, args: &[&str]) -> Finished {
    let path = Path::new(&environment("STALLKEEPER_TEST_PYTHON")).with_file_name(program);
    let output = Command::new("setpriv").arg("--pdeathsig=KILL").arg(&path).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start {}: {error}", path.display()));
    Finished {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
