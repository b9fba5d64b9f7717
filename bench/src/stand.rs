use std::path::Path;

use tempfile::TempDir;

use crate::cli::Programs;
use crate::server::Server;
use crate::simulator::Simulator;

/// Buyers act the same in every measurement.
const SEED: u64 = 7;

/// What all measurements have in common; each of them makes its own simulator and databases.
#[derive(Debug)]
pub(crate) struct Stand<'args> {
    pub(crate) programs: &'args Programs,
    pub(crate) server: Server,
    folder: TempDir,
}

/// The two databases that a worker can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Postgres,
    Sqlite,
}

impl Database {
    /// Both, in the order in which they are measured.
    pub(crate) const ALL: [Self; 2] = [Self::Postgres, Self::Sqlite];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "Postgres",
            Self::Sqlite => "SQLite",
        }
    }
}

impl<'args> Stand<'args> {
    pub(crate) fn open(programs: &'args Programs) -> anyhow::Result<Self> {
        Ok(Self { programs, server: Server::start()?, folder: tempfile::tempdir()? })
    }

    pub(crate) fn binary(&self) -> &Path {
        &self.programs.binary
    }

    /// For logs and the like.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A simulator with nothing in its queue.
    pub(crate) fn simulator(&self) -> anyhow::Result<Simulator> {
        Simulator::start(self.binary(), self.folder())
    }

    /// A simulator with so many notifications in its queue.
    pub(crate) async fn loaded_simulator(&self, notifications: u64) -> anyhow::Result<Simulator> {
        let simulator = self.simulator()?;
        simulator.preload(notifications, SEED).await?;
        Ok(simulator)
    }

    /// The URL of a fresh database, of that name.
    pub(crate) fn fresh(&self, database: Database, name: &str) -> anyhow::Result<String> {
        match database {
            Database::Postgres => self.server.create_database(name),
            Database::Sqlite => {
                let file = self.folder().join(format!("{name}.db"));
                for end in ["", "-wal", "-shm"] {
                    let old = format!("{}{end}", file.display());
                    if std::fs::exists(&old)? {
                        std::fs::remove_file(&old)?;
                    }
                }
                Ok(format!("sqlite://{}", file.display()))
            }
        }
    }

    /// The server whose time counts beside a process on that database.
    pub(crate) fn server_of(&self, database: Database) -> Option<&Server> {
        (database == Database::Postgres).then_some(&self.server)
    }
}
