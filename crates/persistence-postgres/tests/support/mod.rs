//! A store over a database of the test's own.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use stallkeeper_lifecycle::SubscriptionKey;
use stallkeeper_persistence::contract::Fixture;
use stallkeeper_persistence::{InboxKey, Store};
use stallkeeper_persistence_postgres::{Options, PostgresStore};
use stallkeeper_tests::TestDatabase;

pub(crate) struct Opened {
    pub(crate) store: PostgresStore,
    pub(crate) database: TestDatabase,
}

/// A fresh, migrated database.
pub(crate) async fn open() -> Opened {
    let database = TestDatabase::clone_template().await;
    let store = connect(&database.url()).await;
    store.migrate().await.unwrap();
    Opened { store, database }
}

/// One more pool.
pub(crate) async fn connect(url: &str) -> PostgresStore {
    PostgresStore::connect(&SecretString::from(url), Options::default()).await.unwrap()
}

#[async_trait]
impl Fixture for Opened {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn damage(&self, key: &SubscriptionKey) {
        let mut connection = self.database.connect().await;
        let damaged = sqlx::query("UPDATE subscriptions SET state = '{\"log\":' WHERE key = $1")
            .bind(key.to_string())
            .execute(&mut connection)
            .await
            .unwrap();
        assert_eq!(damaged.rows_affected(), 1, "{key} is not there to be damaged");
    }

    async fn put_strange_job(&self, subscription: &str, kind: &str) {
        let mut connection = self.database.connect().await;
        let put = "INSERT INTO jobs (subscription, kind, state, due_at, payload)
            VALUES ($1, $2, 'due', to_timestamp(0), '{}')";
        sqlx::query(put).bind(subscription).bind(kind).execute(&mut connection).await.unwrap();
    }

    async fn damage_meter(&self, key: &SubscriptionKey) {
        let mut connection = self.database.connect().await;
        let damage = "UPDATE meters SET state = '{\"key\":' WHERE subscription = $1";
        let damaged = sqlx::query(damage).bind(key.to_string()).execute(&mut connection).await.unwrap();
        assert_eq!(damaged.rows_affected(), 1, "{key} has no meter to be damaged");
    }

    async fn damage_record(&self, number: i64) {
        let mut connection = self.database.connect().await;
        let damage = "UPDATE usage_records SET record = '{\"key\":' WHERE number = $1";
        let damaged = sqlx::query(damage).bind(number).execute(&mut connection).await.unwrap();
        assert_eq!(damaged.rows_affected(), 1, "no record {number} is there to be damaged");
    }

    async fn inbox_body(&self, key: &InboxKey) -> Option<Vec<u8>> {
        let mut connection = self.database.connect().await;
        sqlx::query_scalar("SELECT body FROM inbox WHERE marketplace = $1 AND id = $2")
            .bind(key.marketplace.as_str())
            .bind(key.id.as_str())
            .fetch_optional(&mut connection)
            .await
            .unwrap()
    }
}
