use sqlx::SqliteConnection;
use stallkeeper_lifecycle::{EventId, SubscriptionKey, Timestamp};
use stallkeeper_persistence::{HistoryEntry, HistoryRecord, Page, StoreError};

use crate::SqliteStore;
use crate::error::store_error;

/// Appends lines in the order given.
pub(crate) async fn append(
    connection: &mut SqliteConnection,
    entries: &[HistoryEntry],
) -> Result<(), StoreError> {
    for entry in entries {
        append_one(connection, entry).await?;
    }
    Ok(())
}

async fn append_one(connection: &mut SqliteConnection, entry: &HistoryEntry) -> Result<(), StoreError> {
    let subscription = entry.key.to_string();
    let at = entry.at.as_micros();
    let happened_at = entry.happened_at.map(Timestamp::as_micros);
    let event = entry.event.as_ref().map(EventId::as_str);
    let actor = entry.actor.to_string();
    sqlx::query!(
        r#"
        INSERT INTO history
            (subscription, at, what, happened_at, event, outcome, word, anomaly, actor, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        "#,
        subscription,
        at,
        entry.what,
        happened_at,
        event,
        entry.outcome,
        entry.word,
        entry.anomaly,
        actor,
        entry.detail,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// One subscription's lines, oldest first.
pub(crate) async fn read(
    store: &SqliteStore,
    key: &SubscriptionKey,
    page: &Page<i64>,
) -> Result<Vec<HistoryRecord>, StoreError> {
    let (subscription, after, limit) = (key.to_string(), page.after.unwrap_or(0), page.rows());
    let rows = sqlx::query!(
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
    rows.into_iter()
        .map(|row| {
            let event = row.event.as_deref().map(str::parse).transpose();
            let entry = HistoryEntry {
                key: key.clone(),
                at: Timestamp::from_micros(row.at),
                what: row.what,
                happened_at: row.happened_at.map(Timestamp::from_micros),
                event: event.map_err(|error| StoreError::unreadable("history.event", error))?,
                outcome: row.outcome,
                word: row.word,
                anomaly: row.anomaly,
                actor: row.actor.parse()?,
                detail: row.detail,
            };
            Ok(HistoryRecord { number: row.number, entry })
        })
        .collect()
}
