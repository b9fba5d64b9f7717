use async_trait::async_trait;
use sqlx::PgConnection;
use stallkeeper_lifecycle::{TenantId, Timestamp, UserId};
use stallkeeper_persistence::{
    Actor, ChangePosition, ChangeRange, Changed, Grant, GrantAct, GrantId, GrantPut, GrantRecord, GrantStore,
    Page, StoreError,
};
use time::OffsetDateTime;

use crate::PostgresStore;
use crate::changes::{below, limit};
use crate::error::store_error;
use crate::moment::moment;

struct Row {
    id: String,
    tenant: String,
    user_id: Option<String>,
    product: String,
    until: Option<OffsetDateTime>,
    why: String,
    granted_by: String,
    created_at: OffsetDateTime,
    revoked_by: Option<String>,
    revoked_at: Option<OffsetDateTime>,
    changed_in: i64,
}

impl Row {
    fn read(self) -> Result<GrantRecord, StoreError> {
        let unreadable = |column: &str, error: &dyn std::error::Error| {
            StoreError::unreadable(format!("grants.{column} of {}", self.id), error.to_string())
        };
        let user = self.user_id.as_deref().map(str::parse::<UserId>).transpose();
        let revoked_by = self.revoked_by.as_deref().map(str::parse::<Actor>).transpose()?;
        Ok(GrantRecord {
            grant: Grant {
                id: self.id.parse().map_err(|error| unreadable("id", &error))?,
                tenant: self.tenant.parse().map_err(|error| unreadable("tenant", &error))?,
                user: user.map_err(|error| unreadable("user_id", &error))?,
                product: self.product.parse().map_err(|error| unreadable("product", &error))?,
                until: self.until.map(Into::into),
                why: self.why.parse().map_err(|error| unreadable("why", &error))?,
            },
            by: self.granted_by.parse()?,
            created_at: self.created_at.into(),
            revoked: revoked_by.zip(self.revoked_at.map(Into::into)),
        })
    }

    fn changed(self) -> Changed<GrantRecord> {
        let position = ChangePosition { number: self.changed_in, key: self.id.clone() };
        Changed { position, tenant: Some(self.tenant.clone()), record: self.read() }
    }
}

/// Grants that changed, the earliest first.
pub(crate) async fn changed(
    store: &PostgresStore,
    range: &ChangeRange,
) -> Result<Vec<Changed<GrantRecord>>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT * FROM grants WHERE (changed_in, id) > ($1, $2) AND changed_in < $3
        ORDER BY changed_in, id LIMIT $4
        "#,
        range.after.number,
        range.after.key,
        below(range),
        limit(range),
    )
    .fetch_all(&store.pool)
    .await
    .map_err(store_error)?;
    Ok(rows.into_iter().map(Row::changed).collect())
}

