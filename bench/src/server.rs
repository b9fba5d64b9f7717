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

    /// Lets it learn what a database holds.
    pub(crate) fn analyze(&self, name: &str) -> anyhow::Result<()> {
        self.sql_in(name, "VACUUM ANALYZE").map(drop)
    }

    /// How many rows of a table were read so far, by whatever means.
    pub(crate) async fn rows_read(&self, name: &str, table: &str) -> anyhow::Result<u64> {
        let statement = format!(
            "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables \
             WHERE relname = '{table}'"
        );
        // A session that has become idle tells of what it read ten seconds later.
        tokio::time::sleep(Duration::from_secs(11)).await;
        Ok(self.sql_in(name, &statement)?.trim().parse()?)
    }

    fn sql(&self, statement: &str) -> anyhow::Result<String> {
        self.sql_in("postgres", statement)
    }

    fn sql_in(&self, name: &str, statement: &str) -> anyhow::Result<String> {
        let url = self.cluster.url(name);
        let options = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"];
        capture(Command::new("psql").args(options).args(["--dbname", &url, "--command", statement]))
    }
}
