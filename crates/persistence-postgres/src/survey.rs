use async_trait::async_trait;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp, Word};
use stallkeeper_persistence::usage::{LossLine, RecordLine};
use stallkeeper_persistence::{
    HistoryRecord, Page, StoreError, SubscriptionRecord, SurveyStore, behind_prefix,
};

use crate::error::store_error;
use crate::moment::moment;
use crate::subscription::{Row, read_all};
use crate::usage::latest;
use crate::{PostgresStore, history};

#[async_trait]
impl SurveyStore for PostgresStore {
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
async fn word_counts(store: &PostgresStore) -> Result<Vec<(Word, u64)>, StoreError> {
    let words = Word::ALL.map(Word::as_str);
    let rows = sqlx::query!(
        r#"
        SELECT word.name AS "word!", (
            SELECT count(*) FROM (
                SELECT 1 FROM subscriptions WHERE listed AND subscriptions.word = word.name LIMIT 10000
            ) AS found
        ) AS "count!"
        FROM UNNEST($1::text[]) WITH ORDINALITY AS word (name, position) ORDER BY position
        "#,
        &words as &[&str],
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    let count = |word: Word| {
        rows.iter().find(|row| row.word == word.as_str()).map_or(0, |row| row.count.unsigned_abs())
    };
    Ok(Word::ALL.into_iter().map(|word| (word, count(word))).collect())
}

async fn by_id(
    store: &PostgresStore,
    prefix: &str,
    page: &Page<SubscriptionKey>,
) -> Result<Vec<SubscriptionRecord>, StoreError> {
    // No key is empty, so this stands before all that begin with the prefix.
    let first = || (prefix.to_owned(), String::new());
    let (id, key) =
        page.after.as_ref().map_or_else(first, |after| (after.holder.id().to_owned(), after.to_string()));
    let Some(end) = behind_prefix(prefix) else { return Ok(Vec::new()) };
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
        page.rows(),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    read_all(rows)
}

async fn closing(
    store: &PostgresStore,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<SubscriptionRecord>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT subscriptions.key, subscriptions.state, subscriptions.updated_at
        FROM meters JOIN subscriptions ON subscriptions.key = meters.subscription
        WHERE meters.deadline IS NOT NULL AND meters.deadline > $1 AND subscriptions.listed
        ORDER BY meters.deadline, meters.marketplace, meters.subscription LIMIT $2
        "#,
        moment(now)?,
        Page::<i64>::first(limit).rows(),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    read_all(rows)
}
