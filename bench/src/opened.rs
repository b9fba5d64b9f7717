//! A worker's database, opened without a worker.

use std::sync::Arc;

use secrecy::SecretString;
use stallkeeper_persistence::Store;
use stallkeeper_persistence_postgres::{self as postgres, PostgresStore};
use stallkeeper_persistence_sqlite::{self as sqlite, SqliteStore};

use crate::stand::Database;

/// A database at this version's schema; to be closed before a worker starts on it.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    kept: Kept,
}

enum Kept {
    Postgres(Arc<PostgresStore>),
    Sqlite(Arc<SqliteStore>),
}

impl Opened {
    pub(crate) async fn at(database: Database, url: &str) -> anyhow::Result<Self> {
        let url = SecretString::from(url.to_owned());
        match database {
            Database::Postgres => {
                let store = PostgresStore::connect(&url, postgres::Options::default()).await?;
                store.migrate().await?;
                let store = Arc::new(store);
                Ok(Self { store: store.clone(), kept: Kept::Postgres(store) })
            }
            Database::Sqlite => {
                let store = SqliteStore::connect(&url, sqlite::Options::default()).await?;
                store.migrate().await?;
                let store = Arc::new(store);
                Ok(Self { store: store.clone(), kept: Kept::Sqlite(store) })
            }
        }
    }

    pub(crate) async fn close(self) {
        drop(self.store);
        match self.kept {
            Kept::Postgres(store) => store.close().await,
            Kept::Sqlite(store) => store.close().await,
        }
    }
}
