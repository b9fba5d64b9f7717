use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use sqlx::SqliteConnection;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{
    Job, JobCounts, JobKind, JobPosition, JobRecord, JobState, JobStore, NewJob, Page, StoreError,
};

use crate::SqliteStore;
use crate::error::store_error;
use crate::lane::Lane;
use crate::rows::rows;

/// Stores jobs, each in the place of an unfinished one.
///
/// A lease stays: the runner that has the older job ends first, and only then is the newer one handed out.
pub(crate) async fn put(connection: &mut SqliteConnection, jobs: &[NewJob]) -> Result<(), StoreError> {
    let jobs = rows(jobs.iter().map(|job| {
        json!([
            job.key.to_string(),
            job.kind.as_str(),
            job.kind.first_state().as_str(),
            job.due_at.as_micros(),
            job.payload,
            job.target,
        ])
    }))?;
    sqlx::query!(
        r#"
        INSERT INTO jobs (subscription, kind, state, due_at, payload, target)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
        FROM json_each($1) WHERE true
        ON CONFLICT (subscription, kind, target) DO UPDATE
        SET state = excluded.state, due_at = excluded.due_at, payload = excluded.payload,
            version = version + 1, attempts = 0, last_error = NULL
        "#,
        jobs,
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
    due_at: i64,
    payload: String,
    version: i64,
    attempts: i64,
    leased_until: Option<i64>,
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
                attempts: i32::try_from(self.attempts)
                    .map_err(|error| StoreError::unreadable("jobs.attempts", error))?,
            },
            state: self.state.parse()?,
            due_at: Timestamp::from_micros(self.due_at),
            leased_until: self.leased_until.map(Timestamp::from_micros),
            last_error: self.last_error,
        })
    }

    /// The job as its runner gets it; `None` where it cannot be read, which must not keep the others back.
    fn handed_out(mut self) -> Option<Job> {
        let (subscription, kind) = (self.subscription.clone(), self.kind.clone());
        self.attempts += 1;
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

/// The kinds as `json_each` takes them; their words need no escaping.
fn json(kinds: &[JobKind]) -> String {
    let words: Vec<String> = kinds.iter().map(|kind| format!("\"{kind}\"")).collect();
    format!("[{}]", words.join(","))
}

/// Hands out jobs; nothing else writes between reading and leasing them.
async fn claim(
    connection: &mut SqliteConnection,
    target: Option<&str>,
    kinds: &str,
    now: Timestamp,
    lease: Duration,
    limit: u32,
) -> Result<Vec<Job>, StoreError> {
    let (leased_until, now, limit) = (now.plus(lease).as_micros(), now.as_micros(), i64::from(limit));
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT subscription, kind, state, due_at, payload, version, attempts, leased_until, last_error, target
        FROM jobs
        WHERE state = 'due' AND ready_at <= $1 AND kind IN (SELECT value FROM json_each($2))
            AND ($4 IS NULL OR target = $4)
        ORDER BY ready_at, subscription, kind, target LIMIT $3
        "#,
        now,
        kinds,
        limit,
        target,
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(store_error)?;
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        sqlx::query!(
            r#"
            UPDATE jobs SET leased_until = $3, attempts = attempts + 1
            WHERE subscription = $1 AND kind = $2 AND target = $4
            "#,
            row.subscription,
            row.kind,
            leased_until,
            row.target,
        )
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
        jobs.extend(row.handed_out());
    }
    Ok(jobs)
}

