//! A Postgres cluster of one's own: made, started, stopped and thrown away.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::program::{capture, succeeds, tied_unprivileged, wait_until};

const START_LIMIT: Duration = Duration::from_secs(30);

/// What a cluster promises about a commit that it has answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// Nothing outlives a crash of the machine: fast, and right for tests.
    None,
    /// fsync on, as a seller runs it: for measurements.
    Fsync,
}

/// A cluster in a temporary folder, on a loopback port that it keeps when it is stopped and started again.
///
/// It is stopped and removed when dropped, and the server stops by itself when the thread that started it
/// ends, so start it from a thread that lives as long as the cluster.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    durability: Durability,
    server: Option<Child>,
}

impl Cluster {
    /// Makes a fresh cluster and starts it.
    ///
    /// # Errors
    /// When the server's programs are missing (`cargo xtask setup` installs them) or it does not start.
    pub fn create(durability: Durability) -> Result<Self> {
        sweep_abandoned();
        let pattern =
            std::env::temp_dir().join(format!("stallkeeper-{}-postgres-XXXXXX", std::process::id()));
        let folder = capture(tied_unprivileged("mktemp").arg("--directory").arg(pattern))?;
        let mut cluster =
            Self { folder: PathBuf::from(folder.trim_end()), port: free_port()?, durability, server: None };
        capture(
            tied_unprivileged(server_program("initdb")?)
                .arg("--pgdata")
                .arg(cluster.data())
                .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"])
                .args(["--no-sync", "--no-instructions"]),
        )?;
        cluster.start()?;
        Ok(cluster)
    }

    /// Starts a stopped cluster and waits until it takes connections.
    ///
    /// # Errors
    /// When it ends at once or is not ready in time; its log is in the message.
    pub fn start(&mut self) -> Result<()> {
        if self.server.is_some() {
            return Ok(());
        }
        let log = File::create(self.folder.join("log")).context("cannot write the server's log")?;
        let server = self.server_command()?.stdout(log.try_clone()?).stderr(log).spawn();
        let mut server = server.context("cannot start postgres")?;
        let ready = wait_until("Postgres taking connections", START_LIMIT, || {
            if let Some(status) = server.try_wait()? {
                bail!("postgres ended with {status}");
            }
            Ok(succeeds(
                Command::new(server_program("pg_isready")?)
                    .args(["--host=127.0.0.1", "--timeout=1"])
                    .arg(format!("--port={}", self.port)),
            ))
        });
        self.server = Some(server);
        ready.with_context(|| fs::read_to_string(self.folder.join("log")).unwrap_or_default())
    }

    /// Stops the server as an operator would who does not wait for its clients; what is stored stays.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop(&mut self) -> Result<()> {
        self.stop_by("fast")
    }

    /// Ends the server as a crash of it would: the next start recovers what was committed.
    ///
    /// # Errors
    /// When it does not end.
    pub fn crash(&mut self) -> Result<()> {
        self.stop_by("immediate")
    }

    fn stop_by(&mut self, mode: &str) -> Result<()> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        let stopped = capture(
            tied_unprivileged(server_program("pg_ctl")?)
                .args(["stop", "--wait", "--mode", mode, "--pgdata"])
                .arg(self.data()),
        );
        if stopped.is_err() {
            server.kill().context("cannot end postgres")?;
        }
        server.wait().context("cannot wait for postgres to end")?;
        Ok(())
    }

    /// The connection URL of a database in this cluster, as its superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL in a database through psql, stopping at the first error.
    pub(crate) fn psql(&self, database: &str) -> Result<Command> {
        let mut psql = Command::new(server_program("psql")?);
        psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname"]).arg(self.url(database));
        Ok(psql)
    }

    fn server_command(&self) -> Result<Command> {
        let mut command = tied_unprivileged(server_program("postgres")?);
        command.arg("-D").arg(self.data());
        let mut set = |name: &str, value: &str| {
            command.arg("-c").arg(format!("{name}={value}"));
        };
        set("listen_addresses", "127.0.0.1");
        set("port", &self.port.to_string());
        set("unix_socket_directories", "");
        set("max_connections", "200");
        if self.durability == Durability::None {
            set("fsync", "off");
            set("synchronous_commit", "off");
            set("full_page_writes", "off");
        }
        Ok(command)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("Postgres did not stop: {error:#}");
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("cannot remove {}: {error}", self.folder.display());
        }
    }
}

/// Debian keeps the server's programs out of the path; the newest version wins.
pub(crate) fn server_program(name: &str) -> Result<PathBuf> {
    let version = |folder: &Path| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions
        .map(|entry| entry.path())
        .filter(|folder| folder.join("bin").join(name).is_file())
        .max_by_key(|folder| version(folder))
        .map(|folder| folder.join("bin").join(name))
        .with_context(|| format!("Postgres' {name} is not installed; run `cargo xtask setup`"))
}

/// A free loopback port below the range that the kernel hands to outgoing connections, so that it stays
/// free while a server that owns it is stopped for a moment.
///
/// # Errors
/// When none is free, or loopback is missing.
pub fn free_port() -> Result<u16> {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or_default();
    for _ in 0..COUNT {
        let offset = (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        if TcpListener::bind(("127.0.0.1", FIRST + offset)).is_ok() {
            return Ok(FIRST + offset);
        }
    }
    bail!("no loopback port is free between {FIRST} and {}", FIRST + COUNT)
}

/// Removes the folders of clusters whose process was killed before it could.
fn sweep_abandoned() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix("stallkeeper-"))
            .and_then(|rest| rest.split_once("-postgres-"))
            .and_then(|(pid, _)| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // It may be another user's, or be removed at this moment by another run: both are harmless.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
