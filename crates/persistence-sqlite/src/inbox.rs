use std::collections::HashSet;

use serde_json::json;
use sqlx::SqliteConnection;
use stallkeeper_persistence::{InboxEntry, InboxKey, Settled, StoreError};

use crate::error::store_error;
use crate::rows::rows;

/// Stores notifications and answers those that were there before.
pub(crate) async fn claim(
    connection: &mut SqliteConnection,
    entries: &[InboxEntry],
) -> Result<Vec<(InboxKey, Settled)>, StoreError> {
    let new = insert(connection, entries).await?;
    let is_new =
        |entry: &&InboxEntry| new.contains(&(entry.key.marketplace.to_string(), entry.key.id.to_string()));
    let mut known = Vec::new();
    for entry in entries.iter().filter(|entry| !is_new(entry)) {
        known.push((entry.key.clone(), look_up(connection, &entry.key).await?));
    }
    Ok(known)
}

/// Stores what is new, and answers its identities.
async fn insert(
    connection: &mut SqliteConnection,
    entries: &[InboxEntry],
) -> Result<HashSet<(String, String)>, StoreError> {
    // Bytes are no JSON: all bodies go as one value, of which each row takes its part. A byte stands before
    // them, as a value without any would be taken for NULL.
    let mut bodies = vec![0];
    bodies.extend(entries.iter().flat_map(|entry| entry.body.iter().copied()));
    let mut start = 2;
    let entries = rows(entries.iter().map(|entry| {
        let from = start;
        start += entry.body.len();
        json!([
            entry.key.marketplace.as_str(),
            entry.key.id.as_str(),
            entry.subscription.to_string(),
            entry.received_at.as_micros(),
            from,
            entry.body.len(),
        ])
    }))?;
    let inserted = sqlx::query!(
        r#"
        INSERT INTO inbox (marketplace, id, subscription, received_at, body)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3,
               CAST(substr($2, value ->> 4, value ->> 5) AS BLOB)
        FROM json_each($1) WHERE true
        ON CONFLICT DO NOTHING
        RETURNING marketplace, id
        "#,
        entries,
        bodies,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    Ok(inserted.into_iter().map(|row| (row.marketplace, row.id)).collect())
}

async fn look_up(connection: &mut SqliteConnection, key: &InboxKey) -> Result<Settled, StoreError> {
    let (marketplace, id) = (key.marketplace.as_str(), key.id.as_str());
    let outcome =
        sqlx::query_scalar!("SELECT outcome FROM inbox WHERE marketplace = $1 AND id = $2", marketplace, id,)
            .fetch_one(connection)
            .await
            .map_err(store_error)?;
    outcome.parse()
}

/// Stores what became of notifications.
pub(crate) async fn note_outcomes(
    connection: &mut SqliteConnection,
    outcomes: &[(InboxKey, Settled)],
) -> Result<(), StoreError> {
    for (key, settled) in outcomes {
        let (marketplace, id, outcome) = (key.marketplace.as_str(), key.id.as_str(), settled.as_str());
        sqlx::query!(
            "UPDATE inbox SET outcome = $3 WHERE marketplace = $1 AND id = $2",
            marketplace,
            id,
            outcome,
        )
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
    }
    Ok(())
}
