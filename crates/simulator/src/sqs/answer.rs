use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Code, SqsError};

const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");

/// What a call that was done answers.
#[derive(Debug)]
pub(super) struct Answer {
    json: Vec<u8>,
}

impl Answer {
    /// The answer of calls that only do something.
    pub(super) fn empty() -> Self {
        Self { json: Vec::new() }
    }

    pub(super) fn of(answer: &impl Serialize) -> Result<Self, SqsError> {
        let json = serde_json::to_vec(answer);
        Ok(Self { json: json.map_err(|error| SqsError::new(Code::InternalError, error.to_string()))? })
    }
}

#[derive(Debug, Serialize)]
struct ErrorBody<'a> {
    #[serde(rename = "__type")]
    json_type: &'static str,
    message: &'a str,
}

/// Reads a call's parameters.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, SqsError> {
    serde_json::from_slice(body).map_err(|error| SqsError::new(Code::MalformedInput, error.to_string()))
}

/// An answer as HTTP.
pub(super) fn respond(answer: Result<Answer, SqsError>, request_id: &str) -> Response {
    let (status, json, query_error) = match answer {
        Ok(Answer { json }) => (StatusCode::OK, json, None),
        Err(SqsError { code, message }) => {
            let body = serde_json::to_vec(&ErrorBody { json_type: code.json_type(), message: &message });
            let fault = if code.is_senders_fault() { "Sender" } else { "Receiver" };
            (code.status(), body.unwrap_or_default(), Some(format!("{};{fault}", code.query_code())))
        }
    };
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.extend(HeaderValue::from_str(request_id).map(|id| (REQUEST_ID, id)).ok());
    let query_error = query_error.and_then(|code| HeaderValue::from_str(&code).ok());
    headers.extend(query_error.map(|code| (QUERY_ERROR, code)));
    response
}

const REQUEST_ID: header::HeaderName = header::HeaderName::from_static("x-amzn-requestid");
const QUERY_ERROR: header::HeaderName = header::HeaderName::from_static("x-amzn-query-error");

/// The same answer, whose connection breaks before its body.
pub(crate) fn broken(response: Response) -> Response {
    let lost = std::io::Error::other("the answer is lost, as the faults have it");
    response.map(|_| Body::from_stream(futures_util::stream::iter([Err::<Bytes, _>(lost)])))
}
