//! The built binary as a seller runs it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use tempfile::TempDir;
use xtask::postgres::free_port;

use crate::{environment, eventually};

/// Long enough for a loaded machine to start a worker, or to stop one within its grace period.
const PATIENCE: Duration = Duration::from_mins(1);

/// A configuration on disk: what several workers and one-shot commands may share.
#[derive(Debug)]
pub struct Installation {
    folder: TempDir,
    variables: Vec<(String, String)>,
    public_port: Option<u16>,
}

/// A running `stallkeeper run`; killed when dropped.
///
/// Start it in the test's own body: the process ends with the thread that started it.
#[derive(Debug)]
pub struct Worker {
    process: Child,
    internal: String,
    public: String,
    log: PathBuf,
}

/// A command that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit status, or `None` after a signal.
    pub status: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said about it.
    pub stderr: String,
}

/// What stands in the way of a worker, as `/readyz` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The part that it is about, such as `database` or `queue aws`.
    pub part: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl Installation {
    /// Writes the configuration file; the database is named by the environment, as documented.
    pub fn new(config_toml: &str, database_url: &str) -> Self {
        let folder = tempfile::tempdir().expect("cannot make a folder for the configuration");
        fs::write(folder.path().join("stallkeeper.toml"), config_toml).expect("cannot write a configuration");
        let installation = Self { folder, variables: Vec::new(), public_port: None };
        installation
            .variable("STALLKEEPER_DATABASE_URL", database_url)
            .variable("AWS_ACCESS_KEY_ID", "test")
            .variable("AWS_SECRET_ACCESS_KEY", "test")
            .variable("AWS_REGION", "us-east-1")
            .variable("AWS_EC2_METADATA_DISABLED", "true")
            .variable("RUST_BACKTRACE", "1")
    }

    /// Sets an environment variable for every process of this installation; nothing else is inherited but
    /// the path.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Serves buyers at this port, of which others have to know beforehand; one worker at a time.
    #[must_use]
    pub fn with_public_port(self, port: u16) -> Self {
        Self { public_port: Some(port), ..self }
    }

    /// A file beside the configuration, such as a root certificate; gives its path.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("cannot write a file beside the configuration");
        path
    }

    /// Replaces the configuration; running workers do not notice.
    pub fn reconfigure(&self, config_toml: &str) {
        self.write("stallkeeper.toml", config_toml);
    }

    /// Starts `stallkeeper run` without waiting for it, on ports of its own.
    pub fn start(&self) -> Worker {
        self.start_with(&[])
    }

    /// The same with further arguments of `run`, such as `--dry-run`.
    pub fn start_with(&self, args: &[&str]) -> Worker {
        let port = || free_port().expect("no port is free");
        let internal = format!("127.0.0.1:{}", port());
        let public = format!("127.0.0.1:{}", self.public_port.unwrap_or_else(port));
        let log = self.folder.path().join(format!("worker-{internal}.log"));
        let output = File::create(&log).expect("cannot write the worker's log");
        let mut command = self.command(&["run"]);
        command.args(args);
        command.env("STALLKEEPER_INTERNAL_LISTEN", &internal).env("STALLKEEPER_PUBLIC_LISTEN", &public);
        command.env("STALLKEEPER_PUBLIC_URL", format!("http://{public}"));
        command.stdout(output.try_clone().expect("cannot share the log")).stderr(output);
        let process = command.spawn().expect("cannot start the worker");
        Worker { process, internal, public, log }
    }

    /// Starts a worker and waits until it says that it is ready.
    pub async fn start_ready(&self) -> Worker {
        let mut worker = self.start();
        worker.wait_until_ready().await;
        worker
    }

    /// Runs one command to its end, such as `["subscriptions", "show", "…", "--json"]`.
    pub fn run(&self, args: &[&str]) -> Finished {
        let output = self.command(args).output().expect("cannot start the command");
        Finished {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The binary in an environment of its own; the kernel kills it with the test.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig=KILL").arg(environment("STALLKEEPER_TEST_BINARY")).args(args);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", self.folder.path());
        command.env("STALLKEEPER_CONFIG", self.folder.path().join("stallkeeper.toml"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.folder.path());
        command
    }
}

