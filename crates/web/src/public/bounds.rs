use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Hall;

/// How many requests a second are answered, whoever makes them: the worker may stand behind a proxy that hides that.
const REQUESTS_PER_SEC: NonZeroU32 = NonZeroU32::new(200).unwrap();
const REQUESTS_BURST: NonZeroU32 = NonZeroU32::new(400).unwrap();

/// How many are answered at once.
const REQUESTS_AT_ONCE: usize = 256;

/// How long one may take: longer than the marketplace may take to resolve a token.
const REQUEST_MAX: Duration = Duration::from_secs(15);

/// How many requests of outsiders are served.
pub(super) struct Bounds {
    rate: DefaultDirectRateLimiter,
    at_once: Semaphore,
}

impl Default for Bounds {
    fn default() -> Self {
        let quota = Quota::per_second(REQUESTS_PER_SEC).allow_burst(REQUESTS_BURST);
        Self { rate: RateLimiter::direct(quota), at_once: Semaphore::new(REQUESTS_AT_ONCE) }
    }
}

/// Serves within bounds, and adds what keeps browsers from doing anything else with a page than showing it.
pub(super) async fn guard(State(hall): State<Arc<Hall>>, request: Request, next: Next) -> Response {
    let mut response = match hall.bounds.at_once.try_acquire() {
        Ok(_permit) if hall.bounds.rate.check().is_ok() => {
            match timeout(REQUEST_MAX, next.run(request)).await {
                Ok(response) => response,
                Err(_) => busy(StatusCode::SERVICE_UNAVAILABLE),
            }
        }
        _ => busy(StatusCode::TOO_MANY_REQUESTS),
    };
    secure(&hall, &mut response);
    response
}

fn busy(status: StatusCode) -> Response {
    (status, [(header::RETRY_AFTER, "5")], "Too many requests now. Try again in a few seconds.\n")
        .into_response()
}

fn secure(hall: &Hall, response: &mut Response) {
    // A sign-up leads on to wherever its log-in is, and browsers hold every redirect of a form against this.
    let beyond = hall.hand_off_scheme().map(|scheme| format!(" {scheme}:")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
         form-action 'self'{beyond}; frame-ancestors 'none'; base-uri 'none'"
    );
    let headers = response.headers_mut();
    // An origin has no character that a header cannot carry.
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if hall.is_https() {
        let a_year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, a_year);
    }
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    // Pages speak of one buyer: no cache keeps them. What may be kept says so itself.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
