use async_trait::async_trait;
use sqlx::SqliteConnection;
use stallkeeper_lifecycle::{TenantId, Timestamp, UserId};
use stallkeeper_persistence::{
    Actor, ChangePosition, ChangeRange, Changed, Grant, GrantAct, GrantId, GrantPut, GrantRecord, GrantStore,
    Page, StoreError,
};

use crate::SqliteStore;
use crate::changes::{below, limit};
use crate::error::store_error;
use crate::lane::Lane;
use crate::writer::Write;

struct Row {
    id: String,
    tenant: String,
    user_id: Option<String>,
    product: String,
    until: Option<i64>,
    why: String,
    granted_by: String,
    created_at: i64,
    revoked_by: Option<String>,
    revoked_at: Option<i64>,
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
                until: self.until.map(Timestamp::from_micros),
                why: self.why.parse().map_err(|error| unreadable("why", &error))?,
            },
            by: self.granted_by.parse()?,
            created_at: Timestamp::from_micros(self.created_at),
            revoked: revoked_by.zip(self.revoked_at.map(Timestamp::from_micros)),
        })
    }

    fn changed(self) -> Changed<GrantRecord> {
        let position = ChangePosition { number: self.changed_in, key: self.id.clone() };
        Changed { position, tenant: Some(self.tenant.clone()), record: self.read() }
    }
}

/// Grants that changed, the earliest first.
pub(crate) async fn changed(
    store: &SqliteStore,
    range: &ChangeRange,
) -> Result<Vec<Changed<GrantRecord>>, StoreError> {
    let (number, key, below, limit) = (range.after.number, &range.after.key, below(range), limit(range));
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT * FROM grants WHERE (changed_in, id) > ($1, $2) AND changed_in < $3
        ORDER BY changed_in, id LIMIT $4
        "#,
        number,
        key,
        below,
        limit,
    )
    .fetch_all(&store.readers)
    .await
    .map_err(store_error)?;
    Ok(rows.into_iter().map(Row::changed).collect())
}

async fn read(connection: &mut SqliteConnection, id: &GrantId) -> Result<Option<GrantRecord>, StoreError> {
    let id = id.as_str();
    sqlx::query_as!(Row, "SELECT * FROM grants WHERE id = $1", id)
        .fetch_optional(connection)
        .await
        .map_err(store_error)?
        .map(Row::read)
        .transpose()
}

