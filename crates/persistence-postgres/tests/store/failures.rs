//! What failures of the database mean to the worker.

use std::error::Error;
use std::time::Duration;

use secrecy::SecretString;
use sqlx::Row;
use stallkeeper_persistence::{
    CommitStore, Housekeeping, QuarantineEntry, QuarantineKey, QuarantineStore, StoreError,
    SubscriptionStore, Work,
};
use stallkeeper_persistence_postgres::{ConnectError, Options, PostgresStore};
use stallkeeper_tests::{PrivatePostgres, TestDatabase};

use crate::support::{NOON, line, notification, open, ready, subscription};

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_body_may_hold_any_byte() {
    let database = TestDatabase::empty().await;
    let store = ready(&database.url(), Options::default()).await;
    let mut transaction = store.begin(Work::Notifications).await.unwrap();
    transaction.claim(&[notification(1, b"a\0b\xff")]).await.unwrap();
    transaction.commit().await.unwrap();
    let row = sqlx::query("SELECT body FROM inbox").fetch_one(&mut database.connect().await).await.unwrap();
    assert_eq!(row.get::<Vec<u8>, _>(0), b"a\0b\xff");
}

#[tokio::test]
async fn a_text_that_the_database_cannot_hold_is_the_datas_fault() {
    let database = TestDatabase::empty().await;
    let store = ready(&database.url(), Options::default()).await;
    let mut transaction = store.begin(Work::Notifications).await.unwrap();
    let refused = transaction.append_history(&[line(1, "a\0b")]).await;
    assert!(matches!(refused, Err(StoreError::Data(_))), "{refused:?}");
}

#[tokio::test]
async fn quarantine_takes_even_words_that_the_database_cannot_hold() {
    let database = TestDatabase::empty().await;
    let store = ready(&database.url(), Options::default()).await;
    let key = QuarantineKey::of("aws".parse().unwrap(), b"\0");
    let entry = QuarantineEntry {
        key: key.clone(),
        message_id: "m".to_owned(),
        reason: "unknown-action".to_owned(),
        detail: "the action is a\0b".to_owned(),
        body: b"\0".to_vec(),
        sent_at: None,
        at: NOON,
    };
    let mut transaction = store.begin(Work::Notifications).await.unwrap();
    transaction.quarantine(&[entry]).await.unwrap();
    transaction.commit().await.unwrap();
    let stored = store.quarantined(&key).await.unwrap().unwrap();
    assert_eq!(stored.entry.detail, "the action is a\u{fffd}b");
    assert_eq!(stored.entry.body, b"\0");
}

