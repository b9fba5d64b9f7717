use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_runtime::{hex, sha256};

/// How many bytes of the digest make a tag.
const TAG_BYTES: usize = 16;

/// Answers with a JSON object and its tag, or that the caller has it already.
///
/// The tag is of the object without its `as_of`: it is a weak one, as that alone makes no other answer.
pub(super) fn tagged(headers: &HeaderMap, mut object: Vec<u8>, as_of: Timestamp) -> Response {
    let tag = tag(&object);
    let Ok(value) = HeaderValue::from_str(&tag) else {
        // It has hexadecimal digits only.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let fixed =
        [(header::ETAG, value), (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"))];
    if is_known(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, fixed).into_response();
    }
    object.pop();
    object.extend_from_slice(format!(",\"as_of\":\"{as_of}\"}}").as_bytes());
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (fixed, json, object).into_response()
}

fn tag(object: &[u8]) -> String {
    let digits = hex(sha256(object).get(..TAG_BYTES).unwrap_or_default());
    format!("W/\"{digits}\"")
}

/// Whether `If-None-Match` names the tag, compared weakly (RFC 9110, 13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|known| known.trim() == "*" || opaque(known) == opaque(tag)))
}
