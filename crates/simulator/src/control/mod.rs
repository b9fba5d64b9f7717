//! The HTTP control API.

mod acts;
mod bill;
mod books;
mod clock;
mod crowd;
mod error;
mod faults;
mod guard;
mod metering;
mod notifications;
mod overview;
mod queues;
mod tokens;

use std::sync::Arc;

pub(crate) use guard::refuse_sites;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};

use crate::{Faults, Marketplace, Metering, Queues, RegistrationTokens};

const BODY_BYTES_MAX: usize = 1 << 20;
/// How much one page lists at most.
const PAGE_MAX: usize = 10_000;
const PAGE_DEFAULT: usize = 1_000;

/// What the control API works on.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    pub(crate) market: Marketplace,
    pub(crate) metering: Metering,
    pub(crate) tokens: RegistrationTokens,
    pub(crate) queues: Queues,
    pub(crate) faults: Arc<Faults>,
    /// Where the simulator answers, without a closing slash.
    pub(crate) base_url: Arc<str>,
    /// Whether it listens on a loopback address only.
    pub(crate) is_loopback: bool,
}

/// All routes below `/control`.
pub(crate) fn router(control: Control) -> Router {
    Router::new()
        .route("/control", get(overview::show))
        .route("/control/", get(overview::show))
        .route("/control/clock", get(clock::show).post(clock::set))
        .route("/control/acts", post(acts::act))
        .route("/control/books", get(books::list))
        .route("/control/books/{buyer}", get(books::of_buyer))
        .route("/control/bill", get(bill::list))
        .route("/control/bill/{buyer}", get(bill::of_buyer))
        .route("/control/metering", get(metering::show).put(metering::set).delete(metering::reset))
        .route("/control/metering/calls", get(metering::calls))
        .route("/control/notifications", get(notifications::list))
        .route("/control/faults", get(faults::show).put(faults::set).delete(faults::clear))
        .route(
            "/control/faults/metering",
            get(faults::show_metering).put(faults::set_metering).delete(faults::clear_metering),
        )
        .route(
            "/control/faults/entitlements",
            get(faults::show_entitlement).put(faults::set_entitlement).delete(faults::clear_entitlement),
        )
        .route(
            "/control/faults/registration",
            get(faults::show_registration).put(faults::set_registration).delete(faults::clear_registration),
        )
        .route("/control/tokens", post(tokens::issue))
        .route("/control/queues", get(queues::list))
        .route("/control/crowd", get(crowd::show).post(crowd::start))
        .route("/control/{*path}", axum::routing::any(error::no_such_path))
        .method_not_allowed_fallback(error::no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(control.clone(), guard::refuse_sites))
        .with_state(control)
}
