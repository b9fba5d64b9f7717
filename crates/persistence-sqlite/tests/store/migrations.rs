//! How the database's tables come to be.

use futures_util::future::join_all;
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Executor};
use stallkeeper_persistence::SchemaState;
use stallkeeper_persistence_sqlite::{MigrateError, Options, SqliteStore};

use crate::support::Database;

/// How many files `migrations/sqlite` has.
const MIGRATIONS: usize = 11;

#[tokio::test]
async fn an_empty_database_is_behind_and_a_migrated_one_is_not() {
    let database = Database::new();
    let store = database.open().await;
    assert_eq!(store.schema_state().await.unwrap(), SchemaState::Behind { missing: MIGRATIONS });
    assert_eq!(store.migrate().await.unwrap(), MIGRATIONS);
    assert_eq!(store.schema_state().await.unwrap(), SchemaState::Current);
    assert_eq!(store.migrate().await.unwrap(), 0);
}

#[tokio::test]
async fn of_workers_that_start_at_once_one_migrates_and_the_others_wait() {
    let database = Database::new();
    let migrate = async || {
        let url = SecretString::from(database.url());
        let store = SqliteStore::connect(&url, Options::default()).await.unwrap();
        store.migrate().await.unwrap()
    };
    let mut ran = join_all((0..16).map(|_| migrate())).await;
    ran.sort_unstable();
    assert_eq!(ran.pop(), Some(MIGRATIONS));
    assert_eq!(ran, [0; 15]);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let database = Database::new();
    let store = database.ready().await;
    database
        .connect()
        .await
        .execute("INSERT INTO _sqlx_migrations VALUES (9999, 'newer', CURRENT_TIMESTAMP, true, x'', 0)")
        .await
        .unwrap();
    assert_eq!(store.schema_state().await.unwrap(), SchemaState::Ahead);
    assert!(matches!(store.migrate().await, Err(MigrateError::Refused(_))));
}

#[tokio::test]
async fn the_history_cannot_be_changed_by_hand() {
    let database = Database::new();
    database.ready().await;
    let mut connection = database.connect().await;
    connection
        .execute(
            "INSERT INTO history (subscription, at, what, outcome, word, actor, detail) \
             VALUES ('k', 0, 'w', 'o', 'w', 'worker', '{}')",
        )
        .await
        .unwrap();
    for statement in ["UPDATE history SET word = 'x'", "DELETE FROM history"] {
        let refused = connection.execute(AssertSqlSafe(statement)).await.unwrap_err();
        assert!(refused.to_string().contains("the history is append-only"), "{statement}: {refused}");
    }
}
