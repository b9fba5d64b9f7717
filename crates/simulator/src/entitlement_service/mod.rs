//! `GetEntitlements` as the marketplace offers it, over its books.

mod wire;

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use crate::marketplace::Entitled;
use crate::metering_service::region;
use crate::sqs::broken;
use crate::{CallFate, Faults, Marketplace};

use wire::{Checked, Request};

/// The only Region that answers.
const REGION: &str = "us-east-1";
/// The longest page.
const PAGE_MAX: usize = 25;

const CBOR: HeaderValue = HeaderValue::from_static("application/cbor");
const PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");
const RPC_V2_CBOR: HeaderValue = HeaderValue::from_static("rpc-v2-cbor");

/// What is answered about entitlements. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Entitlements {
    market: Marketplace,
    faults: Arc<Faults>,
}

/// One page of an answer.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) entitlements: Vec<Entitled>,
    pub(crate) next: Option<String>,
}

/// Why a question is not answered: the API's name, and words.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) words: String,
}

impl Refusal {
    pub(crate) fn parameter(words: impl Into<String>) -> Self {
        Self { code: "InvalidParameterException", words: words.into() }
    }

    fn status(&self) -> StatusCode {
        match self.code {
            "InternalServiceErrorException" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl Entitlements {
    pub(crate) fn new(market: Marketplace, faults: Arc<Faults>) -> Self {
        Self { market, faults }
    }

    /// Answers one call, whose body is as long as the router takes it at most.
    pub(crate) fn answer(&self, operation: &str, headers: &HeaderMap, body: &[u8]) -> Response {
        if headers.get(PROTOCOL) != Some(&RPC_V2_CBOR) {
            return respond(&Err(Refusal {
                code: "SerializationException",
                words: "entitlements are told in RPC v2 CBOR only; send `smithy-protocol: rpc-v2-cbor`"
                    .to_owned(),
            }));
        }
        let fate = self.faults.draw_entitlement_call();
        let answer = match fate {
            CallFate::Failed => Err(Refusal {
                code: "InternalServiceErrorException",
                words: "an internal error, as the faults have it".to_owned(),
            }),
            CallFate::Throttled => Err(Refusal {
                code: "ThrottlingException",
                words: "too many calls, as the faults have it".to_owned(),
            }),
            CallFate::Answered | CallFate::Dropped => self.page(operation, headers, body),
        };
        let response = respond(&answer);
        if fate == CallFate::Dropped { broken(response) } else { response }
    }

    fn page(&self, operation: &str, headers: &HeaderMap, body: &[u8]) -> Result<Page, Refusal> {
        if operation != "GetEntitlements" {
            return Err(Refusal {
                code: "UnknownOperationException",
                words: format!("there is no operation {operation}; there is GetEntitlements"),
            });
        }
        if region(headers) != Some(REGION) {
            return Err(Refusal {
                code: "UnrecognizedClientException",
                words: format!("entitlements are told in {REGION} only; sign the call for it"),
            });
        }
        let request = Request::read(body)?;
        let Checked { wanted, dimensions, page, start } = request.check()?;
        Ok(page_of(&self.market.entitled(&wanted), &dimensions, start, page))
    }
}

/// A page of what buyers hold, of which the dimensions that were asked for are told: so it can be empty and have
/// another behind it.
fn page_of(all: &[Entitled], dimensions: &[String], start: usize, page: usize) -> Page {
    let end = start.saturating_add(page);
    let of_page = all.iter().skip(start).take(page);
    let told = of_page.filter(|one| dimensions.is_empty() || dimensions.contains(&one.dimension));
    Page { entitlements: told.cloned().collect(), next: (end < all.len()).then(|| end.to_string()) }
}

fn respond(answer: &Result<Page, Refusal>) -> Response {
    let (status, written) = match answer {
        Ok(page) => (StatusCode::OK, wire::write(page)),
        Err(refusal) => (refusal.status(), wire::write_refusal(refusal)),
    };
    let (status, body) = match written {
        Some(body) => (status, body),
        None => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, CBOR);
    response.headers_mut().insert(PROTOCOL, RPC_V2_CBOR);
    response
}
