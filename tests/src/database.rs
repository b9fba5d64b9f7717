//! The database of an installation, whichever it is.

use std::fs;
use std::path::PathBuf;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{
    AssertSqlSafe, Connection, Database as Driver, Decode, Executor, PgConnection, Row, SqliteConnection,
    Type,
};
use tempfile::TempDir;

use crate::TestDatabase;

/// A database for a worker, whose rows are read by statements that both kinds understand.
#[derive(Debug)]
pub enum Database {
    /// A clone of the migrated template.
    Postgres(TestDatabase),
    /// A database of another's on Postgres, by its URL.
    Foreign(String),
    /// A file that does not exist yet, in a folder that goes with this.
    Sqlite(TempDir),
}

impl Database {
    /// One on Postgres, migrated.
    pub async fn postgres() -> Self {
        Self::Postgres(TestDatabase::clone_template().await)
    }

    /// One on SQLite, which the worker is still to make.
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().expect("cannot make a folder for a database"))
    }

    /// What a worker's `database_url` names.
    pub fn url(&self) -> String {
        match self {
            Self::Postgres(database) => database.url(),
            Self::Foreign(url) => url.clone(),
            Self::Sqlite(folder) => format!("sqlite://{}", file(folder).display()),
        }
    }

    /// What a statement selects, all of whose columns are text; NULL is empty.
    pub async fn rows(&self, select: &str) -> Vec<Vec<String>> {
        match self {
            Self::Postgres(_) | Self::Foreign(_) => {
                let mut connection = PgConnection::connect(&self.url())
                    .await
                    .unwrap_or_else(|error| panic!("cannot connect to the worker's database: {error}"));
                let rows = sqlx::query(AssertSqlSafe(select)).fetch_all(&mut connection).await;
                texts(&rows.unwrap_or_else(|error| panic!("`{select}` failed: {error}")))
            }
            Self::Sqlite(folder) => {
                let options = SqliteConnectOptions::new().filename(file(folder)).read_only(true);
                let mut connection = SqliteConnection::connect_with(&options)
                    .await
                    .unwrap_or_else(|error| panic!("cannot open the worker's file: {error}"));
                let rows = sqlx::query(AssertSqlSafe(select)).fetch_all(&mut connection).await;
                texts(&rows.unwrap_or_else(|error| panic!("`{select}` failed: {error}")))
            }
        }
    }

    /// All that a database on SQLite has on disk.
    pub fn bytes(&self) -> Vec<u8> {
        let Self::Sqlite(folder) = self else { panic!("only a database on SQLite is a folder of files") };
        let files = fs::read_dir(folder.path()).expect("cannot list the database's folder");
        let files = files.map(|file| fs::read(file.expect("cannot list it").path()).expect("cannot read it"));
        files.flatten().collect()
    }

    /// Locks a table of a database on Postgres against everybody, until what this gives is dropped.
    pub async fn lock(&self, table: &str) -> PgConnection {
        let mut connection = PgConnection::connect(&self.url()).await.expect("only Postgres has such locks");
        let lock = format!("BEGIN; LOCK TABLE {table}");
        let locked = connection.execute(sqlx::raw_sql(AssertSqlSafe(lock))).await;
        locked.unwrap_or_else(|error| panic!("{table} is not locked: {error}"));
        connection
    }

    /// How many rows a table has, or those that a condition is true of: `history WHERE word = 'ended'`.
    pub async fn count(&self, from: &str) -> usize {
        let rows = self.rows(&format!("SELECT CAST(count(*) AS TEXT) FROM {from}")).await;
        let count = rows.first().and_then(|row| row.first()).and_then(|text| text.parse().ok());
        count.expect("a count is a number")
    }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("stallkeeper.db")
}

fn texts<'rows, R>(rows: &'rows [R]) -> Vec<Vec<String>>
where
    R: Row,
    usize: sqlx::ColumnIndex<R>,
    Option<String>: Decode<'rows, R::Database> + Type<R::Database>,
    R::Database: Driver,
{
    let text = |row: &'rows R, index| row.get::<Option<String>, usize>(index).unwrap_or_default();
    rows.iter().map(|row| (0..row.len()).map(|index| text(row, index)).collect()).collect()
}
