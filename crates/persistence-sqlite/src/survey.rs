use async_trait::async_trait;
use serde_json::json;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp, Word};
use stallkeeper_persistence::usage::{LossLine, RecordLine};
use stallkeeper_persistence::{
    HistoryRecord, Page, StoreError, SubscriptionRecord, SurveyStore, behind_prefix,
};

use crate::error::store_error;
use crate::rows::rows;
use crate::subscription::{Row, read_all};
use crate::usage::latest;
use crate::{SqliteStore, history};

#[async_trait]
impl SurveyStore for SqliteStore {
    async fn word_counts(&self) -> Result<Vec<(Word, u64)>, StoreError> {
        self.bounded(word_counts(self)).await
    }

    async fn subscriptions_by_id(
        &self,
        prefix: &str,
        page: &Page<SubscriptionKey>,
    ) -> Result<Vec<SubscriptionRecord>, StoreError> {
        self.bounded(by_id(self, prefix, page)).await
    }

    async fn closing(&self, now: Timestamp, limit: u32) -> Result<Vec<SubscriptionRecord>, StoreError> {
        self.bounded(closing(self, now, limit)).await
    }

    async fn latest_history(
        &self,
        key: &SubscriptionKey,
        page: &Page<i64>,
    ) -> Result<Vec<HistoryRecord>, StoreError> {
        self.bounded(history::latest(self, key, page)).await
    }

    async fn expiring(&self, limit: u32) -> Result<Vec<RecordLine>, StoreError> {
        self.bounded(latest::expiring(self, limit)).await
    }

    async fn latest_losses(
        &self,
        subscription: Option<&SubscriptionKey>,
        page: &Page<i64>,
    ) -> Result<Vec<LossLine>, StoreError> {
        self.bounded(latest::losses(self, subscription, page)).await
    }
}

/// No count goes on beyond 10,000.
async fn word_counts(store: &SqliteStore) -> Result<Vec<(Word, u64)>, StoreError> {
    let words = rows(Word::ALL.into_iter().map(|word| json!(word.as_str())))?;
    let rows = sqlx::query!(
        r#"
        SELECT CAST(word.value AS TEXT) AS "word!: String", (
            SELECT count(*) FROM (
                SELECT 1 FROM subscriptions INDEXED BY subscriptions_by_word
                WHERE listed AND subscriptions.word = word.value LIMIT 10000
            ) AS found
        ) AS "count!: i64"
        FROM json_each($1) AS word ORDER BY word.key
        "#,
        words,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    let count = |word: Word| {
        rows.iter().find(|row| row.word == word.as_str()).map_or(0, |row| row.count.unsigned_abs())
    };
    Ok(Word::ALL.into_iter().map(|word| (word, count(word))).collect())
}

async fn by_id(
    store: &SqliteStore,
    prefix: &str,
    page: &Page<SubscriptionKey>,
) -> Result<Vec<SubscriptionRecord>, StoreError> {
    // No key is empty, so this stands before all that begin with the prefix.
    let first = || (prefix.to_owned(), String::new());
    let (id, key) =
        page.after.as_ref().map_or_else(first, |after| (after.holder.id().to_owned(), after.to_string()));
    let Some(end) = behind_prefix(prefix) else { return Ok(Vec::new()) };
    let limit = page.rows();
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT key, state, updated_at FROM subscriptions
        WHERE listed AND (holder_id, key) > ($1, $2) AND holder_id < $3
        ORDER BY holder_id, key LIMIT $4
        "#,
        id,
        key,
        end,
        limit,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    read_all(rows)
}

async fn closing(
    store: &SqliteStore,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<SubscriptionRecord>, StoreError> {
    let (now, limit) = (now.as_micros(), Page::<i64>::first(limit).rows());
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT subscriptions.key, subscriptions.state, subscriptions.updated_at
        FROM meters JOIN subscriptions ON subscriptions.key = meters.subscription
        WHERE meters.deadline IS NOT NULL AND meters.deadline > $1 AND subscriptions.listed
        ORDER BY meters.deadline, meters.marketplace, meters.subscription LIMIT $2
        "#,
        now,
        limit,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    read_all(rows)
}
