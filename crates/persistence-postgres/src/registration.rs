use async_trait::async_trait;
use sqlx::PgConnection;
use stallkeeper_lifecycle::{AccountId, AgreementId, LicenseArn, Timestamp};
use stallkeeper_persistence::{
    Details, Digest, NewRegistration, NewVisit, Page, RegistrationFilter, RegistrationId, RegistrationRecord,
    RegistrationStore, StoreError, VisitId, registration_ends_at,
};
use time::OffsetDateTime;

use crate::PostgresStore;
use crate::error::store_error;
use crate::moment::moment;

struct Row {
    id: String,
    subscription: String,
    account: Option<String>,
    license_arn: Option<String>,
    agreement: Option<String>,
    company: Option<String>,
    contact: Option<String>,
    email: Option<String>,
    submitted_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    seen_at: OffsetDateTime,
    ends_at: OffsetDateTime,
    tenant: Option<String>,
}

impl Row {
    fn read(self) -> Result<RegistrationRecord, StoreError> {
        let unreadable = |column: &str, error: &dyn std::error::Error| {
            StoreError::unreadable(format!("registrations.{column} of {}", self.id), error.to_string())
        };
        let details = match (&self.company, &self.contact, &self.email, self.submitted_at) {
            (Some(company), Some(contact), Some(email), Some(at)) => {
                let details = Details {
                    company: company.parse().map_err(|error| unreadable("company", &error))?,
                    contact: contact.parse().map_err(|error| unreadable("contact", &error))?,
                    email: email.parse().map_err(|error| unreadable("email", &error))?,
                };
                Some((details, at.into()))
            }
            _ => None,
        };
        let account = self.account.as_deref().map(str::parse).transpose();
        let license_arn = self.license_arn.as_deref().map(str::parse).transpose();
        let agreement = self.agreement.as_deref().map(str::parse).transpose();
        let tenant = self.tenant.as_deref().map(str::parse).transpose();
        Ok(RegistrationRecord {
            id: self.id.parse().map_err(|error| unreadable("id", &error))?,
            subscription: self.subscription.parse().map_err(|error| unreadable("subscription", &error))?,
            account: account.map_err(|error| unreadable("account", &error))?,
            license_arn: license_arn.map_err(|error| unreadable("license_arn", &error))?,
            agreement: agreement.map_err(|error| unreadable("agreement", &error))?,
            details,
            created_at: self.created_at.into(),
            seen_at: self.seen_at.into(),
            ends_at: self.ends_at.into(),
            tenant: tenant.map_err(|error| unreadable("tenant", &error))?,
        })
    }
}

async fn put_registration(
    connection: &mut PgConnection,
    registration: &NewRegistration,
    now: Timestamp,
) -> Result<String, StoreError> {
    let NewRegistration { id, subscription, account, license_arn, agreement } = registration;
    let (id, subscription) = (id.as_str(), subscription.to_string());
    let account = account.as_ref().map(AccountId::as_str);
    let license_arn = license_arn.as_ref().map(LicenseArn::as_str);
    let agreement = agreement.as_ref().map(AgreementId::as_str);
    let (now, ends_at) = (moment(now)?, moment(registration_ends_at(now))?);
    sqlx::query_scalar!(
        r#"
        INSERT INTO registrations
            (id, subscription, account, license_arn, agreement, created_at, seen_at, ends_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6, $7)
        ON CONFLICT (subscription) DO UPDATE
        SET account = excluded.account, license_arn = excluded.license_arn, agreement = excluded.agreement,
            seen_at = excluded.seen_at, ends_at = excluded.ends_at
        RETURNING id
        "#,
        id,
        subscription,
        account,
        license_arn,
        agreement,
        now,
        ends_at,
    )
    .fetch_one(connection)
    .await
    .map_err(store_error)
}

