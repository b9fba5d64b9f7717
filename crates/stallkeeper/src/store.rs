//! Opens the database that the configuration names.

use std::error::Error;
use std::sync::Arc;

use secrecy::SecretString;
use stallkeeper_persistence::{SchemaState, Store};
use stallkeeper_persistence_postgres::{self as postgres, PostgresStore};
use stallkeeper_persistence_sqlite::{self as sqlite, MissingFile, SqliteStore};

use crate::config::DatabaseKind;

/// Why the database is not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It may answer later.
    #[error("the database cannot be opened now")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// Trying again is useless.
    #[error("the database cannot be used")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// Its tables are not those of this version.
    #[error("the database's tables are {0}")]
    Schema(&'static str),
    /// No database that is known.
    #[error("the database URL begins neither with sqlite: nor with postgres:")]
    Scheme,
}

/// An open database.
pub struct Opened {
    /// The database.
    pub store: Arc<dyn Store>,
    /// How its tables stand, or after migrating stood before.
    pub schema: SchemaState,
}

/// Opens the database and brings its tables up to date.
///
/// # Errors
/// [`OpenError`] says whether trying again can help.
pub async fn open_migrated(url: &SecretString) -> Result<Arc<dyn Store>, OpenError> {
    migrate(url).await.map(|(store, _)| store)
}

/// Opens the database, brings its tables up to date and says how many migrations ran.
///
/// # Errors
/// [`OpenError`] says whether trying again can help.
pub async fn migrate(url: &SecretString) -> Result<(Arc<dyn Store>, usize), OpenError> {
    match kind(url)? {
        DatabaseKind::Postgres => {
            let store = PostgresStore::connect(url, postgres::Options::default()).await?;
            let count = store.migrate().await?;
            Ok((Arc::new(store), count))
        }
        DatabaseKind::Sqlite => {
            let store = SqliteStore::connect(url, sqlite::Options::default()).await?;
            let count = store.migrate().await?;
            Ok((Arc::new(store), count))
        }
    }
}

/// Opens the database as it is; a file that is missing is not made.
///
/// # Errors
/// [`OpenError`] says whether trying again can help.
pub async fn open(url: &SecretString) -> Result<Opened, OpenError> {
    match kind(url)? {
        DatabaseKind::Postgres => {
            let store = PostgresStore::connect(url, postgres::Options::default()).await?;
            let schema = store.schema_state().await?;
            Ok(Opened { store: Arc::new(store), schema })
        }
        DatabaseKind::Sqlite => {
            let store = SqliteStore::connect(
                url,
                sqlite::Options { missing: MissingFile::Refuse, ..sqlite::Options::default() },
            )
            .await?;
            let schema = store.schema_state().await?;
            Ok(Opened { store: Arc::new(store), schema })
        }
    }
}

/// Opens the database, where its tables are those of this version.
///
/// # Errors
/// [`OpenError`] says whether trying again can help.
pub async fn open_current(url: &SecretString) -> Result<Arc<dyn Store>, OpenError> {
    let Opened { store, schema } = open(url).await?;
    match schema {
        SchemaState::Current => Ok(store),
        SchemaState::Behind { .. } => {
            Err(OpenError::Schema("older than this version; run `stallkeeper migrate`"))
        }
        SchemaState::Ahead => {
            Err(OpenError::Schema("newer than this version; use the version that migrated it"))
        }
    }
}

fn kind(url: &SecretString) -> Result<DatabaseKind, OpenError> {
    DatabaseKind::of(url).ok_or(OpenError::Scheme)
}

impl From<postgres::ConnectError> for OpenError {
    fn from(error: postgres::ConnectError) -> Self {
        match error {
            postgres::ConnectError::Unreachable { .. } => Self::Unavailable(error.into()),
            _ => Self::Refused(error.into()),
        }
    }
}

impl From<postgres::MigrateError> for OpenError {
    fn from(error: postgres::MigrateError) -> Self {
        match error {
            postgres::MigrateError::Refused(_) => Self::Refused(error.into()),
            _ => Self::Unavailable(error.into()),
        }
    }
}

impl From<sqlite::ConnectError> for OpenError {
    fn from(error: sqlite::ConnectError) -> Self {
        match error {
            sqlite::ConnectError::Busy { .. } => Self::Unavailable(error.into()),
            _ => Self::Refused(error.into()),
        }
    }
}

impl From<sqlite::MigrateError> for OpenError {
    fn from(error: sqlite::MigrateError) -> Self {
        match error {
            sqlite::MigrateError::Refused(_) => Self::Refused(error.into()),
            sqlite::MigrateError::Unavailable(_) => Self::Unavailable(error.into()),
        }
    }
}