impl Worker {
    /// Where `/healthz`, `/readyz`, `/metrics` and `/v1` answer, without a closing slash.
    pub fn internal_url(&self) -> String {
        format!("http://{}", self.internal)
    }

    /// Where buyers' pages answer, without a closing slash.
    pub fn public_url(&self) -> String {
        format!("http://{}", self.public)
    }

    /// Status and body of a GET at the internal address; `None` while nothing answers there.
    pub async fn get(&self, path: &str) -> Option<(u16, String)> {
        let answer = reqwest::get(format!("{}{path}", self.internal_url())).await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.text().await.ok()?))
    }

    /// What a metric counts, summed over its labels; `name` may end inside of them, as in `name{result="ok"`.
    pub async fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics").await.expect("the worker does not answer");
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let (label, value) = rest.rsplit_once(' ')?;
            let is_whole = name.contains('{') || label.is_empty() || label.starts_with('{');
            if is_whole { value.parse::<f64>().ok() } else { None }
        });
        values.sum()
    }

    /// Whether `/readyz` answers that the worker is ready.
    pub async fn is_ready(&self) -> bool {
        matches!(self.get("/readyz").await, Some((200, _)))
    }

    /// What `/readyz` names; nothing where it is ready, or does not answer yet.
    pub async fn problems(&self) -> Vec<Problem> {
        let Some((_, body)) = self.get("/readyz").await else { return Vec::new() };
        let report: serde_json::Value = serde_json::from_str(&body).expect("readiness is told as JSON");
        let text = |problem: &serde_json::Value, field: &str| {
            problem
                .get(field)
                .and_then(serde_json::Value::as_str)
                .expect("a problem is told in words")
                .to_owned()
        };
        let problems = report.get("problems").and_then(serde_json::Value::as_array);
        let problem = |told: &serde_json::Value| Problem {
            part: text(told, "part"),
            problem: text(told, "problem"),
            remedy: text(told, "remedy"),
        };
        problems.expect("readiness lists its problems").iter().map(problem).collect()
    }

    /// Waits until the worker is ready; one that ends instead fails at once, with its log.
    pub async fn wait_until_ready(&mut self) {
        let (url, log, process) = (self.internal_url(), self.log.clone(), &mut self.process);
        eventually("the worker is ready", PATIENCE, async || {
            if let Some(status) = process.try_wait().expect("cannot look after the worker") {
                panic!("the worker ended with {status}:\n{}", fs::read_to_string(&log).unwrap_or_default());
            }
            let answer = reqwest::get(format!("{url}/readyz")).await;
            answer.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    /// Waits until `/readyz` answers that the worker is not ready.
    pub async fn wait_until_unready(&self) {
        eventually("the worker is not ready", PATIENCE, async || {
            matches!(self.get("/readyz").await, Some((503, _)))
        })
        .await;
    }

    /// SIGKILL: the process ends without a last word.
    pub fn kill(mut self) {
        self.process.kill().expect("cannot kill the worker");
        self.process.wait().expect("cannot wait for the worker");
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().expect("cannot look after the worker").is_some()
    }

    /// SIGTERM, without waiting for what it does.
    pub fn terminate(&self) {
        let kill = format!("kill -TERM {}", self.process.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("cannot start sh");
        assert!(status.success(), "the worker had ended before it was told to:\n{}", self.logs());
    }

    /// Waits until the process has ended.
    pub async fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        let process = &mut self.process;
        eventually("the worker has ended", PATIENCE, async || {
            status = process.try_wait().expect("cannot look after the worker");
            status.is_some()
        })
        .await;
        status.expect("just seen")
    }

    /// SIGTERM, and the status that the worker ends with.
    pub async fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.wait().await
    }

    /// What the worker has logged until now.
    pub fn logs(&self) -> String {
        fs::read_to_string(&self.log).expect("cannot read the worker's log")
    }

    /// The process' id.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- the worker's log\n{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

impl Finished {
    /// What was printed, as JSON; panics, with everything, when the command failed.
    pub fn json(&self) -> serde_json::Value {
        self.expect_success();
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.stdout))
    }

    /// Panics, with everything that was printed, unless the exit status is 0.
    pub fn expect_success(&self) -> &Self {
        let Self { status, stdout, stderr } = self;
        assert_eq!(*status, Some(0), "the command failed:\n{stdout}\n{stderr}");
        self
    }
}