#[tokio::test]
async fn missing_tables_are_not_the_datas_fault() {
    let database = TestDatabase::empty().await;
    let store = open(&database.url(), Options::default()).await;
    let refused = store.begin(Work::Notifications).await.unwrap().claim(&[notification(1, b"{}")]).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_subscription_that_was_never_placed_is_not_lost_in_silence() {
    let database = TestDatabase::empty().await;
    let store = ready(&database.url(), Options::default()).await;
    let mut transaction = store.begin(Work::Notifications).await.unwrap();
    transaction.place(&[subscription(1)], NOON).await.unwrap();
    let mut records = transaction.lock(&[subscription(1)]).await.unwrap();
    records[0].key = subscription(2);
    assert!(matches!(transaction.write_subscriptions(&records).await, Err(StoreError::Data(_))));
}

#[tokio::test]
async fn a_row_that_another_transaction_keeps_locked_is_a_conflict() {
    let database = TestDatabase::empty().await;
    let store = ready(&database.url(), Options { lock_timeout: SHORT, ..Options::default() }).await;
    let keys = [subscription(1)];
    let mut first = store.begin(Work::Notifications).await.unwrap();
    first.place(&keys, NOON).await.unwrap();
    first.commit().await.unwrap();

    let mut holder = store.begin(Work::Notifications).await.unwrap();
    holder.lock(&keys).await.unwrap();
    let refused = store.begin(Work::Notifications).await.unwrap().lock(&keys).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");

    drop(holder);
    let mut next = store.begin(Work::Notifications).await.unwrap();
    assert_eq!(next.lock(&keys).await.unwrap().len(), 1, "what was dropped let its locks go");
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_unavailable() {
    let database = TestDatabase::empty().await;
    let store = ready(&database.url(), Options { statement_timeout: SHORT, ..Options::default() }).await;
    let mut holder = database.connect().await;
    let mut locking = sqlx::Connection::begin(&mut holder).await.unwrap();
    sqlx::query("LOCK TABLE inbox").execute(&mut *locking).await.unwrap();
    let refused = store.last_received_at(&"aws".parse().unwrap()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_transaction_dropped_without_a_commit_leaves_nothing() {
    let database = TestDatabase::empty().await;
    let one = Options { connections_max: 1, ..Options::default() };
    let store = ready(&database.url(), one).await;
    let mut dropped = store.begin(Work::Notifications).await.unwrap();
    dropped.claim(&[notification(1, b"{}")]).await.unwrap();
    drop(dropped);
    let known =
        store.begin(Work::Notifications).await.unwrap().claim(&[notification(1, b"{}")]).await.unwrap();
    assert_eq!(known, []);
}

#[tokio::test]
async fn a_pool_without_a_free_connection_is_unavailable_until_one_comes_back() {
    let database = TestDatabase::empty().await;
    let one = Options { connections_max: 1, acquire_timeout: SHORT, ..Options::default() };
    let store = open(&database.url(), one).await;
    let holder = store.begin(Work::Notifications).await.unwrap();
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    drop(holder);
    store.ping().await.unwrap();
}

#[tokio::test]
async fn after_the_server_was_gone_the_store_works_again() {
    let mut server = PrivatePostgres::start();
    let options = Options { acquire_timeout: Duration::from_secs(2), ..Options::default() };
    let store = ready(&server.url(), options).await;
    let mut cut_off = store.begin(Work::Notifications).await.unwrap();
    cut_off.claim(&[notification(1, b"{}")]).await.unwrap();

    server.stop();
    assert!(matches!(cut_off.commit().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));

    server.start_again();
    let mut transaction = store.begin(Work::Notifications).await.unwrap();
    assert_eq!(transaction.claim(&[notification(1, b"{}")]).await.unwrap(), []);
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn a_server_that_was_started_again_between_two_uses_is_not_noticed() {
    let mut server = PrivatePostgres::start();
    let store = open(&server.url(), Options::default()).await;
    let (first, second) = tokio::join!(store.begin(Work::Notifications), store.begin(Work::Notifications));
    first.unwrap().commit().await.unwrap();
    second.unwrap().commit().await.unwrap();
    // Meanwhile the two connections get back to the pool.
    for _ in 0..5 {
        store.ping().await.unwrap();
    }

    server.stop();
    server.start_again();
    let (first, second) = tokio::join!(store.ping(), store.ping());
    first.unwrap();
    second.unwrap();
}

#[tokio::test]
async fn a_server_that_never_answers_is_unreachable_within_the_limit() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://user:s3cret@{}/db", silent.local_addr().unwrap());
    let error = refusal(&url).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_missing_database_is_named() {
    let database = TestDatabase::empty().await;
    let (server, _) = database.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let error = refusal(&format!("{server}/no_such_database")).await;
    assert!(error.to_string().contains("no database \"no_such_database\""), "{error}");
}

#[tokio::test]
async fn no_refusal_to_connect_tells_the_password() {
    for url in [
        "postgres://user:s3cret@127.0.0.1:1/db",
        "postgres://user:s3cret@:port/db",
        "postgres://user:s3cret@127.0.0.1:1/db?sslmode=s3cret?",
    ] {
        let error = refusal(url).await;
        let mut told = format!("{error:?}");
        let mut cause: Option<&dyn Error> = Some(&error);
        while let Some(error) = cause {
            told.push_str(&error.to_string());
            cause = error.source();
        }
        assert!(!told.contains("user:s3cret") && !told.contains("password: \"s3cret"), "{told}");
    }
}

async fn refusal(url: &str) -> ConnectError {
    let options = Options { acquire_timeout: SHORT, ..Options::default() };
    PostgresStore::connect(&SecretString::from(url), options).await.expect_err("connected")
}
