use std::collections::HashSet;

use sqlx::PgConnection;
use stallkeeper_persistence::{InboxEntry, InboxKey, Settled, StoreError};

use crate::error::store_error;
use crate::moment::moments;

/// A notification was there when it was to be stored, and gone when it was looked up.
#[derive(Debug, thiserror::Error)]
#[error("a notification was pruned while it came again")]
struct Pruned;

/// Stores notifications and answers those that were there before.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    entries: &[InboxEntry],
) -> Result<Vec<(InboxKey, Settled)>, StoreError> {
    let stored = insert(connection, entries).await?;
    let known: Vec<&InboxKey> =
        entries.iter().map(|entry| &entry.key).filter(|key| !stored.contains(&pair(key))).collect();
    if known.is_empty() {
        return Ok(Vec::new());
    }
    look_up(connection, &known).await
}

fn pair(key: &InboxKey) -> (String, String) {
    (key.marketplace.to_string(), key.id.to_string())
}

/// Waits for another transaction that is storing one of these.
async fn insert(
    connection: &mut PgConnection,
    entries: &[InboxEntry],
) -> Result<HashSet<(String, String)>, StoreError> {
    let marketplaces: Vec<&str> = entries.iter().map(|entry| entry.key.marketplace.as_str()).collect();
    let ids: Vec<&str> = entries.iter().map(|entry| entry.key.id.as_str()).collect();
    let subscriptions: Vec<String> = entries.iter().map(|entry| entry.subscription.to_string()).collect();
    let received_at = moments(entries.iter().map(|entry| entry.received_at))?;
    let bodies: Vec<&[u8]> = entries.iter().map(|entry| entry.body.as_slice()).collect();
    let stored = sqlx::query!(
        r#"
        INSERT INTO inbox (marketplace, id, subscription, received_at, body)
        SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bytea[])
            AS new (marketplace, id, subscription, received_at, body)
        ORDER BY new.marketplace COLLATE "C", new.id COLLATE "C"
        ON CONFLICT DO NOTHING
        RETURNING marketplace, id
        "#,
        &marketplaces as &[&str],
        &ids as &[&str],
        &subscriptions,
        &received_at,
        &bodies as &[&[u8]],
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    Ok(stored.into_iter().map(|row| (row.marketplace, row.id)).collect())
}

/// A statement of its own, as only a new one sees what the other transaction has committed meanwhile.
async fn look_up(
    connection: &mut PgConnection,
    keys: &[&InboxKey],
) -> Result<Vec<(InboxKey, Settled)>, StoreError> {
    let marketplaces: Vec<&str> = keys.iter().map(|key| key.marketplace.as_str()).collect();
    let ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
    let rows = sqlx::query!(
        r#"
        SELECT known.position AS "position!", inbox.outcome
        FROM UNNEST($1::text[], $2::text[]) WITH ORDINALITY AS known (marketplace, id, position)
        JOIN inbox ON inbox.marketplace = known.marketplace AND inbox.id = known.id
        ORDER BY known.position
        "#,
        &marketplaces as &[&str],
        &ids as &[&str],
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    if rows.len() != keys.len() {
        return Err(StoreError::Conflict(Pruned.into()));
    }
    keys.iter().zip(rows).map(|(key, row)| Ok(((*key).clone(), row.outcome.parse()?))).collect()
}

/// Stores what became of notifications.
pub(crate) async fn note_outcomes(
    connection: &mut PgConnection,
    outcomes: &[(InboxKey, Settled)],
) -> Result<(), StoreError> {
    let marketplaces: Vec<&str> = outcomes.iter().map(|(key, _)| key.marketplace.as_str()).collect();
    let ids: Vec<&str> = outcomes.iter().map(|(key, _)| key.id.as_str()).collect();
    let words: Vec<&str> = outcomes.iter().map(|(_, settled)| settled.as_str()).collect();
    sqlx::query!(
        r#"
        UPDATE inbox SET outcome = new.outcome
        FROM UNNEST($1::text[], $2::text[], $3::text[]) AS new (marketplace, id, outcome)
        WHERE inbox.marketplace = new.marketplace AND inbox.id = new.id
        "#,
        &marketplaces as &[&str],
        &ids as &[&str],
        &words as &[&str],
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}
