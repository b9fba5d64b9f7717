//! What buyers see: the page that a marketplace sends them to, and what outsiders may call at all.

mod arrive;
mod assets;
mod bounds;
mod cookie;
mod language;
mod page;
mod visit;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use stallkeeper_registration::{Desk, Way};
use url::Url;

/// The largest form, in bytes: a token and what marketplaces add to it.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// What buyers are shown of the seller.
#[derive(Clone, Debug, Default)]
pub struct Seller {
    /// What he is called.
    pub name: Option<String>,
    /// Whom buyers can ask: an address of mail or a page.
    pub support: Option<String>,
    /// Where the app is.
    pub app_url: Option<Url>,
    /// Until when an account is ready at the latest, in the seller's words.
    pub ready_within: Option<String>,
}

/// What the buyers' pages are made of.
pub struct Public {
    /// Where buyers are let in.
    pub desk: Arc<Desk>,
    /// What they are shown of the seller.
    pub seller: Seller,
    /// Under what address they come; its cookies insist on HTTPS where it does.
    pub url: Url,
}

/// What all pages share.
struct Hall {
    desk: Arc<Desk>,
    seller: Seller,
    url: Url,
    bounds: bounds::Bounds,
}

impl Hall {
    fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// By which scheme forms may lead beyond this site.
    fn hand_off_scheme(&self) -> Option<&str> {
        match self.desk.way() {
            Way::Hosted => None,
            Way::HandOff(url) => Some(url.scheme()),
        }
    }
}

/// The routes of the public listener.
pub fn public_routes(public: Public) -> Router {
    let Public { desk, seller, url } = public;
    let hall = Arc::new(Hall { desk, seller, url, bounds: bounds::Bounds::default() });
    Router::new()
        .route("/register/{marketplace}", get(arrive::how_to_subscribe).post(arrive::register))
        .route("/registrations/{visit}", get(visit::show).post(visit::submit))
        .route("/registrations/{visit}/hand-off", post(visit::hand_off))
        .route("/assets/public.css", get(assets::stylesheet))
        .route("/assets/public.js", get(assets::script))
        .route("/healthz", get(healthz))
        .fallback(visit::not_found)
        .method_not_allowed_fallback(visit::not_found)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn_with_state(hall.clone(), bounds::guard))
        .with_state(hall)
}

async fn healthz() -> &'static str {
    "ok\n"
}
