use sqlx::SqliteConnection;
use stallkeeper_persistence::{InboxEntry, InboxKey, Settled, StoreError};

use crate::error::store_error;

/// Stores notifications and answers those that were there before.
pub(crate) async fn claim(
    connection: &mut SqliteConnection,
    entries: &[InboxEntry],
) -> Result<Vec<(InboxKey, Settled)>, StoreError> {
    let mut known = Vec::new();
    for entry in entries {
        if !insert(connection, entry).await? {
            let settled = look_up(connection, &entry.key).await?;
            known.push((entry.key.clone(), settled));
        }
    }
    Ok(known)
}

/// Whether the notification is new.
async fn insert(connection: &mut SqliteConnection, entry: &InboxEntry) -> Result<bool, StoreError> {
    let marketplace = entry.key.marketplace.as_str();
    let id = entry.key.id.as_str();
    let subscription = entry.subscription.to_string();
    let received_at = entry.received_at.as_micros();
    let body = entry.body.as_slice();
    let done = sqlx::query!(
        r#"
        INSERT INTO inbox (marketplace, id, subscription, received_at, body)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        "#,
        marketplace,
        id,
        subscription,
        received_at,
        body,
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(done.rows_affected() == 1)
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
