use std::sync::Arc;

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use stallkeeper_entitlement::{Answer, AnsweredAt, Ask, Refused};
use stallkeeper_lifecycle::{TenantId, UserId};

use super::AccessApi;
use super::body::{EntitlementBody, json};
use super::etag::tagged;
use crate::problem_document::ProblemDocument;
use crate::usage::{parameters, unread};

/// How many questions a request may have.
pub const QUERIES_MAX: usize = 100;

/// Who wants to use what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    tenant: TenantId,
    user: Option<UserId>,
    product: String,
}

impl Question {
    fn ask(&self) -> Ask<'_> {
        let user = self.user.as_ref().map(UserId::as_str);
        Ask { tenant: self.tenant.as_str(), user, product: &self.product }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Questions {
    queries: Vec<Question>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserQuery {
    user: Option<UserId>,
}

#[derive(Serialize)]
struct AnswersBody<'a> {
    entitlements: Vec<EntitlementBody<'a>>,
    as_of: String,
}

#[derive(Serialize)]
struct TenantBody<'a> {
    tenant: &'a str,
    user: Option<&'a str>,
    entitlements: Vec<EntitlementBody<'a>>,
}

pub(super) async fn get_entitlement(
    State(api): State<Arc<AccessApi>>,
    headers: HeaderMap,
    query: Result<Query<Question>, QueryRejection>,
) -> Result<Response, ProblemDocument> {
    let question = parameters(query)?;
    let ask = question.ask();
    let AnsweredAt { answer, as_of } = api.entitlements.answer(&ask)?;
    Ok(tagged(&headers, json(&EntitlementBody::of(&ask, &answer?))?, as_of))
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
    let bytes = json(&AnswersBody { entitlements: bodies.collect(), as_of: as_of.to_string() })?;
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
    path: Result<Path<TenantId>, PathRejection>,
    query: Result<Query<UserQuery>, QueryRejection>,
) -> Result<Response, ProblemDocument> {
    let Path(tenant) = path.map_err(|rejection| ProblemDocument::bad_request(rejection.body_text()))?;
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
    Ok(tagged(&headers, json(&body)?, as_of))
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
