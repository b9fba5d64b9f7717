use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{PgConnection, PgExecutor};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{
    Job, JobCounts, JobKind, JobPosition, JobRecord, JobState, JobStore, NewJob, Page, StoreError,
};
use time::OffsetDateTime;

use crate::PostgresStore;
use crate::error::store_error;
use crate::moment::{moment, moments};

/// Stores jobs, each in the place of an unfinished one.
///
/// A lease stays: the runner that has the older job ends first, and only then is the newer one handed out.
pub(crate) async fn put(connection: &mut PgConnection, jobs: &[NewJob]) -> Result<(), StoreError> {
    let subscriptions: Vec<String> = jobs.iter().map(|job| job.key.to_string()).collect();
    let kinds: Vec<&str> = jobs.iter().map(|job| job.kind.as_str()).collect();
    let states: Vec<&str> = jobs.iter().map(|job| job.kind.first_state().as_str()).collect();
    let due_at = moments(jobs.iter().map(|job| job.due_at))?;
    let payloads: Vec<&str> = jobs.iter().map(|job| job.payload.as_str()).collect();
    let targets: Vec<&str> = jobs.iter().map(|job| job.target.as_str()).collect();
    sqlx::query!(
        r#"
        INSERT INTO jobs AS old (subscription, kind, state, due_at, payload, target)
        SELECT subscription, kind, state, due_at, payload, target
        FROM UNNEST($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[])
            AS new (subscription, kind, state, due_at, payload, target)
        ORDER BY subscription COLLATE "C", kind COLLATE "C", target COLLATE "C"
        ON CONFLICT (subscription, kind, target) DO UPDATE
        SET state = EXCLUDED.state, due_at = EXCLUDED.due_at, payload = EXCLUDED.payload,
            version = old.version + 1, attempts = 0, last_error = NULL
        "#,
        &subscriptions,
        &kinds as &[&str],
        &states as &[&str],
        &due_at,
        &payloads as &[&str],
        &targets as &[&str],
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

struct Row {
    subscription: String,
    kind: String,
    state: String,
    due_at: OffsetDateTime,
    payload: String,
    version: i64,
    attempts: i32,
    leased_until: Option<OffsetDateTime>,
    last_error: Option<String>,
    target: String,
}

impl Row {
    fn read(self) -> Result<JobRecord, StoreError> {
        let key =
            self.subscription.parse().map_err(|error| StoreError::unreadable("jobs.subscription", error))?;
        Ok(JobRecord {
            job: Job {
                key,
                kind: self.kind.parse()?,
                target: self.target,
                payload: self.payload,
                version: self.version,
                attempts: self.attempts,
            },
            state: self.state.parse()?,
            due_at: self.due_at.into(),
            leased_until: self.leased_until.map(Into::into),
            last_error: self.last_error,
        })
    }

    /// The job as its runner gets it; `None` where it cannot be read, which must not keep the others back.
    fn handed_out(self) -> Option<Job> {
        let (subscription, kind) = (self.subscription.clone(), self.kind.clone());
        match self.read() {
            Ok(record) => Some(record.job),
            Err(error) => {
                tracing::error!(
                    subscription,
                    kind,
                    error = &error as &dyn Error,
                    "a stored job cannot be read and is not run; mend or delete its row"
                );
                None
            }
        }
    }
}

fn words(kinds: &[JobKind]) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.as_str()).collect()
}

/// A newer job has taken the place of one that has ended: its runner's lease goes, so that the newer one can
/// be handed out, unless it was already.
async fn release(store: &PostgresStore, ended: &Job) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        UPDATE jobs SET leased_until = NULL
        WHERE subscription = $1 AND kind = $2 AND version > $3 AND target = $4 AND attempts = 0
        "#,
        ended.key.to_string(),
        ended.kind.as_str(),
        ended.version,
        ended.target,
    )
    .execute(&store.pool)
    .await
    .map(drop)
    .map_err(store_error)
}

async fn claim(
    store: &PostgresStore,
    target: Option<&str>,
    kinds: &[&str],
    now: OffsetDateTime,
    leased_until: OffsetDateTime,
    limit: u32,
) -> Result<Vec<Job>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        WITH ready AS MATERIALIZED (
            SELECT subscription, kind, target, ready_at FROM jobs
            WHERE state = 'due' AND ready_at <= $1 AND kind = ANY($4) AND ($5::text IS NULL OR target = $5)
            ORDER BY ready_at, subscription, kind, target LIMIT $3
            FOR UPDATE SKIP LOCKED
        ), leased AS (
            UPDATE jobs SET leased_until = $2, attempts = jobs.attempts + 1
            FROM ready
            WHERE jobs.subscription = ready.subscription AND jobs.kind = ready.kind AND jobs.target = ready.target
            RETURNING jobs.*, ready.ready_at AS was_ready_at
        )
        SELECT subscription, kind, state, due_at, payload, version, attempts, leased_until, last_error, target
        FROM leased ORDER BY was_ready_at, subscription, kind, target
        "#,
        now,
        leased_until,
        i64::from(limit),
        kinds as &[&str],
        target,
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    Ok(rows.into_iter().filter_map(Row::handed_out).collect())
}

/// Whether it was the newest.
async fn delete(executor: impl PgExecutor<'_>, job: &Job) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "DELETE FROM jobs WHERE subscription = $1 AND kind = $2 AND version = $3 AND target = $4 AND attempts = $5",
        job.key.to_string(),
        job.kind.as_str(),
        job.version,
        job.target,
        job.attempts,
    )
    .execute(executor)
    .await
    .map_err(store_error)?;
    Ok(done.rows_affected() > 0)
}

