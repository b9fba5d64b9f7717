use std::sync::Arc;

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stallkeeper_entitlement::{Answer, AnsweredAt, Ask, Refused};
use stallkeeper_lifecycle::{TenantId, UserId};

use super::body::{self, EntitlementBody};
use super::etag::tagged;
use super::{AccessApi, examples};
use crate::openapi::{Doc, Id, Moment, Name};
use crate::problem_document::ProblemDocument;
use crate::usage::{parameters, unread};

/// How many questions a request may have.
pub const QUERIES_MAX: usize = 100;

/// Who wants to use what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EntitlementQuery")]
pub(super) struct Question {
    /// Your tenant.
    #[schemars(with = "Id")]
    tenant: TenantId,
    /// One of its users; the tenant as a whole where it is left out.
    #[schemars(with = "Option<Id>")]
    user: Option<UserId>,
    /// Your key of the product.
    #[schemars(with = "Name")]
    product: String,
}

impl Question {
    fn ask(&self) -> Ask<'_> {
        let user = self.user.as_ref().map(UserId::as_str);
        Ask { tenant: self.tenant.as_str(), user, product: &self.product }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EntitlementQueries")]
struct Questions {
    #[schemars(length(max = QUERIES_MAX))]
    queries: Vec<Question>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct TenantPath {
    /// Your tenant; a slash in it is sent percent-encoded.
    #[schemars(with = "Id")]
    tenant: TenantId,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserQuery {
    /// One of its users; the tenant as a whole where it is left out.
    #[schemars(with = "Option<Id>")]
    user: Option<UserId>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Entitlements")]
struct AnswersBody<'a> {
    /// One for each query, in their order.
    entitlements: Vec<EntitlementBody<'a>>,
    /// All that was stored by then was taken into account.
    #[schemars(with = "Moment")]
    as_of: String,
}

/// May a tenant, or a user of it, use a product?
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes what `tagged` puts together as text")]
struct Entitlement {
    #[serde(flatten)]
    of: EntitlementBody<'static>,
    /// All that was stored by then was taken into account.
    #[schemars(with = "Moment")]
    as_of: String,
}

/// What a tenant, or a user of it, may use.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes what `tagged` puts together as text")]
struct TenantEntitlements {
    #[serde(flatten)]
    of: TenantBody<'static>,
    /// All that was stored by then was taken into account.
    #[schemars(with = "Moment")]
    as_of: String,
}

#[derive(Serialize, JsonSchema)]
struct TenantBody<'a> {
    tenant: &'a str,
    user: Option<&'a str>,
    entitlements: Vec<EntitlementBody<'a>>,
}

pub(super) fn entitlement_doc() -> Doc {
    let doc = Doc::new("entitlement", "May a tenant, or a user of it, use a product?")
        .detail(
            "Answered from memory, which follows the database; 503 where what is known is too old: never a \
             wrong no.",
        )
        .query::<Question>()
        .answer::<Entitlement>(StatusCode::OK, "The answer.", examples::entitlement());
    with_tag(doc).problem(StatusCode::NOT_FOUND, "not-found", "No product is called so.")
}

pub(super) fn query_doc() -> Doc {
    let queries = json!({ "queries": [
        { "tenant": "acme", "user": "111", "product": "p" }, { "tenant": "acme", "product": "vault" },
    ] });
    let entitlements = [examples::in_a_list(), examples::not_subscribed()];
    let answers = json!({ "entitlements": entitlements, "as_of": "2026-11-26T12:30:00Z" });
    Doc::new("entitlementQueries", "Ask about up to 100 at once")
        .detail("All are answered as of one moment, or none of them.")
        .body::<Questions>("application/json", queries)
        .answer::<AnswersBody<'_>>(StatusCode::OK, "One answer for each query, in their order.", answers)
        .problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unprocessable",
            "The body is JSON but of another form, names a product that there is not, or has too many queries.",
        )
}

pub(super) fn tenant_doc() -> Doc {
    let example = json!({
        "tenant": "acme", "user": "111",
        "entitlements": [examples::in_a_list(), examples::not_subscribed()],
        "as_of": "2026-11-26T12:30:00Z",
    });
    let doc = Doc::new("tenantEntitlements", "What a tenant may use, of every product")
        .path::<TenantPath>()
        .query::<UserQuery>()
        .answer::<TenantEntitlements>(StatusCode::OK, "One answer for each product.", example);
    with_tag(doc)
}

/// An answer that [`tagged`] gives.
fn with_tag(doc: Doc) -> Doc {
    let meaning = "The answer's tag, a weak one: `as_of` alone makes no other answer.";
    doc.header("ETag", meaning)
        .empty(StatusCode::NOT_MODIFIED, "The answer is that which the caller has.")
        .header("ETag", meaning)
        .takes_header("If-None-Match", "The `ETag` of an answer that the caller has.")
}

pub(super) async fn get_entitlement(
    State(api): State<Arc<AccessApi>>,
    headers: HeaderMap,
    query: Result<Query<Question>, QueryRejection>,
) -> Result<Response, ProblemDocument> {
    let question = parameters(query)?;
    let ask = question.ask();
    let AnsweredAt { answer, as_of } = api.entitlements.answer(&ask)?;
    Ok(tagged(&headers, body::json(&EntitlementBody::of(&ask, &answer?))?, as_of))
}

pub(super) async fn query_entitlements(
    State(api): State<Arc<AccessApi>>,
    body: Result<axum::body::Bytes, BytesRejection>,
) -> Result<Response, ProblemDocument> {
    let body = body.map_err(|rejection| unread(&rejection))?;
    let Questions { queries } = read(&body)?;
    if queries.len() > QUERIES_MAX {
        let words = format!("{} queries; a request may have {QUERIES_MAX}", queries.len());
        return Err(ProblemDocument::unprocessable(words));
    }
    let asks: Vec<Ask<'_>> = queries.iter().map(Question::ask).collect();
    // One look for all, so that they agree with each other.
    let AnsweredAt { answer: answers, as_of } = api.entitlements.look(|index, now| {
        asks.iter().map(|ask| index.answer(ask, now)).collect::<Vec<Result<Answer, Refused>>>()
    })?;
    let mut told = Vec::with_capacity(answers.len());
    for (index, answer) in answers.into_iter().enumerate() {
        told.push(answer.map_err(|refused| in_query(index, refused))?);
    }
    let bodies = asks.iter().zip(&told).map(|(ask, answer)| EntitlementBody::of(ask, answer));
    let bytes = body::json(&AnswersBody { entitlements: bodies.collect(), as_of: as_of.to_string() })?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response())
}

