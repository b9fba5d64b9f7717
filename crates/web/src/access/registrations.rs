use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stallkeeper_lifecycle::{Binding, TenantId, UserId, Word};
use stallkeeper_persistence::{
    NotAnId, Page, RegistrationFilter, RegistrationId, RegistrationRecord, SubmitError,
};
use stallkeeper_registration::{Claim, NameError};

use super::body::{ACCESS, text};
use super::entitlements::read;
use super::{AccessApi, Caller, cursor, examples};
use crate::openapi::{Cursor, Doc, Id, Limit, Moment, RegistrationText};
use crate::problem_document::ProblemDocument;
use crate::usage::{bounded, next_of, parameters, unread};

const CURSOR: &str = "registrations";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegistrationsQuery {
    /// pending: those whose buyer said who he is, and who waits for a tenant; all where it is left out.
    #[schemars(with = "Option<String>", extend("enum" = ["pending"]))]
    state: Option<AskedState>,
    #[schemars(with = "Option<Cursor>")]
    cursor: Option<String>,
    #[schemars(with = "Option<Limit>")]
    limit: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct RegistrationPath {
    #[schemars(with = "RegistrationText")]
    id: String,
}

/// Which registrations are asked for.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AskedState {
    /// Those whose buyer said who he is, and who waits for a tenant.
    Pending,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CodeToExchange")]
struct ExchangeBody {
    /// What the buyer brought as `code`.
    #[schemars(with = "String")]
    code: SecretString,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TenantToName")]
struct TenantBody {
    #[schemars(with = "Id")]
    tenant: TenantId,
    #[schemars(with = "Option<Id>")]
    user: Option<UserId>,
}

/// A registration as it is told.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Registration")]
pub(super) struct RegistrationLine {
    id: String,
    subscription: String,
    marketplace: String,
    /// Your key of the product; none where no listing has its code.
    product: Option<String>,
    /// The buyer's account with the marketplace.
    account: Option<String>,
    license_arn: Option<String>,
    agreement: Option<String>,
    tenant: Option<String>,
    company: Option<String>,
    contact: Option<String>,
    email: Option<String>,
    /// Since when the buyer says so of himself.
    #[schemars(with = "Option<Moment>")]
    submitted_at: Option<String>,
    /// When he first came.
    #[schemars(with = "Moment")]
    created_at: String,
    /// From when on it is forgotten.
    #[schemars(with = "Moment")]
    ends_at: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Registrations")]
pub(super) struct RegistrationsBody {
    registrations: Vec<RegistrationLine>,
    /// The next part's cursor.
    next: Option<String>,
}

/// One registration, with how its subscription looks.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Claim")]
pub(super) struct ClaimBody {
    #[serde(flatten)]
    line: RegistrationLine,
    #[schemars(extend("enum" = Word::ALL.map(Word::as_str)))]
    word: &'static str,
    #[schemars(extend("enum" = ACCESS))]
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

pub(super) fn registrations_doc() -> Doc {
    let example = json!({ "registrations": [examples::registration()], "next": null });
    Doc::new("registrations", "Buyers who came to set up their account")
        .detail("A registration is forgotten 30 days after its buyer last came.")
        .query::<RegistrationsQuery>()
        .answer::<RegistrationsBody>(StatusCode::OK, "Registrations in the order of their ids.", example)
}

pub(super) fn registration_doc() -> Doc {
    Doc::new("registration", "One registration, with how its subscription looks")
        .path::<RegistrationPath>()
        .answer::<ClaimBody>(StatusCode::OK, "The registration.", examples::claim(None))
        .problem(StatusCode::NOT_FOUND, "not-found", "There is no such registration, or it is forgotten.")
}

pub(super) fn exchange_doc() -> Doc {
    let unknown =
        "The code is unknown, over, or was changed before; the buyer comes again from the marketplace.";
    Doc::new("exchangeCode", "Change a buyer's code for his registration")
        .detail("A code is changed once, within 30 minutes.")
        .body::<ExchangeBody>("application/json", json!({ "code": "what-the-buyer-brought" }))
        .answer::<ClaimBody>(StatusCode::OK, "The registration.", examples::claim(None))
        .problem(StatusCode::NOT_FOUND, "not-found", unknown)
        .problem(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "The body is JSON but of another form.")
}

pub(super) fn tenant_doc() -> Doc {
    Doc::new("nameTenant", "Name the tenant of a registration")
        .detail("Its subscription is bound to the tenant from then on. Doing it again changes nothing.")
        .path::<RegistrationPath>()
        .body::<TenantBody>("application/json", json!({ "tenant": "acme" }))
        .answer::<ClaimBody>(StatusCode::OK, "It is the tenant's.", examples::claim(Some("acme")))
        .problem(StatusCode::NOT_FOUND, "not-found", "There is no such registration, or it is forgotten.")
        .problem(StatusCode::CONFLICT, "conflict", "The subscription is another tenant's, and stays so.")
        .problem(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "A field is missing or wrong.")
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
    path: Result<Path<RegistrationPath>, PathRejection>,
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
    path: Result<Path<RegistrationPath>, PathRejection>,
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

fn id_of(path: Result<Path<RegistrationPath>, PathRejection>) -> Result<RegistrationId, ProblemDocument> {
    let Path(RegistrationPath { id }) =
        path.map_err(|rejection| ProblemDocument::bad_request(rejection.body_text()))?;
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
