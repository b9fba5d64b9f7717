use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stallkeeper_ledger::ProductKey;
use stallkeeper_lifecycle::{TenantId, Timestamp, UserId};
use stallkeeper_persistence::{Grant, GrantId, GrantPut, GrantReason, GrantRecord, Page};

use super::body::text;
use super::entitlements::read;
use super::{AccessApi, Caller, cursor, examples};
use crate::openapi::{Cursor, Doc, GrantText, Id, Limit, Moment, Name, ReasonText};
use crate::problem_document::ProblemDocument;
use crate::usage::{bounded, next_of, parameters, unread};

const CURSOR: &str = "grants";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantsQuery {
    /// Of this tenant only.
    #[schemars(with = "Option<Id>")]
    tenant: Option<TenantId>,
    #[schemars(with = "Option<Cursor>")]
    cursor: Option<String>,
    #[schemars(with = "Option<Limit>")]
    limit: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct GrantPath {
    /// Of your choice: up to 128 letters, digits, dots, hyphens, colons or underscores.
    #[schemars(with = "GrantText")]
    id: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GrantToPut")]
struct GrantBody {
    #[schemars(with = "Id")]
    tenant: TenantId,
    /// One of its users; all of them where it is left out.
    #[schemars(with = "Option<Id>")]
    user: Option<UserId>,
    #[schemars(with = "Name")]
    product: ProductKey,
    /// The first instant at which it is over; never where it is left out.
    #[schemars(with = "Option<Moment>")]
    until: Option<String>,
    #[schemars(with = "ReasonText")]
    why: GrantReason,
}

/// A grant as it is told.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Grant")]
pub(super) struct GrantLine {
    id: String,
    tenant: String,
    user: Option<String>,
    product: String,
    #[schemars(with = "Option<Moment>")]
    until: Option<String>,
    why: String,
    /// Who put it last.
    by: String,
    #[schemars(with = "Moment")]
    created_at: String,
    #[schemars(with = "Option<Moment>")]
    revoked_at: Option<String>,
    revoked_by: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Grants")]
pub(super) struct GrantsBody {
    grants: Vec<GrantLine>,
    /// The next part's cursor.
    next: Option<String>,
}

impl GrantLine {
    pub(super) fn of(record: &GrantRecord) -> Self {
        let grant = &record.grant;
        Self {
            id: grant.id.to_string(),
            tenant: grant.tenant.to_string(),
            user: grant.user.as_ref().map(ToString::to_string),
            product: grant.product.to_string(),
            until: grant.until.map(text),
            why: grant.why.to_string(),
            by: record.by.to_string(),
            created_at: text(record.created_at),
            revoked_at: record.revoked.as_ref().map(|(_, at)| text(*at)),
            revoked_by: record.revoked.as_ref().map(|(by, _)| by.to_string()),
        }
    }
}

pub(super) fn grants_doc() -> Doc {
    let example = json!({ "grants": [examples::grant()], "next": null });
    Doc::new("grants", "Access given outside any marketplace").query::<GrantsQuery>().answer::<GrantsBody>(
        StatusCode::OK,
        "Grants in the order of their ids, revoked ones among them.",
        example,
    )
}

pub(super) fn grant_doc() -> Doc {
    Doc::new("grant", "One grant")
        .path::<GrantPath>()
        .answer::<GrantLine>(StatusCode::OK, "The grant.", examples::grant())
        .problem(StatusCode::NOT_FOUND, "not-found", "There is no such grant.")
}

pub(super) fn put_doc() -> Doc {
    let body = json!({ "tenant": "acme", "product": "p", "until": "2027-01-01T00:00:00Z", "why": "pilot" });
    Doc::new("putGrant", "Give access, or change what a grant says")
        .path::<GrantPath>()
        .body::<GrantBody>("application/json", body)
        .answer::<GrantLine>(StatusCode::CREATED, "It is given.", examples::grant())
        .answer::<GrantLine>(StatusCode::OK, "It was there, and says this now.", examples::grant())
        .problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unprocessable",
            "A field is missing or wrong, no product is called so, or the grant would be over already.",
        )
        .problem(StatusCode::CONFLICT, "conflict", "The grant is another tenant's, and stays so.")
}

pub(super) fn revoke_doc() -> Doc {
    Doc::new("revokeGrant", "Take a grant back")
        .path::<GrantPath>()
        .answer::<GrantLine>(StatusCode::OK, "It is revoked, now or before.", examples::revoked_grant())
        .problem(StatusCode::NOT_FOUND, "not-found", "There is no such grant.")
}

pub(super) async fn get_grants(
    State(api): State<Arc<AccessApi>>,
    query: Result<Query<GrantsQuery>, QueryRejection>,
) -> Result<Json<GrantsBody>, ProblemDocument> {
    let GrantsQuery { tenant, cursor, limit } = parameters(query)?;
    let position = cursor.map(|cursor| cursor::decode(CURSOR, &cursor)).transpose()?;
    let after = position.map(|id| id.parse().map_err(|_| cursor::unknown())).transpose()?;
    let limit = bounded(limit);
    let mut grants = api.store.grants(tenant.as_ref(), &Page { after, limit: limit + 1 }).await?;
    let next = next_of(&mut grants, limit).map(|last| cursor::encode(CURSOR, last.grant.id.as_str()));
    Ok(Json(GrantsBody { grants: grants.iter().map(GrantLine::of).collect(), next }))
}

pub(super) async fn get_grant(
    State(api): State<Arc<AccessApi>>,
    path: Result<Path<GrantPath>, PathRejection>,
) -> Result<Json<GrantLine>, ProblemDocument> {
    let id = id_of(path)?;
    let record = api.store.grant(&id).await?.ok_or_else(|| unknown(&id))?;
    Ok(Json(GrantLine::of(&record)))
}

pub(super) async fn put_grant(
    State(api): State<Arc<AccessApi>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<GrantPath>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<GrantLine>), ProblemDocument> {
    let id = id_of(path)?;
    let body = body.map_err(|rejection| unread(&rejection))?;
    let grant = grant(&api, id, read(&body)?)?;
    if api.store.grant(&grant.id).await?.is_some_and(|known| known.grant.tenant != grant.tenant) {
        // Who had it would be forgotten, and be taken for a direct customer.
        return Err(ProblemDocument::conflict(
            "the grant is another tenant's; revoke it, and give one of its own",
        ));
    }
    let status = match api.store.put_grant(&grant, &caller.actor(), api.now()).await? {
        GrantPut::Made => StatusCode::CREATED,
        GrantPut::Changed | GrantPut::Same => StatusCode::OK,
    };
    let record = api.store.grant(&grant.id).await?.ok_or_else(|| unknown(&grant.id))?;
    Ok((status, Json(GrantLine::of(&record))))
}

fn grant(api: &AccessApi, id: GrantId, body: GrantBody) -> Result<Grant, ProblemDocument> {
    let GrantBody { tenant, user, product, until, why } = body;
    let until = until.map(|until| until.parse::<Timestamp>()).transpose();
    let until = until.map_err(|error| ProblemDocument::unprocessable(format!("until: {error}")))?;
    if until.is_some_and(|until| until <= api.now()) {
        return Err(ProblemDocument::unprocessable(
            "until: a grant ends in the future; revoke one to end it now",
        ));
    }
    if !api.catalog.products().iter().any(|known| known.key == product) {
        return Err(ProblemDocument::unprocessable(format!("product: no product is called {product}")));
    }
    Ok(Grant { id, tenant, user, product, until, why })
}

pub(super) async fn revoke_grant(
    State(api): State<Arc<AccessApi>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<GrantPath>, PathRejection>,
) -> Result<Json<GrantLine>, ProblemDocument> {
    let id = id_of(path)?;
    let revoked = api.store.revoke_grant(&id, &caller.actor(), api.now()).await?;
    Ok(Json(GrantLine::of(&revoked.ok_or_else(|| unknown(&id))?)))
}

fn id_of(path: Result<Path<GrantPath>, PathRejection>) -> Result<GrantId, ProblemDocument> {
    let Path(GrantPath { id }) =
        path.map_err(|rejection| ProblemDocument::bad_request(rejection.body_text()))?;
    id.parse()
        .map_err(|error: stallkeeper_persistence::GrantError| ProblemDocument::bad_request(error.to_string()))
}

fn unknown(id: &GrantId) -> ProblemDocument {
    ProblemDocument::not_found(format!("there is no grant {id}"))
}
