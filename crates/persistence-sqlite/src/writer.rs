use std::time::Duration;

use sqlx::{Sqlite, SqliteConnection, SqlitePool};
use stallkeeper_persistence::StoreError;

use crate::error::{bounded, store_error};
use crate::lane::{Lane, Lanes, Turn};

/// The one connection that writes, and who waits for it.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    /// Holds one connection, and opens another where it breaks.
    pool: SqlitePool,
    lanes: Lanes,
    patience: Duration,
}

/// One transaction; dropped without a commit, it is rolled back before the next one begins.
#[derive(Debug)]
pub(crate) struct Write {
    // Dropped first: the connection goes back before the next has its turn.
    transaction: sqlx::Transaction<'static, Sqlite>,
    _turn: Turn,
    patience: Duration,
}

impl Writer {
    pub(crate) fn new(pool: SqlitePool, patience: Duration) -> Self {
        Self { pool, lanes: Lanes::default(), patience }
    }

    /// Waits for its turn and begins a transaction.
    ///
    /// It takes the file's write lock at once: a transaction that reads first and then wants to write fails
    /// where another process wrote between.
    pub(crate) async fn begin(&self, lane: Lane) -> Result<Write, StoreError> {
        bounded(self.patience, async {
            let turn = self.lanes.turn(lane).await;
            let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
            Ok(Write { transaction, _turn: turn, patience: self.patience })
        })
        .await
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

impl Write {
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        let Self { transaction, _turn, patience } = self;
        bounded(patience, async { transaction.commit().await.map_err(store_error) }).await
    }
}
