use std::process::Command;
use std::time::Duration;

use xtask::postgres::{Cluster, Durability};

use crate::process::{capture, family_cpu, own_child};

/// A Postgres of the bench's own, durable as a seller runs it.
#[derive(Debug)]
pub(crate) struct Server {
    cluster: Cluster,
    postmaster: u32,
}

impl Server {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let cluster = Cluster::create(Durability::Fsync)?;
        let postmaster = own_child("postgres")?;
        Ok(Self { cluster, postmaster })
    }

    /// Makes a fresh database and gives its URL; what was written before is on the disk then, so that it costs
    /// the next measurement nothing.
    pub(crate) fn create_database(&self, name: &str) -> anyhow::Result<String> {
        self.sql(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        self.sql(&format!("CREATE DATABASE {name}"))?;
        self.settle()?;
        Ok(self.cluster.url(name))
    }

    /// Writes all that is in memory to the disk.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        self.sql("CHECKPOINT").map(drop)
    }

    pub(crate) fn version(&self) -> anyhow::Result<String> {
        Ok(self.sql("SHOW server_version")?.trim().to_owned())
    }

    /// Processor time of all its processes so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        family_cpu(self.postmaster)
    }

    fn sql(&self, statement: &str) -> anyhow::Result<String> {
        let url = self.cluster.url("postgres");
        let options = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"];
        capture(Command::new("psql").args(options).args(["--dbname", &url, "--command", statement]))
    }
}
