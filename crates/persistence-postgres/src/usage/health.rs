use stallkeeper_ledger::Hour;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::StoreError;
use stallkeeper_persistence::usage::LedgerHealth;

use crate::PostgresStore;
use crate::error::store_error;

/// How the ledger fares; each figure from an index of its own, and no count goes on beyond 10,000.
pub(super) async fn read(store: &PostgresStore) -> Result<LedgerHealth, StoreError> {
    let health = LedgerHealth::default();
    let health = records(store, health).await?;
    let health = ended(store, health).await?;
    windows_and_held(store, health).await
}

async fn records(store: &PostgresStore, health: LedgerHealth) -> Result<LedgerHealth, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            (SELECT count(*) FROM (SELECT 1 FROM usage_records WHERE state = 'frozen' LIMIT 10000) AS unsent)
                AS "unsent!",
            (SELECT min(hour) FROM usage_records WHERE state = 'frozen') AS oldest,
            urgent.frozen_at AS "frozen_at?", urgent.expires_at AS "expires_at?"
        FROM (VALUES (1)) AS one LEFT JOIN (
            SELECT frozen_at, expires_at FROM usage_records WHERE state = 'frozen'
            ORDER BY expires_at, number LIMIT 1
        ) AS urgent ON TRUE
        "#
    )
    .fetch_one(&store.pool)
    .await
    .map_err(store_error)?;
    let most_urgent = row.frozen_at.zip(row.expires_at).map(|(at, until)| (at.into(), until.into()));
    Ok(LedgerHealth {
        unsent: row.unsent.unsigned_abs(),
        oldest_unsent: row.oldest.map(Hour::new),
        most_urgent,
        ..health
    })
}

async fn ended(store: &PostgresStore, health: LedgerHealth) -> Result<LedgerHealth, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            (SELECT count(*) FROM (SELECT 1 FROM usage_records WHERE state = 'conflict' LIMIT 10000) AS conflict)
                AS "conflicts!",
            (SELECT count(*) FROM (SELECT 1 FROM usage_records WHERE state = 'rejected' LIMIT 10000) AS rejected)
                AS "rejected!",
            (SELECT count(*) FROM (SELECT 1 FROM usage_records WHERE state = 'expired' LIMIT 10000) AS expired)
                AS "expired!",
            (SELECT count(*) FROM (
                SELECT 1 FROM usage_records WHERE state = 'not_subscribed' LIMIT 10000
            ) AS not_subscribed) AS "not_subscribed!"
        "#
    )
    .fetch_one(&store.pool)
    .await
    .map_err(store_error)?;
    Ok(LedgerHealth {
        conflicts: row.conflicts.unsigned_abs(),
        rejected: row.rejected.unsigned_abs(),
        expired: row.expired.unsigned_abs(),
        not_subscribed: row.not_subscribed.unsigned_abs(),
        ..health
    })
}

async fn windows_and_held(store: &PostgresStore, health: LedgerHealth) -> Result<LedgerHealth, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            (SELECT count(*) FROM (SELECT 1 FROM meters WHERE deadline IS NOT NULL LIMIT 10000) AS leaving)
                AS "windows!",
            (SELECT min(deadline) FROM meters WHERE deadline IS NOT NULL) AS next_window_end,
            (SELECT count(*) FROM (
                SELECT 1 FROM usage_events WHERE state = 'held' AND held_for = 'late' LIMIT 10000
            ) AS late) AS "held_late!",
            (SELECT count(*) FROM (
                SELECT 1 FROM usage_events WHERE state = 'held' AND held_for = 'before_activation' LIMIT 10000
            ) AS early) AS "held_early!",
            (SELECT min(held_until) FROM usage_events WHERE state = 'held') AS next_held_end
        "#
    )
    .fetch_one(&store.pool)
    .await
    .map_err(store_error)?;
    Ok(LedgerHealth {
        windows: row.windows.unsigned_abs(),
        next_window_end: row.next_window_end.map(Timestamp::from),
        held_late: row.held_late.unsigned_abs(),
        held_early: row.held_early.unsigned_abs(),
        next_held_end: row.next_held_end.map(Timestamp::from),
        ..health
    })
}
