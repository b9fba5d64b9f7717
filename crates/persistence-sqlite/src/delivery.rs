use std::time::Duration;

use async_trait::async_trait;
use sqlx::SqliteConnection;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{Delivery, DeliveryFilter, DeliveryRecord, DeliveryStore, Page, StoreError};

use crate::SqliteStore;
use crate::error::store_error;
use crate::lane::Lane;

struct Row {
    number: i64,
    subscription: String,
    endpoint: String,
    kind: String,
    payload: String,
    message: String,
    event: String,
    sequence: i64,
    attempt: i64,
    at: i64,
    took_micros: i64,
    status: Option<i64>,
    error: Option<String>,
}

impl Row {
    fn read(self) -> Result<DeliveryRecord, StoreError> {
        let unreadable = |error: std::num::TryFromIntError| StoreError::unreadable("deliveries", error);
        let key = self.subscription.parse();
        let outcome = match (self.status, self.error) {
            (_, Some(error)) => Err(error),
            (Some(status), None) => Ok(u16::try_from(status).map_err(unreadable)?),
            (None, None) => {
                return Err(StoreError::unreadable("deliveries", "neither a status nor an error"));
            }
        };
        let delivery = Delivery {
            key: key.map_err(|error| StoreError::unreadable("deliveries.subscription", error))?,
            endpoint: self.endpoint,
            kind: self.kind.parse()?,
            message: self.message,
            event: self.event,
            sequence: u64::try_from(self.sequence).map_err(unreadable)?,
            attempt: i32::try_from(self.attempt).map_err(unreadable)?,
            at: Timestamp::from_micros(self.at),
            took: Duration::from_micros(u64::try_from(self.took_micros).map_err(unreadable)?),
            outcome,
            payload: self.payload,
        };
        Ok(DeliveryRecord { number: self.number, delivery })
    }
}

fn read_all(rows: Vec<Row>) -> Result<Vec<DeliveryRecord>, StoreError> {
    rows.into_iter().map(Row::read).collect()
}

fn micros(took: Duration) -> i64 {
    i64::try_from(took.as_micros()).unwrap_or(i64::MAX)
}

async fn note(connection: &mut SqliteConnection, delivery: &Delivery) -> Result<(), StoreError> {
    let sequence = i64::try_from(delivery.sequence).map_err(|error| StoreError::Data(error.into()))?;
    let (key, kind, at) = (delivery.key.to_string(), delivery.kind.as_str(), delivery.at.as_micros());
    let (took, status) = (micros(delivery.took), delivery.outcome.as_ref().ok().copied());
    let error = delivery.outcome.as_ref().err();
    sqlx::query!(
        r#"
        INSERT INTO deliveries
            (subscription, endpoint, kind, payload, message, event, sequence, attempt, at, took_micros, status, error)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        "#,
        key,
        delivery.endpoint,
        kind,
        delivery.payload,
        delivery.message,
        delivery.event,
        sequence,
        delivery.attempt,
        at,
        took,
        status,
        error,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

async fn prune(connection: &mut SqliteConnection, horizon: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let (horizon, limit) = (horizon.as_micros(), i64::from(limit));
    sqlx::query!(
        r#"
        DELETE FROM deliveries WHERE number IN (
            SELECT number FROM deliveries WHERE at < $1 ORDER BY at LIMIT $2
        )
        "#,
        horizon,
        limit,
    )
    .execute(connection)
    .await
    .map(|done| done.rows_affected())
    .map_err(store_error)
}

#[async_trait]
impl DeliveryStore for SqliteStore {
    async fn note_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let mut write = self.writer.begin(Lane::FinalWindows).await?;
        self.bounded(note(write.connection(), delivery)).await?;
        write.commit().await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        page: &Page<i64>,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let (after, limit) = (page.after.unwrap_or(i64::MAX), page.rows());
        let endpoint = filter.endpoint.as_deref();
        self.bounded(async {
            let rows = sqlx::query_as!(
                Row,
                r#"
                SELECT number, subscription, endpoint, kind, payload, message, event, sequence, attempt, at,
                    took_micros, status, error
                FROM deliveries
                WHERE number < $1 AND ($2 IS NULL OR endpoint = $2) AND (NOT $3 OR error IS NOT NULL)
                ORDER BY number DESC LIMIT $4
                "#,
                after,
                endpoint,
                filter.failed_only,
                limit,
            )
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
            read_all(rows)
        })
        .await
    }

    async fn deliveries_of(
        &self,
        key: &SubscriptionKey,
        page: &Page<i64>,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let (key, after, limit) = (key.to_string(), page.after.unwrap_or(i64::MAX), page.rows());
        self.bounded(async {
            let rows = sqlx::query_as!(
                Row,
                r#"
                SELECT number, subscription, endpoint, kind, payload, message, event, sequence, attempt, at,
                    took_micros, status, error
                FROM deliveries WHERE subscription = $1 AND number < $2 ORDER BY number DESC LIMIT $3
                "#,
                key,
                after,
                limit,
            )
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
            read_all(rows)
        })
        .await
    }

    async fn delivery(&self, message: &str) -> Result<Option<DeliveryRecord>, StoreError> {
        self.bounded(async {
            let row = sqlx::query_as!(
                Row,
                r#"
                SELECT number, subscription, endpoint, kind, payload, message, event, sequence, attempt, at,
                    took_micros, status, error
                FROM deliveries WHERE message = $1 ORDER BY number DESC LIMIT 1
                "#,
                message,
            )
            .fetch_optional(&self.readers)
            .await
            .map_err(store_error)?;
            row.map(Row::read).transpose()
        })
        .await
    }

    async fn prune_deliveries(&self, horizon: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let mut write = self.writer.begin(Lane::Housekeeping).await?;
        let pruned = self.bounded(prune(write.connection(), horizon, limit)).await?;
        write.commit().await?;
        Ok(pruned)
    }
}