async fn finish_into(store: &PostgresStore, job: &Job, next: &[NewJob]) -> Result<(), StoreError> {
    let mut transaction = store.pool.begin().await.map_err(store_error)?;
    if !delete(&mut *transaction, job).await? {
        drop(transaction);
        return release(store, job).await;
    }
    put(&mut transaction, next).await?;
    transaction.commit().await.map_err(store_error)
}

#[async_trait]
impl JobStore for PostgresStore {
    async fn claim_jobs_for(
        &self,
        target: Option<&str>,
        kinds: &[JobKind],
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError> {
        let leased_until = moment(now.plus(lease))?;
        let now = moment(now)?;
        self.bounded(claim(self, target, &words(kinds), now, leased_until, limit)).await
    }

    async fn finish_job(&self, job: &Job) -> Result<(), StoreError> {
        self.bounded(async { if delete(&self.pool, job).await? { Ok(()) } else { release(self, job).await } })
            .await
    }

    async fn finish_job_into(&self, job: &Job, next: &[NewJob]) -> Result<(), StoreError> {
        self.bounded(finish_into(self, job, next)).await
    }

    async fn retry_job(&self, job: &Job, due_at: Timestamp, error: &str) -> Result<(), StoreError> {
        let due_at = moment(due_at)?;
        self.bounded(async {
            let done = sqlx::query!(
                r#"
                UPDATE jobs SET due_at = $5, last_error = $6, leased_until = NULL
                WHERE subscription = $1 AND kind = $2 AND target = $7 AND version = $3 AND attempts = $4
                "#,
                job.key.to_string(),
                job.kind.as_str(),
                job.version,
                job.attempts,
                due_at,
                error,
                job.target,
            )
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
            if done.rows_affected() == 0 { release(self, job).await } else { Ok(()) }
        })
        .await
    }

    async fn fail_job(&self, job: &Job, error: &str) -> Result<(), StoreError> {
        self.bounded(async {
            let done = sqlx::query!(
                r#"
                UPDATE jobs SET state = $5, last_error = $6, leased_until = NULL
                WHERE subscription = $1 AND kind = $2 AND target = $7 AND version = $3 AND attempts = $4
                "#,
                job.key.to_string(),
                job.kind.as_str(),
                job.version,
                job.attempts,
                JobState::Failed.as_str(),
                error,
                job.target,
            )
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
            if done.rows_affected() == 0 { release(self, job).await } else { Ok(()) }
        })
        .await
    }

    async fn next_job_for(
        &self,
        target: Option<&str>,
        kinds: &[JobKind],
    ) -> Result<Option<Timestamp>, StoreError> {
        let kinds = words(kinds);
        self.bounded(async {
            let next = sqlx::query_scalar!(
                r#"
                SELECT min(ready_at) FROM jobs
                WHERE state = 'due' AND kind = ANY($1) AND ($2::text IS NULL OR target = $2)
                "#,
                &kinds as &[&str],
                target,
            )
            .fetch_one(&self.pool)
            .await
            .map_err(store_error)?;
            Ok(next.map(Timestamp::from))
        })
        .await
    }

    async fn jobs(&self, state: JobState, page: &Page<JobPosition>) -> Result<Vec<JobRecord>, StoreError> {
        let (subscription, kind, target) = match &page.after {
            Some(JobPosition { key, kind, target }) => (key.to_string(), kind.as_str(), target.as_str()),
            None => (String::new(), "", ""),
        };
        self.bounded(async {
            let rows = sqlx::query_as!(
                Row,
                r#"
                SELECT subscription, kind, state, due_at, payload, version, attempts, leased_until, last_error, target
                FROM jobs WHERE state = $1 AND (subscription, kind, target) > ($2, $3, $5)
                ORDER BY subscription, kind, target LIMIT $4
                "#,
                state.as_str(),
                subscription,
                kind,
                page.rows(),
                target,
            )
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
            rows.into_iter().map(Row::read).collect()
        })
        .await
    }

    async fn revive_job(
        &self,
        key: &SubscriptionKey,
        kind: JobKind,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let now = moment(now)?;
        self.bounded(async {
            let done = sqlx::query!(
                r#"
                UPDATE jobs
                SET state = $4, due_at = $5, version = version + 1, attempts = 0, leased_until = NULL
                WHERE subscription = $1 AND kind = $2 AND state = $3
                "#,
                key.to_string(),
                kind.as_str(),
                JobState::Failed.as_str(),
                JobState::Due.as_str(),
                now,
            )
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn unpark_jobs(&self, kinds: &[JobKind]) -> Result<u64, StoreError> {
        let kinds = words(kinds);
        self.bounded(async {
            let done = sqlx::query!(
                "UPDATE jobs SET state = 'due' WHERE state = 'parked' AND kind = ANY($1)",
                &kinds as &[&str],
            )
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
            Ok(done.rows_affected())
        })
        .await
    }

    async fn job_counts(&self) -> Result<JobCounts, StoreError> {
        self.bounded(async {
            let counts = sqlx::query!(
                r#"
                SELECT
                    (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'parked' LIMIT 10000) AS parked) AS "parked!",
                    (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'due' LIMIT 10000) AS due) AS "due!",
                    (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'failed' LIMIT 10000) AS failed) AS "failed!"
                "#
            )
            .fetch_one(&self.pool)
            .await
            .map_err(store_error)?;
            Ok(JobCounts {
                parked: counts.parked.unsigned_abs(),
                due: counts.due.unsigned_abs(),
                failed: counts.failed.unsigned_abs(),
            })
        })
        .await
    }
}
