use axum::http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use stallkeeper_persistence::VisitId;
use stallkeeper_registration::{Arrival, VISIT_LASTS};

const COOKIE: &str = "stallkeeper-visit";
/// Browsers take it over HTTPS only.
const COOKIE_HTTPS: &str = "__Secure-stallkeeper-visit";

fn name(is_https: bool) -> &'static str {
    if is_https { COOKIE_HTTPS } else { COOKIE }
}

/// The address of a visit's page.
pub(super) fn path(visit: &VisitId) -> String {
    format!("/registrations/{visit}")
}

/// Binds the visit's page to this browser, and to that page alone, so that two of them can be open side by side.
///
/// `Lax`: the browser comes from the marketplace's site, and no other site's form carries it.
pub(super) fn set(arrival: &Arrival, is_https: bool) -> Option<HeaderValue> {
    let secure = if is_https { "; Secure" } else { "" };
    let text = format!(
        "{}={}; Path={}; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
        name(is_https),
        arrival.browser.expose_secret(),
        path(&arrival.visit),
        VISIT_LASTS.as_secs(),
    );
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What the browser shows to see a visit's page.
pub(super) fn of(headers: &HeaderMap, is_https: bool) -> Option<SecretString> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(known, _)| *known == name(is_https)).map(|(_, text)| text);
    found.next().map(SecretString::from)
}
