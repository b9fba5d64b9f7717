use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use secrecy::SecretString;
use stallkeeper_persistence::Store;
use stallkeeper_persistence_postgres::{self as postgres, PostgresStore};
use stallkeeper_persistence_sqlite::{self as sqlite, SqliteStore};
use stallkeeper_tests::TestDatabase;
use tempfile::TempDir;

/// On what stories are told.
pub enum Backend {
    /// A copy of a migrated file for each story.
    Sqlite {
        /// Where the file lies.
        folder: TempDir,
    },
    /// A copy of the tests' migrated database for each story.
    Postgres,
}

/// One story's database.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    kept: Kept,
}

/// What goes when the story is over.
enum Kept {
    Sqlite { store: Arc<SqliteStore>, _folder: TempDir },
    Postgres { store: Arc<PostgresStore>, _database: TestDatabase },
}

const TEMPLATE: &str = "template.db";

impl Backend {
    /// Stories on SQLite; the files lie in memory where there is room for that, as no power cut is told of.
    ///
    /// # Errors
    /// A file that cannot be made.
    pub async fn sqlite() -> Result<Self> {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.context("a folder for databases")?;
        let store = open_sqlite(&folder.path().join(TEMPLATE)).await?;
        store.migrate().await.context("migrating the template")?;
        store.close().await;
        Ok(Self::Sqlite { folder })
    }

    /// A database in which nothing has happened.
    ///
    /// # Errors
    /// One that cannot be made.
    pub async fn open(&self) -> Result<Opened> {
        match self {
            Self::Sqlite { folder } => {
                let own = tempfile::tempdir_in(folder.path()).context("a folder for a story")?;
                let file = own.path().join("story.db");
                std::fs::copy(folder.path().join(TEMPLATE), &file).context("copying the template")?;
                let store = Arc::new(open_sqlite(&file).await?);
                Ok(Opened { store: store.clone(), kept: Kept::Sqlite { store, _folder: own } })
            }
            Self::Postgres => {
                let database = TestDatabase::clone_template().await;
                let url = SecretString::from(database.url());
                let store = PostgresStore::connect(&url, postgres::Options::default()).await?;
                let store = Arc::new(store);
                Ok(Opened { store: store.clone(), kept: Kept::Postgres { store, _database: database } })
            }
        }
    }
}

impl Opened {
    /// Lets go of it.
    pub async fn close(self) {
        drop(self.store);
        match self.kept {
            Kept::Sqlite { store, .. } => store.close().await,
            Kept::Postgres { store, .. } => store.close().await,
        }
    }
}

async fn open_sqlite(file: &std::path::Path) -> Result<SqliteStore> {
    let url = SecretString::from(format!("sqlite://{}", file.display()));
    Ok(SqliteStore::connect(&url, sqlite::Options::default()).await?)
}