async fn put(
    connection: &mut SqliteConnection,
    grant: &Grant,
    by: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (id, tenant, user) =
        (grant.id.as_str(), grant.tenant.as_str(), grant.user.as_ref().map(UserId::as_str));
    let (product, until, why) =
        (grant.product.as_str(), grant.until.map(Timestamp::as_micros), grant.why.as_str());
    let (by, now) = (by.to_string(), now.as_micros());
    sqlx::query!(
        r#"
        INSERT INTO grants
            (id, tenant, user_id, product, until, why, granted_by, created_at, changed_in)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, max(
            coalesce((SELECT max(changed_in) FROM subscriptions WHERE listed), 0),
            coalesce((SELECT max(changed_in) FROM grants), 0)
        ) + 1)
        ON CONFLICT (id) DO UPDATE
        SET tenant = excluded.tenant, user_id = excluded.user_id, product = excluded.product,
            until = excluded.until, why = excluded.why, granted_by = excluded.granted_by,
            revoked_by = NULL, revoked_at = NULL, changed_in = excluded.changed_in
        "#,
        id,
        tenant,
        user,
        product,
        until,
        why,
        by,
        now,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

async fn revoke(
    connection: &mut SqliteConnection,
    id: &GrantId,
    by: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (id, by, now) = (id.as_str(), by.to_string(), now.as_micros());
    sqlx::query!(
        r#"
        UPDATE grants SET revoked_by = $2, revoked_at = $3, changed_in = max(
            coalesce((SELECT max(changed_in) FROM subscriptions WHERE listed), 0),
            coalesce((SELECT max(changed_in) FROM grants), 0)
        ) + 1
        WHERE id = $1
        "#,
        id,
        by,
        now,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// Writes what was done into the history.
async fn note(
    connection: &mut SqliteConnection,
    id: &GrantId,
    what: &str,
    by: &Actor,
    detail: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (id, by, now) = (id.as_str(), by.to_string(), now.as_micros());
    sqlx::query!(
        "INSERT INTO grant_acts (grant_id, at, what, actor, detail) VALUES ($1, $2, $3, $4, $5)",
        id,
        now,
        what,
        by,
        detail,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

async fn put_alone(
    write: &mut Write,
    grant: &Grant,
    by: &Actor,
    now: Timestamp,
) -> Result<GrantPut, StoreError> {
    let came_to = match read(write.connection(), &grant.id).await? {
        None => GrantPut::Made,
        Some(before) if before.grant == *grant && before.revoked.is_none() => return Ok(GrantPut::Same),
        Some(_) => GrantPut::Changed,
    };
    put(write.connection(), grant, by, now).await?;
    note(write.connection(), &grant.id, "put", by, &grant.encode()?, now).await?;
    Ok(came_to)
}

async fn revoke_alone(
    write: &mut Write,
    id: &GrantId,
    by: &Actor,
    now: Timestamp,
) -> Result<Option<GrantRecord>, StoreError> {
    let Some(before) = read(write.connection(), id).await? else { return Ok(None) };
    if before.revoked.is_some() {
        return Ok(Some(before));
    }
    revoke(write.connection(), id, by, now).await?;
    note(write.connection(), id, "revoked", by, "{}", now).await?;
    Ok(Some(GrantRecord { revoked: Some((by.clone(), now)), ..before }))
}

#[async_trait]
impl GrantStore for SqliteStore {
    async fn put_grant(&self, grant: &Grant, by: &Actor, now: Timestamp) -> Result<GrantPut, StoreError> {
        let mut write = self.writer.begin(Lane::Notifications).await?;
        let came_to = self.bounded(put_alone(&mut write, grant, by, now)).await?;
        write.commit().await?;
        self.changes.send_replace(());
        Ok(came_to)
    }

    async fn revoke_grant(
        &self,
        id: &GrantId,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Option<GrantRecord>, StoreError> {
        let mut write = self.writer.begin(Lane::Notifications).await?;
        let revoked = self.bounded(revoke_alone(&mut write, id, by, now)).await?;
        write.commit().await?;
        self.changes.send_replace(());
        Ok(revoked)
    }

    async fn grant(&self, id: &GrantId) -> Result<Option<GrantRecord>, StoreError> {
        self.bounded(async {
            let mut connection = self.readers.acquire().await.map_err(store_error)?;
            read(&mut connection, id).await
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
        let (id, after, limit) = (id.as_str(), page.after.unwrap_or(0), page.rows());
        self.bounded(async {
            let rows = sqlx::query!(
                r#"
                SELECT number, at, what, actor, detail FROM grant_acts
                WHERE grant_id = $1 AND number > $2 ORDER BY number LIMIT $3
                "#,
                id,
                after,
                limit,
            )
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
            let act = |number, at, what, actor: String, detail| {
                Ok(GrantAct { number, at: Timestamp::from_micros(at), what, by: actor.parse()?, detail })
            };
            rows.into_iter().map(|row| act(row.number, row.at, row.what, row.actor, row.detail)).collect()
        })
        .await
    }
}

async fn all(store: &SqliteStore, after: &str, rows: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(Row, "SELECT * FROM grants WHERE id > $1 ORDER BY id LIMIT $2", after, rows)
        .fetch_all(&store.readers)
        .await
}

async fn of_tenant(
    store: &SqliteStore,
    tenant: &TenantId,
    after: &str,
    rows: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    let tenant = tenant.as_str();
    sqlx::query_as!(
        Row,
        "SELECT * FROM grants WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3",
        tenant,
        after,
        rows,
    )
    .fetch_all(&store.readers)
    .await
}
