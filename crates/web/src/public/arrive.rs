use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::SecretString;
use stallkeeper_lifecycle::MarketplaceName;
use stallkeeper_registration::{ArriveError, Entrance, ResolveError};
use url::form_urlencoded;

use super::language::Spoken;
use super::page::{Ask, Body, Link, page};
use super::words::Trouble;
use super::{Hall, cookie};

/// The field in which AWS sends the token; all other fields come through the buyer's browser, and are not believed.
const TOKEN_FIELD: &str = "x-amzn-marketplace-token";

/// How the markets that a page speaks of are called where it is not known which one it is.
const SOME_MARKETPLACE: &str = "AWS Marketplace";

/// The form that a marketplace lets the buyer's browser send: his token is resolved now, and his browser goes on to a
/// page of its own, from which reloading sends nothing again.
pub(super) async fn register(
    State(hall): State<Arc<Hall>>,
    spoken: Spoken,
    path: Result<Path<MarketplaceName>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(Path(marketplace)) = path else { return no_marketplace(&hall, spoken) };
    let token = body.ok().and_then(|body| token(&body));
    match hall.desk.arrive(&marketplace, token).await {
        Ok(arrival) => {
            let mut response = Redirect::to(&cookie::path(&arrival.visit)).into_response();
            if let Some(value) = cookie::set(&arrival, hall.is_https()) {
                response.headers_mut().insert(header::SET_COOKIE, value);
            }
            response
        }
        Err(error) => turn_away(&hall, spoken, &marketplace, &error),
    }
}

/// Somebody who comes by himself is told how to subscribe.
pub(super) async fn how_to_subscribe(
    State(hall): State<Arc<Hall>>,
    spoken: Spoken,
    path: Result<Path<MarketplaceName>, PathRejection>,
) -> Response {
    let found = path.ok().and_then(|Path(marketplace)| hall.desk.entrance(&marketplace));
    let Some(entrance) = found else { return no_marketplace(&hall, spoken) };
    trouble(&hall, spoken, StatusCode::OK, Trouble::HowToSubscribe, Some(entrance))
}

fn token(body: &[u8]) -> Option<SecretString> {
    let (_, token) = form_urlencoded::parse(body).find(|(name, _)| name == TOKEN_FIELD)?;
    let token = token.trim();
    (!token.is_empty()).then(|| SecretString::from(token))
}

fn turn_away(hall: &Hall, spoken: Spoken, marketplace: &MarketplaceName, error: &ArriveError) -> Response {
    let (status, words) = match error {
        ArriveError::NoMarketplace => return no_marketplace(hall, spoken),
        ArriveError::NoToken => (StatusCode::BAD_REQUEST, Trouble::HowToSubscribe),
        ArriveError::Unresolved(ResolveError::Expired) => (StatusCode::BAD_REQUEST, Trouble::Expired),
        ArriveError::Unresolved(ResolveError::Invalid) => (StatusCode::BAD_REQUEST, Trouble::Invalid),
        ArriveError::Foreign(_) => (StatusCode::BAD_REQUEST, Trouble::Foreign),
        ArriveError::Busy => (StatusCode::TOO_MANY_REQUESTS, Trouble::NotNow),
        ArriveError::Unresolved(ResolveError::Unavailable(_)) | ArriveError::Store(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, Trouble::NotNow)
        }
        ArriveError::Unresolved(ResolveError::Refused(_)) | ArriveError::NoEntropy(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, Trouble::SellersFault)
        }
    };
    let mut response = trouble(hall, spoken, status, words, hall.desk.entrance(marketplace));
    if words == Trouble::NotNow {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
    }
    response
}

fn no_marketplace(hall: &Hall, spoken: Spoken) -> Response {
    trouble(hall, spoken, StatusCode::NOT_FOUND, Trouble::NoSuchPage, None)
}

/// A page for somebody who sees no registration, with the ways to subscribe.
pub(super) fn trouble(
    hall: &Hall,
    spoken: Spoken,
    status: StatusCode,
    trouble: Trouble,
    entrance: Option<&Entrance>,
) -> Response {
    let marketplace = entrance.map_or(SOME_MARKETPLACE, |entrance| entrance.name.as_str());
    let listings = entrance.into_iter().flat_map(|entrance| &entrance.listings);
    let links = listings.filter_map(|listing| {
        let url = listing.url.as_ref()?.to_string();
        let words = format!("{} {}", spoken.language.labels().to_listing, listing.name);
        Some(Link { words, url, is_main: false })
    });
    let has_links = matches!(trouble, Trouble::HowToSubscribe | Trouble::Expired | Trouble::Invalid);
    let links = if has_links { links.collect() } else { Vec::new() };
    let text = spoken.language.trouble(trouble, marketplace);
    let body = Body { text, stage: "none", is_waiting: false, ask: Ask::Nothing, links };
    page(hall, spoken, status, body)
}
