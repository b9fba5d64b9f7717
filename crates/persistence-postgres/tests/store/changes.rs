//! Transactions that commit out of order, and a server that counts anew.

use std::time::Duration;

use sqlx::{Connection, Executor};
use stallkeeper_lifecycle::SubscriptionKey;
use stallkeeper_persistence::{
    ChangeFeed, ChangePosition, ChangeRange, CommitStore, SubscriptionRecord, Transaction, Work,
};

use stallkeeper_persistence_postgres::{Options, PostgresStore};
use stallkeeper_tests::TestDatabase;

use crate::support::{NOON, ready, subscription};

/// How long something may take to be heard of before the test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

struct Opened {
    store: PostgresStore,
    database: TestDatabase,
}

async fn open() -> Opened {
    let database = TestDatabase::empty().await;
    Opened { store: ready(&database.url(), Options::default()).await, database }
}

/// Everything but the commit.
async fn written(store: &PostgresStore, key: &SubscriptionKey) -> Box<dyn Transaction> {
    let mut transaction = store.begin(Work::Notifications).await.unwrap();
    let keys = [key.clone()];
    transaction.place(&keys, NOON).await.unwrap();
    let locked: Vec<SubscriptionRecord> = transaction.lock(&keys).await.unwrap();
    transaction.write_subscriptions(&locked).await.unwrap();
    transaction
}

async fn keys(store: &PostgresStore, from: i64, below: Option<i64>) -> Vec<String> {
    let range = ChangeRange { after: ChangePosition::before(from), below, limit: 100 };
    let rows = store.changed_subscriptions(&range).await.unwrap();
    rows.into_iter().map(|row| row.position.key).collect()
}

#[tokio::test]
async fn a_transaction_that_commits_late_is_found_behind_the_horizon_and_passed_by_no_feed() {
    let opened = open().await;
    let store = &opened.store;
    let (late, early) = (subscription(1), subscription(2));
    let open_one = written(store, &late).await;
    written(store, &early).await.commit().await.unwrap();

    // The one that began later is committed: who follows sees it, and a feed keeps it back.
    let horizon = store.change_horizon().await.unwrap();
    assert_eq!(keys(store, 0, None).await, [early.to_string()]);
    assert_eq!(keys(store, 0, Some(horizon)).await, Vec::<String>::new());

    open_one.commit().await.unwrap();
    assert_eq!(keys(store, horizon, None).await, [late.to_string(), early.to_string()]);
    let handed_out = async || keys(store, 0, Some(store.change_horizon().await.unwrap())).await;
    let waited = tokio::time::timeout(PATIENCE, async {
        // Transactions of other databases on the server may run on for a moment.
        while handed_out().await.len() < 2 {
            tokio::task::yield_now().await;
        }
    });
    waited.await.unwrap();
    assert_eq!(handed_out().await, [late.to_string(), early.to_string()]);
}

#[tokio::test]
async fn a_transaction_that_is_rolled_back_is_found_by_nobody_and_holds_nothing_up() {
    let opened = open().await;
    let store = &opened.store;
    let (gone, kept) = (subscription(1), subscription(2));
    let open_one = written(store, &gone).await;
    written(store, &kept).await.commit().await.unwrap();
    drop(open_one);
    let waited = tokio::time::timeout(PATIENCE, async {
        while keys(store, 0, Some(store.change_horizon().await.unwrap())).await.is_empty() {
            tokio::task::yield_now().await;
        }
    });
    waited.await.unwrap();
    assert_eq!(keys(store, 0, None).await, [kept.to_string()]);
}

#[tokio::test]
async fn rows_of_a_server_that_counted_further_are_put_to_the_beginning() {
    let opened = open().await;
    let store = &opened.store;
    written(store, &subscription(1)).await.commit().await.unwrap();
    let mut connection = opened.database.connect().await;
    connection.execute("UPDATE subscriptions SET changed_in = 9000000000000000").await.unwrap();
    assert_eq!(keys(store, 0, Some(store.change_horizon().await.unwrap())).await, Vec::<String>::new());
    assert_eq!(store.mend_change_numbers().await.unwrap(), 1);
    let horizon = store.change_horizon().await.unwrap();
    assert_eq!(keys(store, 0, Some(horizon)).await, [subscription(1).to_string()]);
}

#[tokio::test]
async fn who_listens_hears_again_after_the_connection_broke() {
    let opened = open().await;
    let store = &opened.store;
    let mut listener = store.listen().await.unwrap();
    let mut connection = opened.database.connect().await;
    connection
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND query LIKE 'LISTEN%'",
        )
        .await
        .unwrap();
    connection.close().await.unwrap();
    // Whoever hears an error listens anew, and reads what he may have missed.
    if tokio::time::timeout(PATIENCE, listener.heard()).await.unwrap().is_err() {
        listener = store.listen().await.unwrap();
    }
    written(store, &subscription(1)).await.commit().await.unwrap();
    tokio::time::timeout(PATIENCE, listener.heard()).await.unwrap().unwrap();
}
