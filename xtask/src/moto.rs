//! moto: SQS and SNS that nobody here wrote, in a virtual environment of its own.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::pinned::Pinned;
use crate::postgres::free_port;
use crate::program::{bounded, capture, succeeds, tied, wait_until};
use crate::tree::Tree;

const REQUIREMENTS: &str = "tests/requirements.txt";
const PINNED: Pinned = Pinned { what: "moto and schemathesis", prefix: "test-venv-", files: &[REQUIREMENTS] };
const START_LIMIT: Duration = Duration::from_mins(1);

/// A moto server on a loopback port, stopped when dropped.
#[derive(Debug)]
pub(crate) struct Moto {
    port: u16,
    python: PathBuf,
    server: Child,
}

impl Moto {
    pub(crate) fn start(tree: &Tree) -> Result<Self> {
        let (port, python) = (free_port()?, python(tree)?);
        let log_path = tree.target().join(format!("moto-{port}.log"));
        let log = File::create(&log_path).context("cannot write moto's log")?;
        let mut command = tied(&python);
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
        let server = command.stdout(log.try_clone()?).stderr(log).spawn().context("cannot start moto")?;
        let mut moto = Self { port, python, server };
        wait_until("moto taking connections", START_LIMIT, || {
            if let Some(status) = moto.server.try_wait()? {
                bail!("moto ended with {status}:\n{}", fs::read_to_string(&log_path).unwrap_or_default());
            }
            Ok(TcpStream::connect(("127.0.0.1", port)).is_ok())
        })?;
        // The server holds the open file; a later run need not find an old one.
        fs::remove_file(&log_path).context("cannot remove moto's log")?;
        Ok(moto)
    }

    /// The Python that it runs on, with all that tests/requirements.txt pins.
    pub(crate) fn python(&self) -> &Path {
        &self.python
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        if let Err(error) = self.server.kill().and_then(|()| self.server.wait()) {
            eprintln!("moto did not stop: {error}");
        }
    }
}

/// The virtual environment's Python.
pub(crate) fn python(tree: &Tree) -> Result<PathBuf> {
    Ok(PINNED.installed(tree)?.join("bin/python"))
}

/// Installs the packages as tests/requirements.txt pins them.
pub(crate) fn install(tree: &Tree) -> Result<()> {
    PINNED.install(tree, |venv| {
        capture(Command::new(system_python()).args(["-m", "venv"]).arg(venv))?;
        let mut pip = bounded(venv.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        capture(pip.arg("--requirement").arg(tree.root().join(REQUIREMENTS))).map(drop)
    })
}

/// Whether some Python here can make virtual environments; Debian ships that as a package of its own.
pub(crate) fn python_can_make_venvs() -> bool {
    succeeds(Command::new(system_python()).args(["-c", "import ensurepip, venv"]))
}

fn system_python() -> &'static str {
    const DEBIAN: &str = "/usr/bin/python3";
    if fs::exists(DEBIAN).unwrap_or_default() { DEBIAN } else { "python3" }
}
