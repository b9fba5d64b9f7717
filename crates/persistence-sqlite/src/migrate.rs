use sqlx::SqliteConnection;
use sqlx::migrate::{Migrate, Migrator};
use stallkeeper_persistence::{SchemaState, StoreError};

use crate::SqliteStore;
use crate::lane::Lane;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

const TABLE: &str = "_sqlx_migrations";

/// Why the tables are not as this version of the worker expects them.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The file cannot be used now: try again later.
    #[error("the database cannot be reached for migrating")]
    Unavailable(#[source] StoreError),
    /// The database was migrated by another version, or a migration does not run.
    #[error("the database cannot be migrated; is it one that a newer version of the worker has migrated?")]
    Refused(#[source] sqlx::migrate::MigrateError),
}

impl SqliteStore {
    /// Brings the tables up to date and says how many migrations ran.
    ///
    /// All of it is one transaction that holds the file's write lock, so another process waits and then
    /// finds nothing to do.
    ///
    /// # Errors
    /// [`MigrateError`]
    pub async fn migrate(&self) -> Result<usize, MigrateError> {
        if self.schema_state().await? == SchemaState::Current {
            return Ok(0);
        }
        let mut write = self.writer.begin(Lane::Notifications).await.map_err(MigrateError::Unavailable)?;
        let before = applied(write.connection()).await?.len();
        MIGRATIONS.run_direct(None, write.connection(), false).await.map_err(refused)?;
        let after = applied(write.connection()).await?.len();
        write.commit().await.map_err(MigrateError::Unavailable)?;
        Ok(after - before)
    }

    /// How the tables stand, without changing them.
    ///
    /// # Errors
    /// [`MigrateError::Unavailable`]
    pub async fn schema_state(&self) -> Result<SchemaState, MigrateError> {
        let mut connection = self.readers.acquire().await.map_err(unavailable)?;
        let applied = applied(&mut connection).await?;
        if applied.iter().any(|version| !MIGRATIONS.version_exists(*version)) {
            return Ok(SchemaState::Ahead);
        }
        match MIGRATIONS.iter().count() - applied.len() {
            0 => Ok(SchemaState::Current),
            missing => Ok(SchemaState::Behind { missing }),
        }
    }
}

/// The versions that ran, none where nothing ever did.
async fn applied(connection: &mut SqliteConnection) -> Result<Vec<i64>, MigrateError> {
    let tables =
        sqlx::query_scalar!("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1", TABLE,)
            .fetch_one(&mut *connection)
            .await
            .map_err(unavailable)?;
    if tables == 0 {
        return Ok(Vec::new());
    }
    let applied = connection.list_applied_migrations(TABLE).await.map_err(refused)?;
    Ok(applied.into_iter().map(|migration| migration.version).collect())
}

fn unavailable(error: sqlx::Error) -> MigrateError {
    MigrateError::Unavailable(crate::error::store_error(error))
}

fn refused(error: sqlx::migrate::MigrateError) -> MigrateError {
    match error {
        sqlx::migrate::MigrateError::Execute(error) => unavailable(error),
        error => MigrateError::Refused(error),
    }
}
