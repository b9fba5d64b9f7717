use async_trait::async_trait;
use sqlx::SqliteConnection;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{
    Actor, Page, QuarantineEntry, QuarantineKey, QuarantineRecord, QuarantineState, QuarantineStore,
    StoreError,
};

use crate::SqliteStore;
use crate::error::store_error;
use crate::lane::Lane;

/// Puts messages aside; what is there already is counted.
pub(crate) async fn put(
    connection: &mut SqliteConnection,
    entries: &[QuarantineEntry],
) -> Result<(), StoreError> {
    for entry in entries {
        put_one(connection, entry).await?;
    }
    Ok(())
}

async fn put_one(connection: &mut SqliteConnection, entry: &QuarantineEntry) -> Result<(), StoreError> {
    let marketplace = entry.key.marketplace.as_str();
    let sent_at = entry.sent_at.map(Timestamp::as_micros);
    let at = entry.at.as_micros();
    sqlx::query!(
        r#"
        INSERT INTO quarantine
            (marketplace, hash, message_id, reason, detail, body, sent_at, first_seen_at, last_seen_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
        ON CONFLICT (marketplace, hash) DO UPDATE
        SET seen = seen + 1, last_seen_at = excluded.last_seen_at,
            reason = excluded.reason, detail = excluded.detail
        "#,
        marketplace,
        entry.key.hash,
        entry.message_id,
        entry.reason,
        entry.detail,
        entry.body,
        sent_at,
        at,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// Marks messages as replayed.
pub(crate) async fn settle(
    connection: &mut SqliteConnection,
    replayed: &[(QuarantineKey, Actor)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let (state, now) = (QuarantineState::Replayed.as_str(), now.as_micros());
    for (key, actor) in replayed {
        let (marketplace, actor) = (key.marketplace.as_str(), actor.to_string());
        sqlx::query!(
            r#"
            UPDATE quarantine SET state = $3, settled_by = $4, settled_at = $5
            WHERE marketplace = $1 AND hash = $2
            "#,
            marketplace,
            key.hash,
            state,
            actor,
            now,
        )
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
    }
    Ok(())
}

/// Whether the message was held.
async fn discard(
    connection: &mut SqliteConnection,
    key: &QuarantineKey,
    actor: &Actor,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (marketplace, actor, now) = (key.marketplace.as_str(), actor.to_string(), now.as_micros());
    let (held, discarded) = (QuarantineState::Held.as_str(), QuarantineState::Discarded.as_str());
    let done = sqlx::query!(
        r#"
        UPDATE quarantine SET state = $3, settled_by = $4, settled_at = $5
        WHERE marketplace = $1 AND hash = $2 AND state = $6
        "#,
        marketplace,
        key.hash,
        discarded,
        actor,
        now,
        held,
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(done.rows_affected() == 1)
}

struct Row {
    marketplace: String,
    hash: String,
    message_id: String,
    reason: String,
    detail: String,
    body: Vec<u8>,
    sent_at: Option<i64>,
    first_seen_at: i64,
    last_seen_at: i64,
    seen: i64,
    state: String,
    settled_by: Option<String>,
    settled_at: Option<i64>,
}

impl Row {
    fn read(self) -> Result<QuarantineRecord, StoreError> {
        let marketplace = self
            .marketplace
            .parse()
            .map_err(|error| StoreError::unreadable("quarantine.marketplace", error))?;
        Ok(QuarantineRecord {
            entry: QuarantineEntry {
                key: QuarantineKey { marketplace, hash: self.hash },
                message_id: self.message_id,
                reason: self.reason,
                detail: self.detail,
                body: self.body,
                sent_at: self.sent_at.map(Timestamp::from_micros),
                at: Timestamp::from_micros(self.first_seen_at),
            },
            state: self.state.parse()?,
            seen: self.seen,
            last_seen_at: Timestamp::from_micros(self.last_seen_at),
            settled: self.settled_by.zip(self.settled_at.map(Timestamp::from_micros)),
        })
    }
}

#[async_trait]
impl QuarantineStore for SqliteStore {
    async fn quarantined(&self, key: &QuarantineKey) -> Result<Option<QuarantineRecord>, StoreError> {
        self.bounded(async {
            let marketplace = key.marketplace.as_str();
            sqlx::query_as!(
                Row,
                "SELECT * FROM quarantine WHERE marketplace = $1 AND hash = $2",
                marketplace,
                key.hash,
            )
            .fetch_optional(&self.readers)
            .await
            .map_err(store_error)?
            .map(Row::read)
            .transpose()
        })
        .await
    }

    async fn quarantined_by_prefix(&self, hash_prefix: &str) -> Result<Vec<QuarantineRecord>, StoreError> {
        // Every hash that begins so stands before this, as "g" follows the hexadecimal digits.
        let end = format!("{hash_prefix}g");
        self.bounded(async {
            let rows = sqlx::query_as!(
                Row,
                "SELECT * FROM quarantine WHERE hash >= $1 AND hash < $2 ORDER BY hash LIMIT 2",
                hash_prefix,
                end,
            )
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
            rows.into_iter().map(Row::read).collect()
        })
        .await
    }

    async fn quarantine_list(
        &self,
        state: QuarantineState,
        page: &Page<QuarantineKey>,
    ) -> Result<Vec<QuarantineRecord>, StoreError> {
        let (marketplace, hash) = match &page.after {
            Some(key) => (key.marketplace.as_str(), key.hash.as_str()),
            None => ("", ""),
        };
        let (state, limit) = (state.as_str(), page.rows());
        self.bounded(async {
            let rows = sqlx::query_as!(
                Row,
                r#"
                SELECT marketplace, hash, message_id, reason, detail, x'' AS "body!: Vec<u8>", sent_at,
                    first_seen_at, last_seen_at, seen, state, settled_by, settled_at
                FROM quarantine WHERE state = $1 AND (marketplace, hash) > ($2, $3)
                ORDER BY marketplace, hash LIMIT $4
                "#,
                state,
                marketplace,
                hash,
                limit,
            )
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
            rows.into_iter().map(Row::read).collect()
        })
        .await
    }

    async fn quarantine_held(&self) -> Result<u64, StoreError> {
        self.bounded(async {
            let state = QuarantineState::Held.as_str();
            let held = sqlx::query_scalar!(
                "SELECT count(*) FROM (SELECT 1 FROM quarantine WHERE state = $1 LIMIT 10000)",
                state
            )
            .fetch_one(&self.readers)
            .await
            .map_err(store_error)?;
            Ok(held.unsigned_abs())
        })
        .await
    }

    async fn discard(&self, key: &QuarantineKey, actor: &Actor, now: Timestamp) -> Result<bool, StoreError> {
        let mut write = self.writer.begin(Lane::Notifications).await?;
        let discarded = self.bounded(discard(write.connection(), key, actor, now)).await?;
        write.commit().await?;
        Ok(discarded)
    }
}
