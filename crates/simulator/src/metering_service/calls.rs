use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use super::{Metering, wire};
use crate::CallFate;
use crate::metering::{MeteringCall, MeteringErrorCode, MeteringRefusal};
use crate::sqs::broken;

/// What begins the header `x-amz-target` of calls of metering.
pub(crate) const TARGET_PREFIX: &str = "AWSMPMeteringService.";

const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Answers one call of an action, whose body is as long as the router takes it at most.
pub(crate) fn answer(metering: &Metering, action: &str, headers: &HeaderMap, body: &[u8]) -> Response {
    let number = metering.number();
    let call = match read(action, headers, body) {
        Ok(call) => call,
        Err((region, refusal)) => {
            let unread = MeteringCall { region, product_code: None, records: Vec::new() };
            return respond(Err(metering.turn_away(&unread, refusal)), number);
        }
    };
    let (answer, fate) = metering.take(&call);
    let answer = answer.and_then(|answer| wire::write(&answer));
    let response = respond(answer, number);
    if fate == CallFate::Dropped { broken(response) } else { response }
}

/// The call, or the Region as far as it is known and what is wrong.
fn read(action: &str, headers: &HeaderMap, body: &[u8]) -> Result<MeteringCall, (String, MeteringRefusal)> {
    let region = region(headers).ok_or((String::new(), MeteringRefusal::Unsigned))?;
    if action != "BatchMeterUsage" {
        let words = format!(
            "The simulator has no action {action} of metering yet. It has BatchMeterUsage and ResolveCustomer."
        );
        return Err((region.to_owned(), MeteringRefusal::Operation(words)));
    }
    wire::read(region, body).map_err(|refusal| (region.to_owned(), refusal))
}

/// The Region of a signature's credential scope: `<key>/<date>/<Region>/<service>/aws4_request`.
pub(crate) fn region(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = authorization.split_once("Credential=")?;
    let scope = credential.split([',', ' ']).next()?;
    // From the end, as keys may contain slashes.
    let mut parts = scope.rsplit('/');
    let (Some("aws4_request"), Some(_), Some(region)) = (parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    Some(region)
}

fn respond(answer: Result<Vec<u8>, MeteringRefusal>, number: u64) -> Response {
    let (status, json) = match answer {
        Ok(json) => (StatusCode::OK, json),
        Err(refusal) => (status(refusal.code()), wire::write_refusal(&refusal)),
    };
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    numbered(response, number)
}

/// The answer with the headers that every one has.
pub(super) fn numbered(mut response: Response, number: u64) -> Response {
    let request_id = format!("00000000-0000-4000-9000-{number:012x}");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.extend(HeaderValue::try_from(request_id).map(|id| (REQUEST_ID, id)).ok());
    response
}

fn status(code: MeteringErrorCode) -> StatusCode {
    match code {
        MeteringErrorCode::InternalServiceErrorException => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region_of(authorization: &'static str) -> Option<String> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(authorization))]);
        region(&headers).map(str::to_owned)
    }

    #[test]
    fn the_region_is_that_of_the_credential_scope() {
        let signed = "AWS4-HMAC-SHA256 Credential=AKID/20261122/cn-northwest-1/aws-marketplace/aws4_request, \
                      SignedHeaders=host, Signature=0";
        assert_eq!(region_of(signed).as_deref(), Some("cn-northwest-1"));
    }

    #[test]
    fn what_is_no_signature_has_no_region() {
        for other in ["Bearer abc", "AWS4-HMAC-SHA256 Credential=AKID", "Credential=a/b/c/d/e"] {
            assert_eq!(region_of(other), None, "{other}");
        }
    }
}
