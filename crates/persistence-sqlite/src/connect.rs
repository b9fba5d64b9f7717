use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use stallkeeper_persistence::StoreError;
use tokio::sync::watch;

use crate::error::{Code, bounded};
use crate::writer::Writer;

/// The log file is cut to this size after a checkpoint, so that one burst does not keep the disk.
const LOG_BYTES_MAX: &str = "67108864";

/// The writer's pages in memory, in KiB where it is negative: a full batch touches some 2,000 pages of 4 KiB,
/// and what does not fit goes to the log and comes back within the same transaction.
const WRITER_CACHE_KIB: &str = "-16384";

/// After how many pages the log is copied into the file. SQLite's 1,000 are less than one full batch, so that
/// every commit would copy its pages at once and wait for the disk twice.
const CHECKPOINT_PAGES: &str = "8192";

/// How a store uses its database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many connections read at the most; one more writes.
    pub readers_max: u32,
    /// How long to wait for another process that writes to the file.
    pub busy_timeout: Duration,
    /// How long a transaction may wait for its turn, and a statement for the disk.
    pub patience: Duration,
    /// What is done where the file does not exist.
    pub missing: MissingFile,
}

/// What is done where the database's file does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingFile {
    /// It is made.
    #[default]
    Create,
    /// It is an error, as for a command that only reads.
    Refuse,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers_max: 4,
            busy_timeout: Duration::from_secs(5),
            patience: Duration::from_secs(30),
            missing: MissingFile::Create,
        }
    }
}

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL cannot be read.
    #[error("the database URL cannot be read; it reads sqlite:///folder/file.db")]
    Url(#[source] sqlx::Error),
    /// A database in memory forgets everything when the worker ends.
    #[error("a database in memory would forget what was sold; name a file, as in sqlite:///folder/file.db")]
    InMemory,
    /// The folder for the file is missing.
    #[error("the folder {folder:?} does not exist; create it, and let the worker write there")]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The file is missing, and was not to be made.
    #[error("{file:?} does not exist; make it with `stallkeeper migrate`, or correct the database URL")]
    NoFile {
        /// The file.
        file: PathBuf,
    },
    /// Another process holds the file.
    #[error("{file:?} is held by another process; a SQLite database serves one worker")]
    Busy {
        /// The file.
        file: PathBuf,
        /// What SQLite said.
        #[source]
        source: sqlx::Error,
    },
    /// The file cannot be opened or is no database.
    #[error("{file:?} cannot be opened; check that it is a SQLite database that the worker may write")]
    Unusable {
        /// The file.
        file: PathBuf,
        /// What SQLite said.
        #[source]
        source: sqlx::Error,
    },
}

/// The worker's database, where it is SQLite.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    pub(crate) writer: Writer,
    pub(crate) readers: SqlitePool,
    pub(crate) options: Options,
    /// Told after each commit that changed what followers read.
    pub(crate) changes: watch::Sender<()>,
}

impl SqliteStore {
    /// Opens the file, creating it where it does not exist.
    ///
    /// # Errors
    /// [`ConnectError`]; another try helps where another process held the file.
    pub async fn connect(url: &SecretString, options: Options) -> Result<Self, ConnectError> {
        let target = target(url, &options)?;
        create(&target).await?;
        // A connection to a file needs no testing, and there is no reason to ever replace a good one.
        let pool = SqlitePoolOptions::new()
            .test_before_acquire(false)
            .acquire_timeout(options.patience)
            .idle_timeout(None)
            .max_lifetime(None);
        let writing = pool
            .clone()
            .max_connections(1)
            .after_release(|connection, _| Box::pin(has_ended(connection)))
            .connect_lazy_with(target.clone().pragma("cache_size", WRITER_CACHE_KIB));
        let reading = pool.max_connections(options.readers_max).connect_lazy_with(target.read_only(true));
        let writer = Writer::new(writing, options.patience);
        Ok(Self { writer, readers: reading, options, changes: watch::Sender::new(()) })
    }

    /// Closes the file, waiting for work under way.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Gives up on work that the disk does not answer for.
    pub(crate) async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        bounded(self.options.patience, work).await
    }
}

