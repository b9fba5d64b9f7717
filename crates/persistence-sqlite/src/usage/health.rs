use stallkeeper_ledger::Hour;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::StoreError;
use stallkeeper_persistence::usage::LedgerHealth;

use crate::SqliteStore;
use crate::error::store_error;

/// All of it at one moment.
pub(super) async fn read(store: &SqliteStore) -> Result<LedgerHealth, StoreError> {
    let mut snapshot = store.readers.begin().await.map_err(store_error)?;
    let records = sqlx::query!(
        r#"
        SELECT
            (SELECT count(*) FROM (SELECT 1 FROM usage_records WHERE state = 'frozen' LIMIT 10000) AS unsent)
                AS "unsent!: i64",
            (SELECT min(hour) FROM usage_records WHERE state = 'frozen') AS "oldest_unsent: i64",
            (SELECT count(*) FROM (
                SELECT 1 FROM usage_records
                WHERE state = 'conflict' AND state IN ('conflict', 'rejected', 'expired', 'not_subscribed')
                LIMIT 10000
            ) AS conflicts) AS "conflicts!: i64",
            (SELECT count(*) FROM (
                SELECT 1 FROM usage_records
                WHERE state = 'rejected' AND state IN ('conflict', 'rejected', 'expired', 'not_subscribed')
                LIMIT 10000
            ) AS rejected) AS "rejected!: i64",
            (SELECT count(*) FROM (
                SELECT 1 FROM usage_records
                WHERE state = 'expired' AND state IN ('conflict', 'rejected', 'expired', 'not_subscribed')
                LIMIT 10000
            ) AS expired) AS "expired!: i64",
            (SELECT count(*) FROM (
                SELECT 1 FROM usage_records
                WHERE state = 'not_subscribed'
                    AND state IN ('conflict', 'rejected', 'expired', 'not_subscribed')
                LIMIT 10000
            ) AS not_subscribed) AS "not_subscribed!: i64"
        "#,
    )
    .fetch_one(&mut *snapshot)
    .await
    .map_err(store_error)?;
    let most_urgent = sqlx::query!(
        r#"
        SELECT frozen_at AS "frozen_at!", expires_at AS "expires_at!" FROM usage_records
        WHERE state = 'frozen' AND expires_at IS NOT NULL AND frozen_at IS NOT NULL
        ORDER BY expires_at, number LIMIT 1
        "#,
    )
    .fetch_optional(&mut *snapshot)
    .await
    .map_err(store_error)?;
    let others = sqlx::query!(
        r#"
        SELECT
            (SELECT count(*) FROM (SELECT 1 FROM meters WHERE deadline IS NOT NULL LIMIT 10000) AS windows)
                AS "windows!: i64",
            (SELECT min(deadline) FROM meters WHERE deadline IS NOT NULL) AS "next_window_end: i64",
            (SELECT count(*) FROM (
                SELECT 1 FROM usage_events WHERE state = 'held' AND held_for = 'late' LIMIT 10000
            ) AS late) AS "held_late!: i64",
            (SELECT count(*) FROM (
                SELECT 1 FROM usage_events WHERE state = 'held' AND held_for = 'before_activation' LIMIT 10000
            ) AS early) AS "held_early!: i64",
            (SELECT min(held_until) FROM usage_events WHERE state = 'held') AS "next_held_end: i64"
        "#,
    )
    .fetch_one(&mut *snapshot)
    .await
    .map_err(store_error)?;
    let time = Timestamp::from_micros;
    Ok(LedgerHealth {
        unsent: records.unsent.unsigned_abs(),
        oldest_unsent: records.oldest_unsent.map(Hour::new),
        most_urgent: most_urgent.map(|row| (time(row.frozen_at), time(row.expires_at))),
        windows: others.windows.unsigned_abs(),
        next_window_end: others.next_window_end.map(time),
        held_late: others.held_late.unsigned_abs(),
        held_early: others.held_early.unsigned_abs(),
        next_held_end: others.next_held_end.map(time),
        conflicts: records.conflicts.unsigned_abs(),
        rejected: records.rejected.unsigned_abs(),
        expired: records.expired.unsigned_abs(),
        not_subscribed: records.not_subscribed.unsigned_abs(),
    })
}
