use serde_json::json;
use sqlx::SqliteConnection;
use stallkeeper_lifecycle::{EventId, SubscriptionKey, Timestamp};
use stallkeeper_persistence::{HistoryEntry, HistoryRecord, Page, StoreError};

use crate::SqliteStore;
use crate::error::store_error;
use crate::rows::rows;

/// Appends lines in the order given.
pub(crate) async fn append(
    connection: &mut SqliteConnection,
    entries: &[HistoryEntry],
) -> Result<(), StoreError> {
    let lines = rows(entries.iter().map(|entry| {
        json!([
            entry.key.to_string(),
            entry.at.as_micros(),
            entry.what,
            entry.happened_at.map(Timestamp::as_micros),
            entry.event.as_ref().map(EventId::as_str),
            entry.outcome,
            entry.word,
            entry.anomaly,
            entry.actor.to_string(),
            entry.detail,
        ])
    }))?;
    sqlx::query!(
        r#"
        INSERT INTO history
            (subscription, at, what, happened_at, event, outcome, word, anomaly, actor, detail)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
               value ->> 7, value ->> 8, value ->> 9
        FROM json_each($1) ORDER BY key
        "#,
        lines,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// A line of history.
struct Row {
    number: i64,
    at: i64,
    what: String,
    happened_at: Option<i64>,
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
            at: Timestamp::from_micros(self.at),
            what: self.what,
            happened_at: self.happened_at.map(Timestamp::from_micros),
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
    store: &SqliteStore,
    key: &SubscriptionKey,
    page: &Page<i64>,
) -> Result<Vec<HistoryRecord>, StoreError> {
    let (subscription, after, limit) = (key.to_string(), page.after.unwrap_or(0), page.rows());
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT number, at, what, happened_at, event, outcome, word, anomaly, actor, detail
        FROM history WHERE subscription = $1 AND number > $2 ORDER BY number LIMIT $3
        "#,
        subscription,
        after,
        limit,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(|row| row.read(key)).collect()
}

/// The same, newest first.
pub(crate) async fn latest(
    store: &SqliteStore,
    key: &SubscriptionKey,
    page: &Page<i64>,
) -> Result<Vec<HistoryRecord>, StoreError> {
    let (subscription, after, limit) = (key.to_string(), page.after.unwrap_or(i64::MAX), page.rows());
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT number, at, what, happened_at, event, outcome, word, anomaly, actor, detail
        FROM history WHERE subscription = $1 AND number < $2 ORDER BY number DESC LIMIT $3
        "#,
        subscription,
        after,
        limit,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(|row| row.read(key)).collect()
}
