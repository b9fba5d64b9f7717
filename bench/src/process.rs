//! Processes that are measured, as the kernel accounts for them.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

/// The kernel counts processor time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// A running program; it is killed when dropped, and when the thread that started it ends.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

/// A command that ends with the thread that starts it.
pub(crate) fn tied(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL").arg(program);
    command
}

/// Runs a command to its end and gives what it printed.
pub(crate) fn capture(command: &mut Command) -> anyhow::Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{command:?} ended with {}:\n{text}{errors}", output.status);
    Ok(text.into_owned())
}

impl Process {
    /// Starts it with what it says going to a file.
    pub(crate) fn spawn(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { child })
    }

    /// Starts it with a pipe for the lines that it prints.
    pub(crate) fn spawn_piped(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(output);
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { child })
    }

    pub(crate) fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// An error where it has ended by itself.
    pub(crate) fn ensure_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("a measured process ended with {status}"),
        }
    }

    /// Processor time so far, its own and the kernel's for it.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = Stat::of(self.child.id())?;
        Ok(TICK * stat.own_ticks)
    }

    /// Memory that it has in use now, in bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes_of(self.child.id())
    }

    /// Asks it to end and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        const PROBES: u32 = 3_000;
        capture(Command::new("kill").args(["-TERM", &self.child.id().to_string()]))?;
        for _ in 0..PROBES {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(TICK).await;
        }
        anyhow::bail!("a process does not end when it is asked to")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Memory that this process has in use now, in bytes.
pub(crate) fn own_resident_bytes() -> anyhow::Result<u64> {
    resident_bytes_of(std::process::id())
}

fn resident_bytes_of(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    resident_bytes(&status).with_context(|| format!("{path} has no VmRSS"))
}

/// Processor time of a process, of its children that live, and of those that it has seen end.
pub(crate) fn family_cpu(parent: u32) -> anyhow::Result<Duration> {
    let own = Stat::of(parent)?;
    let living: u32 = stats()?.iter().filter(|stat| stat.parent == parent).map(|stat| stat.own_ticks).sum();
    Ok(TICK * (own.own_ticks + own.ended_children_ticks + living))
}

/// The child of this process that runs a program of that name.
pub(crate) fn own_child(name: &str) -> anyhow::Result<u32> {
    let own = std::process::id();
    let child = stats()?.into_iter().find(|stat| stat.parent == own && stat.name == name);
    Ok(child.with_context(|| format!("no child process named {name}"))?.pid)
}

/// A line of `/proc/<pid>/stat`, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    pid: u32,
    name: String,
    parent: u32,
    own_ticks: u32,
    ended_children_ticks: u32,
}

impl Stat {
    fn of(pid: u32) -> anyhow::Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let line = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Self::parse(&line).with_context(|| format!("cannot understand {path}"))
    }

    /// The name stands in parentheses and may itself hold blanks and parentheses.
    fn parse(line: &str) -> Option<Self> {
        let (pid, rest) = line.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // proc_pid_stat(5) counts from 1 and these fields begin with the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u32>().ok();
        Some(Self {
            pid: pid.parse().ok()?,
            name: name.to_owned(),
            parent: field(4)?,
            own_ticks: field(14)? + field(15)?,
            ended_children_ticks: field(16)? + field(17)?,
        })
    }
}

/// Of all processes; one that ends meanwhile is left out.
fn stats() -> anyhow::Result<Vec<Stat>> {
    let entries = fs::read_dir("/proc").context("cannot list /proc")?.flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(|pid| Stat::of(pid).ok()).collect())
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name_holds() {
        let line = "812 (a (b) c) S 7 812 812 0 -1 4194304 1 2 3 4 150 50 30 20 20 0 1 0 999 1 1";
        let expected = Stat {
            pid: 812,
            name: "a (b) c".to_owned(),
            parent: 7,
            own_ticks: 200,
            ended_children_ticks: 50,
        };
        assert_eq!(Stat::parse(line), Some(expected));
    }

    #[test]
    fn resident_memory_is_given_in_bytes() {
        assert_eq!(resident_bytes("VmPeak:\t  9 kB\nVmRSS:\t    24 kB\nRssAnon: 1 kB\n"), Some(24 * 1024));
        assert_eq!(resident_bytes("VmPeak:\t 9 kB\n"), None);
    }
}