async fn put_visit(
    connection: &mut PgConnection,
    registration: &str,
    visit: &NewVisit,
) -> Result<(), StoreError> {
    let (id, browser, ends_at) = (visit.id.as_str(), visit.browser.as_slice(), moment(visit.ends_at)?);
    sqlx::query!(
        "INSERT INTO visits (id, registration, browser, ends_at) VALUES ($1, $2, $3, $4)",
        id,
        registration,
        browser,
        ends_at,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

async fn write_details(
    connection: &mut PgConnection,
    id: &RegistrationId,
    details: &Details,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (id, now) = (id.as_str(), moment(now)?);
    let (company, contact, email) =
        (details.company.as_str(), details.contact.as_str(), details.email.as_str());
    sqlx::query!(
        "UPDATE registrations SET company = $2, contact = $3, email = $4, submitted_at = $5 WHERE id = $1",
        id,
        company,
        contact,
        email,
        now,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

async fn write_code(
    connection: &mut PgConnection,
    visit: &VisitId,
    code: &Digest,
    ends_at: Timestamp,
) -> Result<(), StoreError> {
    let (visit, code, ends_at) = (visit.as_str(), code.as_slice(), moment(ends_at)?);
    sqlx::query!("UPDATE visits SET code = $2, code_ends_at = $3 WHERE id = $1", visit, code, ends_at)
        .execute(connection)
        .await
        .map(drop)
        .map_err(store_error)
}

async fn spend_code(
    connection: &mut PgConnection,
    code: &Digest,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let (code, now) = (code.as_slice(), moment(now)?);
    sqlx::query_scalar!(
        "UPDATE visits SET code = NULL WHERE code = $1 AND code_ends_at > $2 RETURNING registration",
        code,
        now,
    )
    .fetch_optional(connection)
    .await
    .map_err(store_error)
}

async fn read(
    connection: &mut PgConnection,
    id: &str,
    now: Timestamp,
) -> Result<Option<RegistrationRecord>, StoreError> {
    let now = moment(now)?;
    sqlx::query_as!(
        Row,
        r#"
        SELECT r.id, r.subscription, r.account, r.license_arn, r.agreement, r.company, r.contact, r.email, r.submitted_at,
            r.created_at, r.seen_at, r.ends_at, s.tenant AS "tenant?"
        FROM registrations r LEFT JOIN subscriptions s ON s.key = r.subscription
        WHERE r.id = $1 AND r.ends_at > $2
        "#,
        id,
        now,
    )
    .fetch_optional(connection)
    .await
    .map_err(store_error)?
    .map(Row::read)
    .transpose()
}

async fn read_visited(
    connection: &mut PgConnection,
    visit: &VisitId,
    browser: &Digest,
    now: Timestamp,
) -> Result<Option<RegistrationRecord>, StoreError> {
    let (visit, browser, now) = (visit.as_str(), browser.as_slice(), moment(now)?);
    sqlx::query_as!(
        Row,
        r#"
        SELECT r.id, r.subscription, r.account, r.license_arn, r.agreement, r.company, r.contact, r.email, r.submitted_at,
            r.created_at, r.seen_at, r.ends_at, s.tenant AS "tenant?"
        FROM visits v
            JOIN registrations r ON r.id = v.registration
            LEFT JOIN subscriptions s ON s.key = r.subscription
        WHERE v.id = $1 AND v.browser = $2 AND v.ends_at > $3 AND r.ends_at > $3
        "#,
        visit,
        browser,
        now,
    )
    .fetch_optional(connection)
    .await
    .map_err(store_error)?
    .map(Row::read)
    .transpose()
}

async fn list(
    connection: &mut PgConnection,
    filter: RegistrationFilter,
    page: &Page<RegistrationId>,
    now: Timestamp,
) -> Result<Vec<Row>, StoreError> {
    let is_pending = filter == RegistrationFilter::Pending;
    let after = page.after.as_ref().map_or("", RegistrationId::as_str);
    let (now, rows) = (moment(now)?, page.rows());
    sqlx::query_as!(
        Row,
        r#"
        SELECT r.id, r.subscription, r.account, r.license_arn, r.agreement, r.company, r.contact, r.email, r.submitted_at,
            r.created_at, r.seen_at, r.ends_at, s.tenant AS "tenant?"
        FROM registrations r LEFT JOIN subscriptions s ON s.key = r.subscription
        WHERE r.id > $1 AND r.ends_at > $2
            AND (NOT $4 OR (r.submitted_at IS NOT NULL AND s.tenant IS NULL))
        ORDER BY r.id LIMIT $3
        "#,
        after,
        now,
        rows,
        is_pending,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)
}

async fn prune(connection: &mut PgConnection, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let (now, limit) = (moment(now)?, i64::from(limit));
    let visits = sqlx::query!(
        r#"
        DELETE FROM visits WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM visits WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ))
        "#,
        now,
        limit,
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let registrations = sqlx::query!(
        r#"
        DELETE FROM registrations WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM registrations WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ))
        "#,
        now,
        limit,
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(visits.rows_affected().max(registrations.rows_affected()))
}

#[async_trait]
impl RegistrationStore for PostgresStore {
    async fn register(
        &self,
        registration: &NewRegistration,
        visit: &NewVisit,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.bounded(async {
            let mut write = self.pool.begin().await.map_err(store_error)?;
            let done = async {
                let id = put_registration(&mut write, registration, now).await?;
                put_visit(&mut write, &id, visit).await
            }
            .await?;
            write.commit().await.map_err(store_error)?;
            Ok(done)
        })
        .await
    }

    async fn visited(
        &self,
        visit: &VisitId,
        browser: &Digest,
        now: Timestamp,
    ) -> Result<Option<RegistrationRecord>, StoreError> {
        self.bounded(async {
            let mut connection = self.pool.acquire().await.map_err(store_error)?;
            read_visited(&mut connection, visit, browser, now).await
        })
        .await
    }

    async fn put_details(
        &self,
        id: &RegistrationId,
        details: &Details,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.bounded(async {
            let mut write = self.pool.begin().await.map_err(store_error)?;
            let done = async { write_details(&mut write, id, details, now).await }.await?;
            write.commit().await.map_err(store_error)?;
            Ok(done)
        })
        .await
    }

    async fn put_code(&self, visit: &VisitId, code: &Digest, ends_at: Timestamp) -> Result<(), StoreError> {
        self.bounded(async {
            let mut write = self.pool.begin().await.map_err(store_error)?;
            let done = async { write_code(&mut write, visit, code, ends_at).await }.await?;
            write.commit().await.map_err(store_error)?;
            Ok(done)
        })
        .await
    }

    async fn take_code(
        &self,
        code: &Digest,
        now: Timestamp,
    ) -> Result<Option<RegistrationRecord>, StoreError> {
        self.bounded(async {
            let mut write = self.pool.begin().await.map_err(store_error)?;
            let done = async {
                match spend_code(&mut write, code, now).await? {
                    Some(id) => read(&mut write, &id, now).await,
                    None => Ok(None),
                }
            }
            .await?;
            write.commit().await.map_err(store_error)?;
            Ok(done)
        })
        .await
    }

    async fn registration(
        &self,
        id: &RegistrationId,
        now: Timestamp,
    ) -> Result<Option<RegistrationRecord>, StoreError> {
        self.bounded(async {
            let mut connection = self.pool.acquire().await.map_err(store_error)?;
            read(&mut connection, id.as_str(), now).await
        })
        .await
    }

    async fn registrations(
        &self,
        filter: RegistrationFilter,
        page: &Page<RegistrationId>,
        now: Timestamp,
    ) -> Result<Vec<RegistrationRecord>, StoreError> {
        self.bounded(async {
            let mut connection = self.pool.acquire().await.map_err(store_error)?;
            let rows = list(&mut connection, filter, page, now).await;
            rows?.into_iter().map(Row::read).collect()
        })
        .await
    }

    async fn prune_registrations(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.bounded(async {
            let mut write = self.pool.begin().await.map_err(store_error)?;
            let done = async { prune(&mut write, now, limit).await }.await?;
            write.commit().await.map_err(store_error)?;
            Ok(done)
        })
        .await
    }
}
