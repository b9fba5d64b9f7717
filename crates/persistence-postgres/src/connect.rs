use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, PgConnection};
use stallkeeper_persistence::StoreError;

use crate::error::bounded;

/// How long a connection may take to show that it is alive.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// How much longer the worker waits than the server was told to work.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

/// How a store uses its database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many connections there are at the most.
    pub connections_max: u32,
    /// How long to wait for a connection, new or given back.
    pub acquire_timeout: Duration,
    /// How long a statement may run.
    pub statement_timeout: Duration,
    /// How long a statement may wait for another transaction.
    pub lock_timeout: Duration,
    /// How long to wait for another worker that migrates.
    pub migrate_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections_max: 10,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
            migrate_timeout: Duration::from_mins(1),
        }
    }
}

/// Why there is no connection to the database; no message holds the password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL cannot be read.
    #[error("the database URL cannot be read; it reads postgres://user:password@host:port/database")]
    Url(#[source] sqlx::Error),
    /// The server refuses the user.
    #[error("the database server refuses user {user:?}; check the user and password in the database URL")]
    Refused {
        /// The user's name.
        user: String,
        /// What the server said.
        #[source]
        source: sqlx::Error,
    },
    /// The server has no such database.
    #[error("the server has no database {database:?}; create it, or correct the database URL")]
    NoDatabase {
        /// The database's name.
        database: String,
        /// What the server said.
        #[source]
        source: sqlx::Error,
    },
    /// Nothing answers, or it has no room: try again later.
    #[error("no database answers at {address}; check that the server runs and can be reached from here")]
    Unreachable {
        /// The host and port.
        address: String,
        /// What went wrong.
        #[source]
        source: sqlx::Error,
    },
}

/// The worker's database, where it is PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pub(crate) pool: PgPool,
    pub(crate) options: Options,
}

impl PostgresStore {
    /// Opens the pool and shows that the database answers.
    ///
    /// # Errors
    /// [`ConnectError`]; only [`ConnectError::Unreachable`] is worth another try.
    pub async fn connect(url: &SecretString, options: Options) -> Result<Self, ConnectError> {
        let target = target(url, &options)?;
        let pool = pool_options(&options).connect_lazy_with(target.clone());
        let first = tokio::time::timeout(options.acquire_timeout, PgConnection::connect_with(&target))
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut));
        match first {
            Ok(connection) => drop(connection),
            Err(error) => return Err(connect_error(&target, error)),
        }
        Ok(Self { pool, options })
    }

    /// Gives all connections back to the server, waiting for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Gives up on work that the server does not answer for.
    pub(crate) async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        bounded(self.options.patience(), work).await
    }
}

impl Options {
    /// How long the worker waits for an answer, which is longer than the server takes to give up itself.
    pub(crate) fn patience(&self) -> Duration {
        self.acquire_timeout + self.statement_timeout + ANSWER_MARGIN
    }
}

fn target(url: &SecretString, options: &Options) -> Result<PgConnectOptions, ConnectError> {
    let target = PgConnectOptions::from_str(url.expose_secret()).map_err(ConnectError::Url)?;
    let millis = |limit: Duration| limit.as_millis().to_string();
    Ok(target.application_name("stallkeeper").options([
        ("default_transaction_isolation", "read committed".to_owned()),
        ("statement_timeout", millis(options.statement_timeout)),
        ("lock_timeout", millis(options.lock_timeout)),
        // A worker that stands still inside a transaction must not hold its locks against the others.
        ("idle_in_transaction_session_timeout", millis(options.statement_timeout)),
    ]))
}

/// Connections are tried before and after use, each time with a limit: a dead network answers nothing, and
/// without the limits the pool would wait for it with a connection's place taken.
fn pool_options(options: &Options) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(options.connections_max)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(async { Ok(alive(connection).await) }))
        .after_release(|connection, _| Box::pin(async { Ok(alive(connection).await) }))
}

async fn alive(connection: &mut PgConnection) -> bool {
    matches!(tokio::time::timeout(PING_TIMEOUT, connection.ping()).await, Ok(Ok(())))
}

fn connect_error(target: &PgConnectOptions, error: sqlx::Error) -> ConnectError {
    let code = error.as_database_error().and_then(DatabaseError::code).unwrap_or_default().into_owned();
    match code.as_str() {
        // invalid_authorization_specification, invalid_password
        "28000" | "28P01" => ConnectError::Refused { user: target.get_username().to_owned(), source: error },
        // invalid_catalog_name
        "3D000" => ConnectError::NoDatabase {
            database: target.get_database().unwrap_or(target.get_username()).to_owned(),
            source: error,
        },
        _ => ConnectError::Unreachable {
            address: format!("{}:{}", target.get_host(), target.get_port()),
            source: error,
        },
    }
}
