use std::time::Duration;

use async_trait::async_trait;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{Delivery, DeliveryFilter, DeliveryRecord, DeliveryStore, Page, StoreError};
use time::OffsetDateTime;

use crate::PostgresStore;
use crate::error::store_error;
use crate::moment::moment;

struct Row {
    number: i64,
    subscription: String,
    endpoint: String,
    kind: String,
    payload: String,
    message: String,
    event: String,
    sequence: i64,
    attempt: i32,
    at: OffsetDateTime,
    took_micros: i64,
    status: Option<i32>,
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
            attempt: self.attempt,
            at: self.at.into(),
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

async fn note(store: &PostgresStore, delivery: &Delivery) -> Result<(), StoreError> {
    let sequence = i64::try_from(delivery.sequence).map_err(|error| StoreError::Data(error.into()))?;
    sqlx::query!(
        r#"
        INSERT INTO deliveries
            (subscription, endpoint, kind, payload, message, event, sequence, attempt, at, took_micros, status, error)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        "#,
        delivery.key.to_string(),
        delivery.endpoint,
        delivery.kind.as_str(),
        delivery.payload,
        delivery.message,
        delivery.event,
        sequence,
        delivery.attempt,
        moment(delivery.at)?,
        micros(delivery.took),
        delivery.outcome.as_ref().ok().map(|status| i32::from(*status)),
        delivery.outcome.as_ref().err(),
    )
    .execute(&store.pool)
    .await
    .map(drop)
    .map_err(store_error)
}

#[async_trait]
impl DeliveryStore for PostgresStore {
    async fn note_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        self.bounded(note(self, delivery)).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        page: &Page<i64>,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.bounded(async {
            let rows = sqlx::query_as!(
                Row,
                r#"
                SELECT * FROM deliveries
                WHERE number < $1 AND ($2::text IS NULL OR endpoint = $2) AND (NOT $3 OR error IS NOT NULL)
                ORDER BY number DESC LIMIT $4
                "#,
                page.after.unwrap_or(i64::MAX),
                filter.endpoint.as_deref(),
                filter.failed_only,
                page.rows(),
            )
            .fetch_all(&self.pool)
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
        self.bounded(async {
            let rows = sqlx::query_as!(
                Row,
                "SELECT * FROM deliveries WHERE subscription = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
                key.to_string(),
                page.after.unwrap_or(i64::MAX),
                page.rows(),
            )
            .fetch_all(&self.pool)
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
                "SELECT * FROM deliveries WHERE message = $1 ORDER BY number DESC LIMIT 1",
                message,
            )
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
            row.map(Row::read).transpose()
        })
        .await
    }

    async fn prune_deliveries(&self, horizon: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let horizon = moment(horizon)?;
        self.bounded(async {
            sqlx::query!(
                r#"
                DELETE FROM deliveries WHERE ctid = ANY(ARRAY(
                    SELECT ctid FROM deliveries WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED
                ))
                "#,
                horizon,
                i64::from(limit),
            )
            .execute(&self.pool)
            .await
            .map(|done| done.rows_affected())
            .map_err(store_error)
        })
        .await
    }
}