/// Whether it was the newest.
async fn finish(connection: &mut SqliteConnection, job: &Job) -> Result<bool, StoreError> {
    let (subscription, kind) = (job.key.to_string(), job.kind.as_str());
    let done = sqlx::query!(
        "DELETE FROM jobs WHERE subscription = $1 AND kind = $2 AND version = $3 AND target = $4 AND attempts = $5",
        subscription,
        kind,
        job.version,
        job.target,
        job.attempts,
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    if done.rows_affected() == 0 {
        release(connection, job).await?;
        return Ok(false);
    }
    Ok(true)
}

async fn retry(
    connection: &mut SqliteConnection,
    job: &Job,
    due_at: Timestamp,
    error: &str,
) -> Result<(), StoreError> {
    let (subscription, kind, due_at) = (job.key.to_string(), job.kind.as_str(), due_at.as_micros());
    let done = sqlx::query!(
        r#"
        UPDATE jobs SET due_at = $5, last_error = $6, leased_until = NULL
        WHERE subscription = $1 AND kind = $2 AND target = $7 AND version = $3 AND attempts = $4
        "#,
        subscription,
        kind,
        job.version,
        job.attempts,
        due_at,
        error,
        job.target,
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    if done.rows_affected() == 0 { release(connection, job).await } else { Ok(()) }
}

async fn fail(connection: &mut SqliteConnection, job: &Job, error: &str) -> Result<(), StoreError> {
    let (subscription, kind, state) = (job.key.to_string(), job.kind.as_str(), JobState::Failed.as_str());
    let done = sqlx::query!(
        r#"
        UPDATE jobs SET state = $5, last_error = $6, leased_until = NULL
        WHERE subscription = $1 AND kind = $2 AND target = $7 AND version = $3 AND attempts = $4
        "#,
        subscription,
        kind,
        job.version,
        job.attempts,
        state,
        error,
        job.target,
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    if done.rows_affected() == 0 { release(connection, job).await } else { Ok(()) }
}

/// A newer job has taken the place of one that has ended: its runner's lease goes, so that the newer one can
/// be handed out, unless it was already.
async fn release(connection: &mut SqliteConnection, ended: &Job) -> Result<(), StoreError> {
    let (subscription, kind) = (ended.key.to_string(), ended.kind.as_str());
    sqlx::query!(
        r#"
        UPDATE jobs SET leased_until = NULL
        WHERE subscription = $1 AND kind = $2 AND version > $3 AND target = $4 AND attempts = 0
        "#,
        subscription,
        kind,
        ended.version,
        ended.target,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// Whether there was any failed job.
async fn unpark(connection: &mut SqliteConnection, kinds: &[JobKind]) -> Result<u64, StoreError> {
    let kinds = json(kinds);
    let done = sqlx::query!(
        "UPDATE jobs SET state = 'due' WHERE state = 'parked' AND kind IN (SELECT value FROM json_each($1))",
        kinds,
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(done.rows_affected())
}

async fn revive(
    connection: &mut SqliteConnection,
    key: &SubscriptionKey,
    kind: JobKind,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (subscription, kind, now) = (key.to_string(), kind.as_str(), now.as_micros());
    let (failed, due) = (JobState::Failed.as_str(), JobState::Due.as_str());
    let done = sqlx::query!(
        r#"
        UPDATE jobs
        SET state = $4, due_at = $5, version = version + 1, attempts = 0, leased_until = NULL
        WHERE subscription = $1 AND kind = $2 AND state = $3
        "#,
        subscription,
        kind,
        failed,
        due,
        now,
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(done.rows_affected() > 0)
}

#[async_trait]
impl JobStore for SqliteStore {
    async fn claim_jobs_for(
        &self,
        target: Option<&str>,
        kinds: &[JobKind],
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError> {
        let mut write = self.writer.begin(Lane::FinalWindows).await?;
        let jobs = self.bounded(claim(write.connection(), target, &json(kinds), now, lease, limit)).await?;
        write.commit().await?;
        Ok(jobs)
    }

    async fn finish_job(&self, job: &Job) -> Result<(), StoreError> {
        let mut write = self.writer.begin(Lane::FinalWindows).await?;
        self.bounded(finish(write.connection(), job)).await?;
        write.commit().await
    }

    async fn finish_job_into(&self, job: &Job, next: &[NewJob]) -> Result<(), StoreError> {
        let mut write = self.writer.begin(Lane::FinalWindows).await?;
        let is_newest = self.bounded(finish(write.connection(), job)).await?;
        if is_newest && !next.is_empty() {
            self.bounded(put(write.connection(), next)).await?;
        }
        write.commit().await
    }

    async fn retry_job(&self, job: &Job, due_at: Timestamp, error: &str) -> Result<(), StoreError> {
        let mut write = self.writer.begin(Lane::FinalWindows).await?;
        self.bounded(retry(write.connection(), job, due_at, error)).await?;
        write.commit().await
    }

    async fn fail_job(&self, job: &Job, error: &str) -> Result<(), StoreError> {
        let mut write = self.writer.begin(Lane::FinalWindows).await?;
        self.bounded(fail(write.connection(), job, error)).await?;
        write.commit().await
    }

    async fn next_job_for(
        &self,
        target: Option<&str>,
        kinds: &[JobKind],
    ) -> Result<Option<Timestamp>, StoreError> {
        let kinds = json(kinds);
        self.bounded(async {
            let next = sqlx::query_scalar!(
                r#"
                SELECT min(ready_at) AS "next: i64" FROM jobs
                WHERE state = 'due' AND kind IN (SELECT value FROM json_each($1)) AND ($2 IS NULL OR target = $2)
                "#,
                kinds,
                target,
            )
            .fetch_one(&self.readers)
            .await
            .map_err(store_error)?;
            Ok(next.map(Timestamp::from_micros))
        })
        .await
    }

    async fn jobs(&self, state: JobState, page: &Page<JobPosition>) -> Result<Vec<JobRecord>, StoreError> {
        let (subscription, kind, target) = match &page.after {
            Some(JobPosition { key, kind, target }) => (key.to_string(), kind.as_str(), target.as_str()),
            None => (String::new(), "", ""),
        };
        let (state, limit) = (state.as_str(), page.rows());
        self.bounded(async {
            let rows = sqlx::query_as!(
                Row,
                r#"
                SELECT subscription, kind, state, due_at, payload, version, attempts, leased_until, last_error, target
                FROM jobs WHERE state = $1 AND (subscription, kind, target) > ($2, $3, $5)
                ORDER BY subscription, kind, target LIMIT $4
                "#,
                state,
                subscription,
                kind,
                limit,
                target,
            )
            .fetch_all(&self.readers)
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
        let mut write = self.writer.begin(Lane::Notifications).await?;
        let revived = self.bounded(revive(write.connection(), key, kind, now)).await?;
        write.commit().await?;
        Ok(revived)
    }

    async fn unpark_jobs(&self, kinds: &[JobKind]) -> Result<u64, StoreError> {
        let mut write = self.writer.begin(Lane::Housekeeping).await?;
        let unparked = self.bounded(unpark(write.connection(), kinds)).await?;
        write.commit().await?;
        Ok(unparked)
    }

    async fn job_counts(&self) -> Result<JobCounts, StoreError> {
        self.bounded(async {
            let counts = sqlx::query!(
                r#"
                SELECT
                    (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'parked' LIMIT 10000) AS parked) AS "parked!: i64",
                    (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'due' LIMIT 10000) AS due) AS "due!: i64",
                    (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'failed' LIMIT 10000) AS failed) AS "failed!: i64"
                "#
            )
            .fetch_one(&self.readers)
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
