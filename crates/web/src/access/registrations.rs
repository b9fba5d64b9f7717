use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use stallkeeper_lifecycle::{Binding, TenantId, UserId};
use stallkeeper_persistence::{
    NotAnId, Page, RegistrationFilter, RegistrationId, RegistrationRecord, SubmitError,
};
use stallkeeper_registration::{Claim, NameError};

use super::body::text;
use super::entitlements::read;
use super::{AccessApi, Caller, cursor};
use crate::problem_document::ProblemDocument;
use crate::usage::{bounded, next_of, parameters, unread};

const CURSOR: &str = "registrations";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegistrationsQuery {
    state: Option<AskedState>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// Which registrations are asked for.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AskedState {
    /// Those whose buyer said who he is, and who waits for a tenant.
    Pending,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExchangeBody {
    code: SecretString,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantBody {
    tenant: TenantId,
    user: Option<UserId>,
}

/// A registration as it is told.
#[derive(Serialize)]
pub(super) struct RegistrationLine {
    id: String,
    subscription: String,
    marketplace: String,
    product: Option<String>,
    account: Option<String>,
    license_arn: Option<String>,
    agreement: Option<String>,
    tenant: Option<String>,
    company: Option<String>,
    contact: Option<String>,
    email: Option<String>,
    submitted_at: Option<String>,
    created_at: String,
    ends_at: String,
}

#[derive(Serialize)]
pub(super) struct RegistrationsBody {
    registrations: Vec<RegistrationLine>,
    next: Option<String>,
}

/// One registration, with how its subscription looks.
#[derive(Serialize)]
pub(super) struct ClaimBody {
    #[serde(flatten)]
    line: RegistrationLine,
    word: &'static str,
    access: &'static str,
}

impl RegistrationLine {
    fn of(record: &RegistrationRecord, product: Option<&str>) -> Self {
        let details = record.details.as_ref().map(|(details, _)| details);
        Self {
            id: record.id.to_string(),
            subscription: record.subscription.to_string(),
            marketplace: record.subscription.marketplace.to_string(),
            product: product.map(str::to_owned),
            account: record.account.as_ref().map(ToString::to_string),
            license_arn: record.license_arn.as_ref().map(ToString::to_string),
            agreement: record.agreement.as_ref().map(ToString::to_string),
            tenant: record.tenant.as_ref().map(ToString::to_string),
            company: details.map(|details| details.company.as_str().to_owned()),
            contact: details.map(|details| details.contact.as_str().to_owned()),
            email: details.map(|details| details.email.as_str().to_owned()),
            submitted_at: record.details.as_ref().map(|(_, at)| text(*at)),
            created_at: text(record.created_at),
            ends_at: text(record.ends_at),
        }
    }
}

impl ClaimBody {
    fn of(claim: &Claim) -> Self {
        let word = claim.view.as_ref().map_or("unknown", |view| view.word.as_str());
        let access = claim.view.as_ref().map_or("none", |view| view.access.as_str());
        let line = RegistrationLine::of(&claim.registration, claim.product.as_deref());
        Self { line, word, access }
    }
}

pub(super) async fn get_registrations(
    State(api): State<Arc<AccessApi>>,
    query: Result<Query<RegistrationsQuery>, QueryRejection>,
) -> Result<Json<RegistrationsBody>, ProblemDocument> {
    let RegistrationsQuery { state, cursor, limit } = parameters(query)?;
    let position = cursor.map(|cursor| cursor::decode(CURSOR, &cursor)).transpose()?;
    let after = position.map(|id| id.parse().map_err(|_| cursor::unknown())).transpose()?;
    let filter = match state {
        None => RegistrationFilter::All,
        Some(AskedState::Pending) => RegistrationFilter::Pending,
    };
    let limit = bounded(limit);
    let mut found = api.desk.registrations(filter, &Page { after, limit: limit + 1 }).await?;
    let next = next_of(&mut found, limit).map(|last| cursor::encode(CURSOR, last.id.as_str()));
    let line =
        |record: &RegistrationRecord| RegistrationLine::of(record, api.desk.product_of(&record.subscription));
    Ok(Json(RegistrationsBody { registrations: found.iter().map(line).collect(), next }))
}

pub(super) async fn get_registration(
    State(api): State<Arc<AccessApi>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<ClaimBody>, ProblemDocument> {
    found(&api, &id_of(path)?).await
}

/// Changes the code that a buyer brought for his registration; only the first call gets it.
pub(super) async fn exchange(
    State(api): State<Arc<AccessApi>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ClaimBody>, ProblemDocument> {
    let body = body.map_err(|rejection| unread(&rejection))?;
    let ExchangeBody { code } = read(&body)?;
    let claim = api.desk.exchange(&code).await?;
    let unknown =
        "the code is unknown, over, or was changed before; the buyer comes again from the marketplace";
    claim.map(|claim| Json(ClaimBody::of(&claim))).ok_or_else(|| ProblemDocument::not_found(unknown))
}

/// Names the tenant of a registration.
pub(super) async fn put_tenant(
    State(api): State<Arc<AccessApi>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ClaimBody>, ProblemDocument> {
    let id = id_of(path)?;
    let body = body.map_err(|rejection| unread(&rejection))?;
    let TenantBody { tenant, user } = read(&body)?;
    match api.desk.name_tenant(&id, Binding { tenant, user }, caller.actor()).await {
        Ok(_) => found(&api, &id).await,
        Err(error) => Err(error.into()),
    }
}

async fn found(api: &AccessApi, id: &RegistrationId) -> Result<Json<ClaimBody>, ProblemDocument> {
    let claim = api.desk.registration(id).await?;
    claim.map(|claim| Json(ClaimBody::of(&claim))).ok_or_else(unknown)
}

fn id_of(path: Result<Path<String>, PathRejection>) -> Result<RegistrationId, ProblemDocument> {
    let Path(id) = path.map_err(|rejection| ProblemDocument::bad_request(rejection.body_text()))?;
    id.parse().map_err(|error: NotAnId| ProblemDocument::bad_request(error.to_string()))
}

fn unknown() -> ProblemDocument {
    ProblemDocument::not_found("there is no such registration, or 30 days went by since its buyer came")
}

impl From<NameError> for ProblemDocument {
    fn from(error: NameError) -> Self {
        match error {
            NameError::Unknown => unknown(),
            NameError::Taken => Self::conflict(
                "the subscription is another tenant's, and stays so; an operator moves it by `stallkeeper subscriptions rebind`",
            ),
            NameError::Store(error) => Self::of_store(&error),
            NameError::Submit(SubmitError::Stopped) => {
                Self::unavailable("the worker is stopping; try again at once")
            }
            NameError::Submit(SubmitError::Unavailable(error) | SubmitError::Refused(error)) => {
                Self::of_store(&error)
            }
        }
    }
}
