//! moto: SQS and SNS that nobody here wrote, in a virtual environment of its own.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::postgres::free_port;
use crate::program::{capture, succeeds, tied, wait_until};
use crate::tree::Tree;

const VENV_PREFIX: &str = "test-venv-";
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
    let venv = venv(tree)?;
    if !venv.join("ready").is_file() {
        bail!("moto is not installed as tests/requirements.txt pins it; run `cargo xtask setup`");
    }
    Ok(venv.join("bin/python"))
}

/// Installs moto as pinned, unless that very set is there already; older sets are removed.
pub(crate) fn install(tree: &Tree) -> Result<()> {
    let venv = venv(tree)?;
    if venv.join("ready").is_file() {
        return Ok(());
    }
    println!("installing moto into {}", venv.display());
    remove_old_venvs(tree)?;
    capture(Command::new(system_python()).args(["-m", "venv"]).arg(&venv))?;
    capture(
        Command::new(venv.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--requirement",
            ])
            .arg(requirements(tree)),
    )?;
    File::create(venv.join("ready")).context("cannot mark the virtual environment as ready")?;
    Ok(())
}

/// Whether some Python here can make virtual environments; Debian ships that as a package of its own.
pub(crate) fn python_can_make_venvs() -> bool {
    succeeds(Command::new(system_python()).args(["-c", "import ensurepip, venv"]))
}

fn system_python() -> &'static str {
    const DEBIAN: &str = "/usr/bin/python3";
    if fs::exists(DEBIAN).unwrap_or_default() { DEBIAN } else { "python3" }
}

fn requirements(tree: &Tree) -> PathBuf {
    tree.root().join("tests/requirements.txt")
}

/// Named by what the requirements say, so that a changed pin makes a new one.
fn venv(tree: &Tree) -> Result<PathBuf> {
    let pins = fs::read(requirements(tree)).context("cannot read tests/requirements.txt")?;
    let mut hasher = DefaultHasher::new();
    pins.hash(&mut hasher);
    Ok(tree.target().join(format!("{VENV_PREFIX}{:016x}", hasher.finish())))
}

fn remove_old_venvs(tree: &Tree) -> Result<()> {
    for entry in fs::read_dir(tree.target()).context("cannot list the target folder")? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(VENV_PREFIX) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
