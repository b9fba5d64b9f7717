use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use xtask::postgres::free_port;

use crate::process::{Process, capture, tied};
use crate::seller;
use crate::simulator::Simulator;

/// `stallkeeper` as a seller sets it up: all defaults, and signatures enforced.
#[derive(Debug)]
pub(crate) struct Installation {
    binary: PathBuf,
    folder: TempDir,
    database_url: String,
}

impl Installation {
    /// Writes the configuration for a simulator, with the calls to SQS going to `sqs_url`, and brings the
    /// database to its schema.
    pub(crate) async fn new(
        binary: &Path,
        simulator: &Simulator,
        sqs_url: &str,
        database_url: &str,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let roots = folder.path().join("root.pem");
        fs::write(&roots, simulator.root_pem().await?)?;
        let config = config(simulator, sqs_url, &roots);
        Self::with(binary, folder, database_url, &config)
    }

    /// The same with [`seller`]'s product, and no marketplace that could be reached.
    pub(crate) fn of_seller(binary: &Path, database_url: &str) -> anyhow::Result<Self> {
        Self::with(binary, tempfile::tempdir()?, database_url, &seller::config())
    }

    /// The same on the marketplace that a simulator plays, by whose clock the worker works.
    pub(crate) async fn of_seller_at(
        binary: &Path,
        simulator: &Simulator,
        database_url: &str,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let roots = folder.path().join("root.pem");
        fs::write(&roots, simulator.root_pem().await?)?;
        let config = seller::config_at(simulator, &roots);
        Self::with(binary, folder, database_url, &config)
    }

    fn with(binary: &Path, folder: TempDir, database_url: &str, config: &str) -> anyhow::Result<Self> {
        fs::write(folder.path().join("stallkeeper.toml"), config)?;
        let installation = Self { binary: binary.to_owned(), folder, database_url: database_url.to_owned() };
        capture(&mut installation.command("migrate"))?;
        Ok(installation)
    }

    /// Starts the worker; its logs go to a file.
    pub(crate) fn start(&self) -> anyhow::Result<Process> {
        self.start_role("all").map(|(process, _url)| process)
    }

    /// The same with a part of its work only; gives where it answers the app, too.
    pub(crate) fn start_role(&self, role: &str) -> anyhow::Result<(Process, String)> {
        let listen = format!("127.0.0.1:{}", free_port()?);
        let url = format!("http://{listen}");
        let mut command = self.command("run");
        command.args(["--role", role]).env("STALLKEEPER_INTERNAL_LISTEN", listen);
        Ok((Process::spawn(&mut command, &self.folder.path().join("worker.log"))?, url))
    }

    /// What the worker has written to its log.
    pub(crate) fn log(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.folder.path().join("worker.log"))?)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = tied(&self.binary);
        command.arg(verb).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.env("STALLKEEPER_CONFIG", self.folder.path().join("stallkeeper.toml"));
        command.env("STALLKEEPER_DATABASE_URL", &self.database_url);
        command.envs(credentials());
        command
    }
}

/// What every program that calls the simulator's SQS needs.
pub(crate) fn credentials() -> [(&'static str, &'static str); 4] {
    [
        ("AWS_ACCESS_KEY_ID", "bench"),
        ("AWS_SECRET_ACCESS_KEY", "bench"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
}

fn config(simulator: &Simulator, sqs_url: &str, roots: &Path) -> String {
    let (url, queue_url) = (simulator.url(), simulator.queue_url());
    let (topics, rule) = (Simulator::topic_arns("simsearch"), Simulator::rule_arn());
    format!(
        r#"
[signature]
policy = "enforce"
certificate_base_url = "{url}"
trusted_roots = "{}"

[[marketplace]]
name = "aws"
kind = "aws"
queue_url = "{queue_url}"
topic_arns = {topics:?}
region = "us-east-1"
endpoint_url = {{ sqs = "{sqs_url}", sns = "{url}" }}

[marketplace.eventbridge]
rule_arn = "{rule}"

[[product]]
key = "search"
[[product.listing]]
marketplace = "aws"
code = "simsearch"

[[product]]
key = "vault"
[[product.listing]]
marketplace = "aws"
code = "simvault"
"#,
        roots.display()
    )
}
