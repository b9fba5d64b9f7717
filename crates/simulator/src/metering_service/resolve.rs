//! `ResolveCustomer`, in the API's JSON protocol.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::calls::{numbered, region};
use crate::metering::is_region;
use crate::registration_tokens::{RegistrationTokens, ResolveRefusal};
use crate::sqs::broken;
use crate::{MeteringErrorCode, Registrant};

/// What follows the prefix in the header `x-amz-target`.
pub(crate) const ACTION: &str = "ResolveCustomer";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    registration_token: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(rename = "CustomerAWSAccountId")]
    account: &'a str,
    #[serde(rename = "ProductCode")]
    product_code: &'a str,
    #[serde(rename = "CustomerIdentifier", skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    #[serde(rename = "LicenseArn", skip_serializing_if = "Option::is_none")]
    license: Option<&'a str>,
    #[serde(rename = "Metadata", skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    agreement_id: &'a str,
}

#[derive(Serialize)]
struct Refusal<'a> {
    #[serde(rename = "__type")]
    code: &'a str,
    message: &'a str,
}

/// Why a call is not answered: the API's name, and words.
struct Refused {
    code: &'static str,
    words: String,
}

/// Answers one call, whose body is as long as the router takes it at most.
pub(crate) fn resolve(
    tokens: &RegistrationTokens,
    number: u64,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let (answer, is_lost) = match read(headers, body) {
        Ok((region, token)) => {
            let (answer, is_lost) = tokens.call(&region, &token);
            (answer.map_err(Refused::from), is_lost)
        }
        Err(refused) => (Err(refused), false),
    };
    let response = match answer {
        Ok(registrant) => respond(StatusCode::OK, &Answer::of(&registrant)),
        Err(Refused { code, words }) => {
            let is_internal = code == MeteringErrorCode::InternalServiceErrorException.as_str();
            let status =
                if is_internal { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
            respond(status, &Refusal { code, message: &words })
        }
    };
    let response = numbered(response, number);
    if is_lost { broken(response) } else { response }
}

/// The Region and the token.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<(String, String), Refused> {
    let refused = |code: MeteringErrorCode, words: String| Refused { code: code.as_str(), words };
    let region = region(headers).ok_or_else(|| {
        let words = "the Authorization header has no credential scope; sign the call";
        refused(MeteringErrorCode::MissingAuthenticationTokenException, words.to_owned())
    })?;
    if !is_region(region) {
        let words = format!("registrations are not resolved in the Region `{region}`");
        return Err(refused(MeteringErrorCode::DisabledApiException, words));
    }
    let request: Request = serde_json::from_slice(body).map_err(|error| {
        refused(MeteringErrorCode::SerializationException, format!("the body does not fit: {error}"))
    })?;
    if request.registration_token.is_empty() {
        let words = "RegistrationToken is empty; send what the form carries".to_owned();
        return Err(Refused { code: INVALID_TOKEN, words });
    }
    Ok((region.to_owned(), request.registration_token))
}

const INVALID_TOKEN: &str = "InvalidTokenException";

impl From<ResolveRefusal> for Refused {
    fn from(refusal: ResolveRefusal) -> Self {
        let code = match refusal {
            ResolveRefusal::Expired => "ExpiredTokenException",
            ResolveRefusal::Invalid => INVALID_TOKEN,
            ResolveRefusal::Throttled => MeteringErrorCode::ThrottlingException.as_str(),
            ResolveRefusal::Internal => MeteringErrorCode::InternalServiceErrorException.as_str(),
        };
        Self { code, words: refusal.to_string() }
    }
}

impl<'a> Answer<'a> {
    fn of(registrant: &'a Registrant) -> Self {
        Self {
            account: &registrant.account,
            product_code: &registrant.product_code,
            customer: registrant.customer_id.as_deref(),
            license: registrant.license_arn.as_deref(),
            metadata: registrant.agreement_id.as_deref().map(|agreement_id| Metadata { agreement_id }),
        }
    }
}

fn respond(status: StatusCode, json: &impl Serialize) -> Response {
    let mut response = Response::new(Body::from(serde_json::to_vec(json).unwrap_or_default()));
    *response.status_mut() = status;
    response
}
