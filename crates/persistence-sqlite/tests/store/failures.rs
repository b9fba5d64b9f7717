//! What failures of the database mean to the worker.

use std::fs;

use secrecy::SecretString;
use sqlx::{Connection, Executor};
use stallkeeper_persistence::{CommitStore, Housekeeping, StoreError, SubscriptionStore, Work};
use stallkeeper_persistence_sqlite::{ConnectError, Options, SqliteStore};

use crate::support::{Database, NOON, notification, subscription};

#[tokio::test]
async fn another_process_that_writes_is_a_conflict() {
    let database = Database::new();
    let store = database.ready().await;
    let mut other = database.connect().await;
    let writing = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let refused = store.begin(Work::Notifications).await.err();
    assert!(matches!(refused, Some(StoreError::Conflict(_))), "{refused:?}");

    drop(writing);
    other.close().await.unwrap();
    store.begin(Work::Notifications).await.unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn missing_tables_are_not_the_datas_fault() {
    let database = Database::new();
    let store = database.open().await;
    let refused = store.begin(Work::Notifications).await.unwrap().claim(&[notification(1)]).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn what_breaks_a_constraint_is_the_datas_fault() {
    let database = Database::new();
    let store = database.ready().await;
    let forbid = "CREATE TRIGGER forbid BEFORE INSERT ON inbox BEGIN SELECT RAISE(ABORT, 'no'); END";
    database.connect().await.execute(forbid).await.unwrap();
    let refused = store.begin(Work::Notifications).await.unwrap().claim(&[notification(1)]).await;
    assert!(matches!(refused, Err(StoreError::Data(_))), "{refused:?}");
}

#[tokio::test]
async fn a_subscription_that_was_never_placed_is_not_lost_in_silence() {
    let database = Database::new();
    let store = database.ready().await;
    let mut transaction = store.begin(Work::Notifications).await.unwrap();
    transaction.place(&[subscription(1)], NOON).await.unwrap();
    let mut records = transaction.lock(&[subscription(1)]).await.unwrap();
    records[0].key = subscription(2);
    assert!(matches!(transaction.write_subscriptions(&records).await, Err(StoreError::Data(_))));
}

#[tokio::test]
async fn what_was_dropped_is_rolled_back_before_the_next_begins() {
    let database = Database::new();
    let store = database.ready().await;
    for _ in 0..50 {
        let mut dropped = store.begin(Work::Notifications).await.unwrap();
        assert_eq!(dropped.claim(&[notification(1)]).await.unwrap(), []);
        drop(dropped);
    }
}

#[tokio::test]
async fn what_is_cut_off_within_a_statement_is_rolled_back_before_the_next_begins() {
    let database = Database::new();
    let store = database.ready().await;
    let entries: Vec<_> = (0..100).map(notification).collect();
    let mut under_way = 0;
    for polls in 1..40 {
        let mut cut_off = store.begin(Work::Notifications).await.unwrap();
        let mut claiming = Box::pin(cut_off.claim(&entries));
        let mut done = false;
        for _ in 0..polls {
            done = done || futures_poll(claiming.as_mut()).await;
        }
        under_way += u32::from(!done);
        drop(claiming);
        drop(cut_off);
        let mut next = store.begin(Work::Notifications).await.unwrap();
        assert_eq!(next.claim(&entries[..1]).await.unwrap(), []);
    }
    assert!(under_way > 0, "all of it was claimed at the first look");
}

/// Looks once whether the work is done, then lets others work.
async fn futures_poll<T>(mut work: std::pin::Pin<&mut (dyn Future<Output = T> + Send + '_)>) -> bool {
    let done =
        std::future::poll_fn(|context| std::task::Poll::Ready(work.as_mut().poll(context).is_ready())).await;
    tokio::task::yield_now().await;
    done
}

#[tokio::test]
async fn readers_do_not_wait_for_the_writer() {
    let database = Database::new();
    let store = database.ready().await;
    let mut writing = store.begin(Work::Notifications).await.unwrap();
    writing.claim(&[notification(1)]).await.unwrap();
    assert_eq!(store.last_received_at(&"aws".parse().unwrap()).await.unwrap(), None);
    writing.commit().await.unwrap();
    assert_eq!(store.last_received_at(&"aws".parse().unwrap()).await.unwrap(), Some(NOON));
}

#[tokio::test]
async fn a_database_in_memory_is_refused() {
    for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite://file?mode=memory", "sqlite://"] {
        let error = refusal(url).await;
        assert!(matches!(error, ConnectError::InMemory), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let error = refusal("sqlite:///no/such/folder/file.db").await;
    assert!(error.to_string().contains("the folder \"/no/such/folder\" does not exist"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letter.txt");
    fs::write(&file, "Dear reader, this is not a database, however long it may be.".repeat(100)).unwrap();
    let error = refusal(&format!("sqlite://{}", file.display())).await;
    assert!(matches!(error, ConnectError::Unusable { .. }), "{error:?}");
    assert!(error.to_string().contains("letter.txt"), "{error}");
}

#[tokio::test]
async fn a_file_that_another_process_holds_is_named() {
    let database = Database::new();
    let mut other = database.connect().await;
    other.execute("PRAGMA locking_mode = EXCLUSIVE; CREATE TABLE held (x)").await.unwrap();
    let error = refusal(&database.url()).await;
    assert!(matches!(error, ConnectError::Busy { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_there_answers() {
    let database = Database::new();
    database.open().await.ping().await.unwrap();
}

async fn refusal(url: &str) -> ConnectError {
    let options = Options { busy_timeout: std::time::Duration::from_millis(100), ..Options::default() };
    SqliteStore::connect(&SecretString::from(url), options).await.expect_err("opened")
}