/// All of the request is refused, as an answer with holes would be taken for a no.
fn in_query(index: usize, refused: Refused) -> ProblemDocument {
    match refused {
        Refused::UnknownProduct(_) => ProblemDocument::unprocessable(format!("queries[{index}]: {refused}")),
        Refused::Unreadable(_) => refused.into(),
    }
}

pub(super) async fn get_tenant_entitlements(
    State(api): State<Arc<AccessApi>>,
    headers: HeaderMap,
    path: Result<Path<TenantPath>, PathRejection>,
    query: Result<Query<UserQuery>, QueryRejection>,
) -> Result<Response, ProblemDocument> {
    let path = path.map_err(|rejection| ProblemDocument::bad_request(rejection.body_text()))?;
    let Path(TenantPath { tenant }) = path;
    let UserQuery { user } = parameters(query)?;
    let (tenant, user) = (tenant.as_str(), user.as_ref().map(UserId::as_str));
    let products = api.catalog.products();
    let asks: Vec<Ask<'_>> =
        products.iter().map(|product| Ask { tenant, user, product: product.key.as_str() }).collect();
    let AnsweredAt { answer: answers, as_of } = api.entitlements.look(|index, now| {
        asks.iter().map(|ask| index.answer(ask, now)).collect::<Result<Vec<Answer>, Refused>>()
    })?;
    let answers = answers?;
    let entitlements = asks.iter().zip(&answers).map(|(ask, answer)| EntitlementBody::of(ask, answer));
    let body = TenantBody { tenant, user, entitlements: entitlements.collect() };
    Ok(tagged(&headers, body::json(&body)?, as_of))
}

/// A JSON body.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ProblemDocument> {
    serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            ProblemDocument::unprocessable(error.to_string())
        } else {
            ProblemDocument::bad_request(format!("the body is not JSON: {error}"))
        }
    })
}
