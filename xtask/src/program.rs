//! Running other programs: each failure names the program and says what it printed.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::tree::Tree;

/// Debian's own user for the server, which refuses to run as root.
const UNPRIVILEGED_USER: &str = "postgres";

/// Cargo in a checkout, with its target folder.
pub(crate) fn cargo(tree: &Tree) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(tree.root()).env("CARGO_TARGET_DIR", tree.target());
    command
}

/// A program that the kernel stops when the thread that started it ends, however that happens:
/// nothing is left running even when xtask itself is killed.
pub(crate) fn tied(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=TERM").arg(program);
    command
}

/// The same, as an unprivileged user when this is root; SIGINT stops Postgres without waiting for clients.
pub(crate) fn tied_unprivileged(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=INT").current_dir("/");
    if is_root() {
        command.args([
            &format!("--reuid={UNPRIVILEGED_USER}"),
            &format!("--regid={UNPRIVILEGED_USER}"),
            "--init-groups",
        ]);
    }
    command.arg(program);
    command
}

/// A program that is ended when it takes longer than anybody waits, such as one that asks a network.
pub(crate) fn bounded(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=10", "900"]).arg(program);
    command
}

/// Where a program is among those that can be started by their name.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Whether this process may do everything.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Runs with the terminal's own input and output; any status but 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", words(command)))?;
    ensure!(status.success(), "{} ended with {status}", words(command));
    Ok(())
}

/// Runs silently and gives what was printed; any status but 0 is an error that carries all of it.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", words(command)))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}:\n{text}{errors}", words(command), output.status);
    }
    Ok(text)
}

/// Whether the program can be started and succeeds.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Probes until the condition holds; an error of the probe ends the wait at once.
pub(crate) fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !holds()? {
        ensure!(Instant::now() < deadline, "{what} did not happen within {} s", limit.as_secs());
        pause(Duration::from_millis(25));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the one pause between two probes of a condition")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// The command as one would type it, for messages.
pub(crate) fn words(command: &Command) -> String {
    let mut words = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        words.push(' ');
        words.push_str(&arg.to_string_lossy());
    }
    words
}
