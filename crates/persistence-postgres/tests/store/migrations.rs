//! How the database's tables come to be.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor};
use stallkeeper_persistence::SchemaState;
use stallkeeper_persistence_postgres::{MigrateError, Options};
use stallkeeper_tests::TestDatabase;

use crate::support::{open, ready};

/// How many files `migrations/postgres` has.
const MIGRATIONS: usize = 11;

#[tokio::test]
async fn an_empty_database_is_behind_and_a_migrated_one_is_not() {
    let database = TestDatabase::empty().await;
    let store = open(&database.url(), Options::default()).await;
    assert_eq!(store.schema_state().await.unwrap(), SchemaState::Behind { missing: MIGRATIONS });
    assert_eq!(store.migrate().await.unwrap(), MIGRATIONS);
    assert_eq!(store.schema_state().await.unwrap(), SchemaState::Current);
    assert_eq!(store.migrate().await.unwrap(), 0);
}

#[tokio::test]
async fn of_workers_that_start_at_once_one_migrates_and_the_others_wait() {
    let database = TestDatabase::empty().await;
    let url = database.url();
    let migrate = async || open(&url, Options::default()).await.migrate().await.unwrap();
    let (a, b, c, d) = tokio::join!(migrate(), migrate(), migrate(), migrate());
    let mut ran = [a, b, c, d];
    ran.sort_unstable();
    assert_eq!(ran, [0, 0, 0, MIGRATIONS]);
}

#[tokio::test]
async fn a_worker_does_not_wait_forever_for_another_that_migrates() {
    let database = TestDatabase::empty().await;
    let mut other = database.connect().await;
    other.execute("SELECT pg_advisory_lock(6013538520749794661)").await.unwrap();
    let impatient = Options { migrate_timeout: Duration::from_millis(200), ..Options::default() };
    let store = open(&database.url(), impatient).await;
    assert!(matches!(store.migrate().await, Err(MigrateError::Busy(_))));

    other.execute("SELECT pg_advisory_unlock(6013538520749794661)").await.unwrap();
    assert_eq!(store.migrate().await.unwrap(), MIGRATIONS);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let database = TestDatabase::empty().await;
    let store = ready(&database.url(), Options::default()).await;
    database
        .connect()
        .await
        .execute("INSERT INTO _sqlx_migrations VALUES (9999, 'newer', now(), true, '', 0)")
        .await
        .unwrap();
    assert_eq!(store.schema_state().await.unwrap(), SchemaState::Ahead);
    assert!(matches!(store.migrate().await, Err(MigrateError::Refused(_))));
}

#[tokio::test]
async fn the_history_cannot_be_changed_by_hand() {
    let database = TestDatabase::empty().await;
    ready(&database.url(), Options::default()).await;
    let mut connection = database.connect().await;
    for statement in ["UPDATE history SET word = 'x'", "DELETE FROM history", "TRUNCATE history"] {
        let refused = connection.execute(AssertSqlSafe(statement)).await.unwrap_err();
        assert!(refused.to_string().contains("the history is append-only"), "{statement}: {refused}");
    }
}
