use std::time::Duration;

use sqlx::migrate::{Migrate, Migrator};
use sqlx::{Connection, PgConnection};
use stallkeeper_persistence::{SchemaState, StoreError};

use crate::PostgresStore;
use crate::error::store_error;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/postgres");

/// The lock that migrating workers share; any number that no other program is likely to use.
const LOCK: i64 = 0x5374_616c_6c6b_6565;

/// How long to wait before the lock is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

const TABLE: &str = "_sqlx_migrations";

/// Why the tables are not as this version of the worker expects them.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database cannot be reached: try again later.
    #[error("the database cannot be reached for migrating")]
    Unavailable(#[source] StoreError),
    /// Another worker migrates and does not come to an end.
    #[error("another worker has been migrating for {0:?}; look for it, or wait and try again")]
    Busy(Duration),
    /// The database was migrated by another version, or a migration does not run.
    #[error("the database cannot be migrated; is it one that a newer version of the worker has migrated?")]
    Refused(#[source] sqlx::migrate::MigrateError),
}

impl PostgresStore {
    /// Brings the tables up to date and says how many migrations ran.
    ///
    /// Several workers may do this at once: one migrates, the others wait for it.
    ///
    /// # Errors
    /// [`MigrateError`]
    pub async fn migrate(&self) -> Result<usize, MigrateError> {
        if self.schema_state().await? == SchemaState::Current {
            return Ok(0);
        }
        // The connection is closed at the end, and the lock ends with it, whatever happens.
        let mut connection = self.pool.acquire().await.map_err(unavailable)?.detach();
        let migrated = migrate_alone(&mut connection, self.options.migrate_timeout).await;
        if let Err(error) = connection.close().await {
            tracing::debug!(error = %error, "the migrating connection did not close well");
        }
        migrated
    }

    /// How the tables stand, without changing them.
    ///
    /// # Errors
    /// [`MigrateError::Unavailable`]
    pub async fn schema_state(&self) -> Result<SchemaState, MigrateError> {
        let applied = tokio::time::timeout(self.options.patience(), async {
            let mut connection = self.pool.acquire().await.map_err(unavailable)?;
            applied(&mut connection).await
        })
        .await
        .unwrap_or_else(|_| Err(unavailable(sqlx::Error::PoolTimedOut)))?;
        if applied.iter().any(|version| !MIGRATIONS.version_exists(*version)) {
            return Ok(SchemaState::Ahead);
        }
        match MIGRATIONS.iter().count() - applied.len() {
            0 => Ok(SchemaState::Current),
            missing => Ok(SchemaState::Behind { missing }),
        }
    }
}

async fn migrate_alone(connection: &mut PgConnection, patience: Duration) -> Result<usize, MigrateError> {
    tokio::time::timeout(patience, lock(connection)).await.map_err(|_| MigrateError::Busy(patience))??;
    // A migration of large tables may take its time.
    sqlx::query!("SELECT set_config('statement_timeout', '0', false)")
        .fetch_one(&mut *connection)
        .await
        .map_err(unavailable)?;
    let before = applied(connection).await?.len();
    unlocked().run_direct(None, connection, false).await.map_err(refused)?;
    Ok(applied(connection).await?.len() - before)
}

/// The migrations without the library's own lock, which waits where it should try.
fn unlocked() -> Migrator {
    let mut migrations = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    migrations.set_locking(false);
    migrations
}

/// Tries until the lock is free: a statement that waits for it would hold a snapshot meanwhile, for which
/// the other worker's `CREATE INDEX CONCURRENTLY` would wait in turn, and it would run into the time limit
/// for statements.
async fn lock(connection: &mut PgConnection) -> Result<(), MigrateError> {
    loop {
        let taken = sqlx::query_scalar!("SELECT pg_try_advisory_lock($1) AS \"taken!\"", LOCK)
            .fetch_one(&mut *connection)
            .await
            .map_err(unavailable)?;
        if taken {
            return Ok(());
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
}

/// The versions that ran, none where nothing ever did.
async fn applied(connection: &mut PgConnection) -> Result<Vec<i64>, MigrateError> {
    let migrated_once = sqlx::query_scalar!("SELECT to_regclass($1) IS NOT NULL AS \"there!\"", TABLE)
        .fetch_one(&mut *connection)
        .await
        .map_err(unavailable)?;
    if !migrated_once {
        return Ok(Vec::new());
    }
    let applied = connection.list_applied_migrations(TABLE).await.map_err(refused)?;
    Ok(applied.into_iter().map(|migration| migration.version).collect())
}

fn unavailable(error: sqlx::Error) -> MigrateError {
    MigrateError::Unavailable(store_error(error))
}

fn refused(error: sqlx::migrate::MigrateError) -> MigrateError {
    match error {
        sqlx::migrate::MigrateError::Execute(error) => unavailable(error),
        error => MigrateError::Refused(error),
    }
}