async fn locked(connection: &mut PgConnection, id: &GrantId) -> Result<Option<GrantRecord>, StoreError> {
    sqlx::query_as!(Row, "SELECT * FROM grants WHERE id = $1 FOR UPDATE", id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(store_error)?
        .map(Row::read)
        .transpose()
}

async fn put(
    connection: &mut PgConnection,
    grant: &Grant,
    by: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO grants
            (id, tenant, user_id, product, until, why, granted_by, created_at, changed_in)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, pg_current_xact_id()::text::bigint)
        ON CONFLICT (id) DO UPDATE
        SET tenant = EXCLUDED.tenant, user_id = EXCLUDED.user_id, product = EXCLUDED.product,
            until = EXCLUDED.until, why = EXCLUDED.why, granted_by = EXCLUDED.granted_by,
            revoked_by = NULL, revoked_at = NULL, changed_in = EXCLUDED.changed_in
        "#,
        grant.id.as_str(),
        grant.tenant.as_str(),
        grant.user.as_ref().map(UserId::as_str),
        grant.product.as_str(),
        grant.until.map(moment).transpose()?,
        grant.why.as_str(),
        by.to_string(),
        moment(now)?,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// Writes what was done into the history, and tells whoever listens, once it is committed.
async fn note(
    connection: &mut PgConnection,
    id: &GrantId,
    what: &str,
    by: &Actor,
    detail: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        WITH told AS MATERIALIZED (SELECT pg_notify('stallkeeper_changes', ''))
        INSERT INTO grant_acts (grant_id, at, what, actor, detail)
        SELECT $1, $2, $3, $4, $5 FROM told
        "#,
        id.as_str(),
        moment(now)?,
        what,
        by.to_string(),
        detail,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

async fn put_alone(
    store: &PostgresStore,
    grant: &Grant,
    by: &Actor,
    now: Timestamp,
) -> Result<GrantPut, StoreError> {
    let mut transaction = store.pool.begin().await.map_err(store_error)?;
    let before = locked(&mut transaction, &grant.id).await?;
    let came_to = match &before {
        None => GrantPut::Made,
        Some(before) if before.grant == *grant && before.revoked.is_none() => return Ok(GrantPut::Same),
        Some(_) => GrantPut::Changed,
    };
    put(&mut transaction, grant, by, now).await?;
    note(&mut transaction, &grant.id, "put", by, &grant.encode()?, now).await?;
    transaction.commit().await.map_err(store_error)?;
    Ok(came_to)
}

async fn revoke_alone(
    store: &PostgresStore,
    id: &GrantId,
    by: &Actor,
    now: Timestamp,
) -> Result<Option<GrantRecord>, StoreError> {
    let mut transaction = store.pool.begin().await.map_err(store_error)?;
    let Some(before) = locked(&mut transaction, id).await? else { return Ok(None) };
    if before.revoked.is_some() {
        return Ok(Some(before));
    }
    sqlx::query!(
        r#"
        UPDATE grants
        SET revoked_by = $2, revoked_at = $3, changed_in = pg_current_xact_id()::text::bigint WHERE id = $1
        "#,
        id.as_str(),
        by.to_string(),
        moment(now)?,
    )
    .execute(&mut *transaction)
    .await
    .map_err(store_error)?;
    note(&mut transaction, id, "revoked", by, "{}", now).await?;
    transaction.commit().await.map_err(store_error)?;
    Ok(Some(GrantRecord { revoked: Some((by.clone(), now)), ..before }))
}

#[async_trait]
impl GrantStore for PostgresStore {
    async fn put_grant(&self, grant: &Grant, by: &Actor, now: Timestamp) -> Result<GrantPut, StoreError> {
        self.bounded(put_alone(self, grant, by, now)).await
    }

    async fn revoke_grant(
        &self,
        id: &GrantId,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Option<GrantRecord>, StoreError> {
        self.bounded(revoke_alone(self, id, by, now)).await
    }

    async fn grant(&self, id: &GrantId) -> Result<Option<GrantRecord>, StoreError> {
        self.bounded(async {
            sqlx::query_as!(Row, "SELECT * FROM grants WHERE id = $1", id.as_str())
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)?
                .map(Row::read)
                .transpose()
        })
        .await
    }

    async fn grants(
        &self,
        tenant: Option<&TenantId>,
        page: &Page<GrantId>,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        let after = page.after.as_ref().map_or("", GrantId::as_str);
        self.bounded(async {
            let rows = match tenant {
                Some(tenant) => of_tenant(self, tenant, after, page.rows()).await,
                None => all(self, after, page.rows()).await,
            };
            rows.map_err(store_error)?.into_iter().map(Row::read).collect()
        })
        .await
    }

    async fn grant_acts(&self, id: &GrantId, page: &Page<i64>) -> Result<Vec<GrantAct>, StoreError> {
        self.bounded(async {
            let rows = sqlx::query!(
                r#"
                SELECT number, at, what, actor, detail FROM grant_acts
                WHERE grant_id = $1 AND number > $2 ORDER BY number LIMIT $3
                "#,
                id.as_str(),
                page.after.unwrap_or(0),
                page.rows(),
            )
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
            let act = |number, at: OffsetDateTime, what, actor: String, detail| {
                Ok(GrantAct { number, at: at.into(), what, by: actor.parse()?, detail })
            };
            rows.into_iter().map(|row| act(row.number, row.at, row.what, row.actor, row.detail)).collect()
        })
        .await
    }
}

async fn all(store: &PostgresStore, after: &str, rows: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(Row, "SELECT * FROM grants WHERE id > $1 ORDER BY id LIMIT $2", after, rows)
        .fetch_all(&store.pool)
        .await
}

async fn of_tenant(
    store: &PostgresStore,
    tenant: &TenantId,
    after: &str,
    rows: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "SELECT * FROM grants WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3",
        tenant.as_str(),
        after,
        rows,
    )
    .fetch_all(&store.pool)
    .await
}
