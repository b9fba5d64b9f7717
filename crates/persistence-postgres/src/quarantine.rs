use std::borrow::Cow;

use async_trait::async_trait;
use sqlx::PgConnection;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{
    Actor, Page, QuarantineEntry, QuarantineKey, QuarantineRecord, QuarantineState, QuarantineStore,
    StoreError,
};
use time::OffsetDateTime;

use crate::PostgresStore;
use crate::error::store_error;
use crate::moment::{moment, moments, optional_moments};

/// Puts messages aside; what is there already is counted.
pub(crate) async fn put(
    connection: &mut PgConnection,
    entries: &[QuarantineEntry],
) -> Result<(), StoreError> {
    let marketplaces: Vec<&str> = entries.iter().map(|entry| entry.key.marketplace.as_str()).collect();
    let hashes: Vec<&str> = entries.iter().map(|entry| entry.key.hash.as_str()).collect();
    let message_ids: Vec<Cow<'_, str>> = entries.iter().map(|entry| storable(&entry.message_id)).collect();
    let reasons: Vec<Cow<'_, str>> = entries.iter().map(|entry| storable(&entry.reason)).collect();
    let details: Vec<Cow<'_, str>> = entries.iter().map(|entry| storable(&entry.detail)).collect();
    let bodies: Vec<&[u8]> = entries.iter().map(|entry| entry.body.as_slice()).collect();
    let sent_at = optional_moments(entries.iter().map(|entry| entry.sent_at))?;
    let at = moments(entries.iter().map(|entry| entry.at))?;
    sqlx::query!(
        r#"
        INSERT INTO quarantine AS old
            (marketplace, hash, message_id, reason, detail, body, sent_at, first_seen_at, last_seen_at)
        SELECT marketplace, hash, message_id, reason, detail, body, sent_at, at, at
        FROM UNNEST(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::timestamptz[],
            $8::timestamptz[]
        ) AS new (marketplace, hash, message_id, reason, detail, body, sent_at, at)
        ORDER BY marketplace COLLATE "C", hash COLLATE "C"
        ON CONFLICT (marketplace, hash) DO UPDATE
        SET seen = old.seen + 1, last_seen_at = EXCLUDED.last_seen_at,
            reason = EXCLUDED.reason, detail = EXCLUDED.detail
        "#,
        &marketplaces as &[&str],
        &hashes as &[&str],
        &message_ids as &[Cow<'_, str>],
        &reasons as &[Cow<'_, str>],
        &details as &[Cow<'_, str>],
        &bodies as &[&[u8]],
        &sent_at as &[Option<OffsetDateTime>],
        &at,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// Text cannot hold NUL here, and there is no further place to put aside what quarantine refuses.
fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// Marks messages as replayed.
pub(crate) async fn settle(
    connection: &mut PgConnection,
    replayed: &[(QuarantineKey, Actor)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let marketplaces: Vec<&str> = replayed.iter().map(|(key, _)| key.marketplace.as_str()).collect();
    let hashes: Vec<&str> = replayed.iter().map(|(key, _)| key.hash.as_str()).collect();
    let actors: Vec<String> = replayed.iter().map(|(_, actor)| actor.to_string()).collect();
    sqlx::query!(
        r#"
        UPDATE quarantine SET state = $4, settled_by = new.actor, settled_at = $5
        FROM UNNEST($1::text[], $2::text[], $3::text[]) AS new (marketplace, hash, actor)
        WHERE quarantine.marketplace = new.marketplace AND quarantine.hash = new.hash
        "#,
        &marketplaces as &[&str],
        &hashes as &[&str],
        &actors,
        QuarantineState::Replayed.as_str(),
        moment(now)?,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

struct Row {
    marketplace: String,
    hash: String,
    message_id: String,
    reason: String,
    detail: String,
    body: Vec<u8>,
    sent_at: Option<OffsetDateTime>,
    first_seen_at: OffsetDateTime,
    last_seen_at: OffsetDateTime,
    seen: i64,
    state: String,
    settled_by: Option<String>,
    settled_at: Option<OffsetDateTime>,
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
                sent_at: self.sent_at.map(Into::into),
                at: self.first_seen_at.into(),
            },
            state: self.state.parse()?,
            seen: self.seen,
            last_seen_at: self.last_seen_at.into(),
            settled: self.settled_by.zip(self.settled_at.map(Into::into)),
        })
    }
}

#[async_trait]
impl QuarantineStore for PostgresStore {
    async fn quarantined(&self, key: &QuarantineKey) -> Result<Option<QuarantineRecord>, StoreError> {
        self.bounded(async {
            sqlx::query_as!(
                Row,
                "SELECT * FROM quarantine WHERE marketplace = $1 AND hash = $2",
                key.marketplace.as_str(),
                key.hash,
            )
            .fetch_optional(&self.pool)
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
            .fetch_all(&self.pool)
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
        self.bounded(async {
            let rows = sqlx::query_as!(
                Row,
                r#"
                SELECT marketplace, hash, message_id, reason, detail, ''::bytea AS "body!", sent_at,
                    first_seen_at, last_seen_at, seen, state, settled_by, settled_at
                FROM quarantine WHERE state = $1 AND (marketplace, hash) > ($2, $3)
                ORDER BY marketplace, hash LIMIT $4
                "#,
                state.as_str(),
                marketplace,
                hash,
                page.rows(),
            )
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
            rows.into_iter().map(Row::read).collect()
        })
        .await
    }

    async fn quarantine_held(&self) -> Result<u64, StoreError> {
        self.bounded(async {
            let held = sqlx::query_scalar!(
                "SELECT count(*) AS \"held!\" FROM (SELECT 1 FROM quarantine WHERE state = $1 LIMIT 10000) AS held",
                QuarantineState::Held.as_str(),
            )
            .fetch_one(&self.pool)
            .await
            .map_err(store_error)?;
            Ok(held.unsigned_abs())
        })
        .await
    }

    async fn discard(&self, key: &QuarantineKey, actor: &Actor, now: Timestamp) -> Result<bool, StoreError> {
        let now = moment(now)?;
        self.bounded(async {
            let done = sqlx::query!(
                r#"
                UPDATE quarantine SET state = $3, settled_by = $4, settled_at = $5
                WHERE marketplace = $1 AND hash = $2 AND state = $6
                "#,
                key.marketplace.as_str(),
                key.hash,
                QuarantineState::Discarded.as_str(),
                actor.to_string(),
                now,
                QuarantineState::Held.as_str(),
            )
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }
}