/// Whether the connection's transaction has ended, so that another can begin on it.
///
/// Where the disk is full or fails, SQLite rolls back by itself, sqlx's own rollback is then refused, and the
/// connection would count as within a transaction for good; the pool closes it and opens another.
async fn has_ended(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // Answered only after the rollback of a transaction that was dropped.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Opens the file once, so that it is there for the readers, and in WAL mode.
async fn create(target: &SqliteConnectOptions) -> Result<(), ConnectError> {
    let opened = async { target.connect().await?.close().await }.await;
    opened.map_err(|error| connect_error(target, error))
}

/// WAL, so that reading and writing do not wait for each other; FULL, so that what was committed outlives a
/// power cut: in WAL mode NORMAL does not promise that.
fn target(url: &SecretString, options: &Options) -> Result<SqliteConnectOptions, ConnectError> {
    let url = url.expose_secret();
    let target = SqliteConnectOptions::from_str(url).map_err(ConnectError::Url)?;
    if url.contains(":memory:") || url.contains("mode=memory") || target.get_filename().as_os_str().is_empty()
    {
        return Err(ConnectError::InMemory);
    }
    let folder = target.get_filename().parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(ConnectError::NoFolder { folder: folder.to_owned() });
    }
    if options.missing == MissingFile::Refuse && !target.get_filename().exists() {
        return Err(ConnectError::NoFile { file: target.get_filename().to_owned() });
    }
    Ok(target
        .create_if_missing(options.missing == MissingFile::Create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(options.busy_timeout)
        .pragma("journal_size_limit", LOG_BYTES_MAX)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES))
}

fn connect_error(target: &SqliteConnectOptions, error: sqlx::Error) -> ConnectError {
    let file = target.get_filename().to_owned();
    match error.as_database_error().and_then(Code::of) {
        Some(Code::BUSY | Code::LOCKED) => ConnectError::Busy { file, source: error },
        _ => ConnectError::Unusable { file, source: error },
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::{Options, SqliteStore};
    use crate::lane::Lane;

    #[tokio::test]
    async fn a_disk_that_was_full_is_written_to_again_without_a_restart() {
        const FULL: &str = "13";
        let folder = tempfile::tempdir().unwrap();
        let url = SecretString::from(format!("sqlite://{}", folder.path().join("test.db").display()));
        let store = SqliteStore::connect(&url, Options::default()).await.unwrap();
        let mut write = store.writer.begin(Lane::Notifications).await.unwrap();
        sqlx::query("CREATE TABLE letters (text TEXT)").execute(write.connection()).await.unwrap();
        write.commit().await.unwrap();

        let mut write = store.writer.begin(Lane::Notifications).await.unwrap();
        // It goes no lower than what the file has.
        sqlx::query("PRAGMA max_page_count = 1").execute(write.connection()).await.unwrap();
        let long = "INSERT INTO letters VALUES (hex(zeroblob(100000)))";
        let refused = sqlx::query(long).execute(write.connection()).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some(FULL));
        drop(write);

        for _ in 0..2 {
            let mut write = store.writer.begin(Lane::Notifications).await.unwrap();
            sqlx::query("PRAGMA max_page_count = 1000000").execute(write.connection()).await.unwrap();
            sqlx::query(long).execute(write.connection()).await.unwrap();
            write.commit().await.unwrap();
        }
    }

    #[tokio::test]
    async fn the_writer_waits_for_the_disk_at_every_commit() {
        const FULL: i64 = 2;
        let folder = tempfile::tempdir().unwrap();
        let url = SecretString::from(format!("sqlite://{}", folder.path().join("test.db").display()));
        let store = SqliteStore::connect(&url, Options::default()).await.unwrap();
        let mut write = store.writer.begin(Lane::Notifications).await.unwrap();
        let synchronous: i64 =
            sqlx::query_scalar("PRAGMA synchronous").fetch_one(write.connection()).await.unwrap();
        assert_eq!(synchronous, FULL);
        let journal: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(write.connection()).await.unwrap();
        assert_eq!(journal, "wal");
    }
}
