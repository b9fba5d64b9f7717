//! What the tests of this store share.

use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{InboxEntry, InboxKey};
use stallkeeper_persistence_sqlite::{Options, SqliteStore};
use tempfile::TempDir;

pub(crate) const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// A file of the test's own.
pub(crate) struct Database {
    folder: TempDir,
}

impl Database {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("cannot make a folder") }
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.folder.path().join("stallkeeper.db").display())
    }

    /// A store that does not wait long for others.
    pub(crate) async fn open(&self) -> SqliteStore {
        let busy_timeout = Duration::from_millis(200);
        let options = Options { busy_timeout, ..Options::default() };
        SqliteStore::connect(&SecretString::from(self.url()), options).await.expect("cannot open")
    }

    /// Opened and migrated.
    pub(crate) async fn ready(&self) -> SqliteStore {
        let store = self.open().await;
        store.migrate().await.expect("cannot migrate");
        store
    }

    /// What another program would do.
    pub(crate) async fn connect(&self) -> SqliteConnection {
        let target = SqliteConnectOptions::from_str(&self.url()).unwrap().create_if_missing(true);
        SqliteConnection::connect_with(&target).await.expect("cannot open")
    }
}

pub(crate) fn subscription(number: u32) -> SubscriptionKey {
    format!("aws/prod/customer/c{number:06}").parse().unwrap()
}

pub(crate) fn notification(number: u32) -> InboxEntry {
    InboxEntry {
        key: InboxKey { marketplace: "aws".parse().unwrap(), id: format!("m{number:06}").parse().unwrap() },
        subscription: subscription(number),
        received_at: NOON,
        body: b"{}".to_vec(),
    }
}
