use sqlx::PgConnection;
use stallkeeper_lifecycle::{EventId, SubscriptionKey};
use stallkeeper_persistence::{HistoryEntry, HistoryRecord, Page, StoreError};
use time::OffsetDateTime;

use crate::PostgresStore;
use crate::error::store_error;
use crate::moment::{moments, optional_moments};

/// Appends lines in the order given.
pub(crate) async fn append(
    connection: &mut PgConnection,
    entries: &[HistoryEntry],
) -> Result<(), StoreError> {
    let subscriptions: Vec<String> = entries.iter().map(|entry| entry.key.to_string()).collect();
    let at = moments(entries.iter().map(|entry| entry.at))?;
    let whats: Vec<&str> = entries.iter().map(|entry| entry.what.as_str()).collect();
    let happened_at = optional_moments(entries.iter().map(|entry| entry.happened_at))?;
    let events: Vec<Option<&str>> =
        entries.iter().map(|entry| entry.event.as_ref().map(EventId::as_str)).collect();
    let outcomes: Vec<&str> = entries.iter().map(|entry| entry.outcome.as_str()).collect();
    let words: Vec<&str> = entries.iter().map(|entry| entry.word.as_str()).collect();
    let anomalies: Vec<Option<&str>> = entries.iter().map(|entry| entry.anomaly.as_deref()).collect();
    let actors: Vec<String> = entries.iter().map(|entry| entry.actor.to_string()).collect();
    let details: Vec<&str> = entries.iter().map(|entry| entry.detail.as_str()).collect();
    sqlx::query!(
        r#"
        INSERT INTO history
            (subscription, at, what, happened_at, event, outcome, word, anomaly, actor, detail)
        SELECT subscription, at, what, happened_at, event, outcome, word, anomaly, actor, detail
        FROM UNNEST(
            $1::text[], $2::timestamptz[], $3::text[], $4::timestamptz[], $5::text[],
            $6::text[], $7::text[], $8::text[], $9::text[], $10::text[]
        ) WITH ORDINALITY AS new
            (subscription, at, what, happened_at, event, outcome, word, anomaly, actor, detail, position)
        ORDER BY position
        "#,
        &subscriptions,
        &at,
        &whats as &[&str],
        &happened_at as &[Option<OffsetDateTime>],
        &events as &[Option<&str>],
        &outcomes as &[&str],
        &words as &[&str],
        &anomalies as &[Option<&str>],
        &actors,
        &details as &[&str],
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// A line of history.
struct Row {
    number: i64,
    at: OffsetDateTime,
    what: String,
    happened_at: Option<OffsetDateTime>,
    event: Option<String>,
    outcome: String,
    word: String,
    anomaly: Option<String>,
    actor: String,
    detail: String,
}

impl Row {
    fn read(self, key: &SubscriptionKey) -> Result<HistoryRecord, StoreError> {
        let event = self.event.as_deref().map(str::parse).transpose();
        let entry = HistoryEntry {
            key: key.clone(),
            at: self.at.into(),
            what: self.what,
            happened_at: self.happened_at.map(Into::into),
            event: event.map_err(|error| StoreError::unreadable("history.event", error))?,
            outcome: self.outcome,
            word: self.word,
            anomaly: self.anomaly,
            actor: self.actor.parse()?,
            detail: self.detail,
        };
        Ok(HistoryRecord { number: self.number, entry })
    }
}

/// One subscription's lines, oldest first.
pub(crate) async fn read(
    store: &PostgresStore,
    key: &SubscriptionKey,
    page: &Page<i64>,
) -> Result<Vec<HistoryRecord>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT number, at, what, happened_at, event, outcome, word, anomaly, actor, detail
        FROM history WHERE subscription = $1 AND number > $2 ORDER BY number LIMIT $3
        "#,
        key.to_string(),
        page.after.unwrap_or(0),
        page.rows(),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(|row| row.read(key)).collect()
}

/// The same, newest first.
pub(crate) async fn latest(
    store: &PostgresStore,
    key: &SubscriptionKey,
    page: &Page<i64>,
) -> Result<Vec<HistoryRecord>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT number, at, what, happened_at, event, outcome, word, anomaly, actor, detail
        FROM history WHERE subscription = $1 AND number < $2 ORDER BY number DESC LIMIT $3
        "#,
        key.to_string(),
        page.after.unwrap_or(i64::MAX),
        page.rows(),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(|row| row.read(key)).collect()
}
