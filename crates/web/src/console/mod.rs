//! The operators' console: pages made here, a session or the proxy's word for who is there, and acts that leave their
//! operator's name.

mod acts;
mod amount;
mod api;
mod assets;
mod deliveries;
mod entropy;
mod flash;
mod gate;
mod headers;
mod jwt;
mod operator;
mod pages;
mod plot;
mod sessions;
mod sign_in;
mod visitor;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::{any, get, post};
use stallkeeper_runtime::{Entropy, NoEntropy};

pub use api::{
    ActError, ConsoleActs, ConsoleApi, ConsoleReads, LaneLine, Listing, Live, MeteredProduct, QueueLine,
    QueueState, Search,
};
pub use deliveries::{ConsoleDeliveries, DeliveryLine, DeliveryState, EndpointLine, NoDeliveries};
pub use jwt::{JwtConfig, JwtKeys, JwtKeysError};
pub use operator::{NameError, Operator, OperatorError, OperatorToken, Operators};

pub(crate) use pages::not_open;
pub(crate) use visitor::is_foreign;

/// What the console is made of.
pub struct Console {
    /// What it shows and does.
    pub api: Arc<dyn ConsoleApi>,
    /// What it shows of deliveries.
    pub deliveries: Arc<dyn ConsoleDeliveries>,
    /// Who may use it.
    pub access: Access,
    /// Where its random bytes come from.
    pub entropy: Arc<dyn Entropy>,
}

/// Who may use the console, and how he gets there.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Those who sign in with a token.
    pub operators: Operators,
    /// The seller's proxy, where it says who is there.
    pub jwt: Option<JwtConfig>,
    /// Whether operators come over HTTPS only, so that the cookie may insist on it.
    pub is_https: bool,
}

/// What all pages share.
struct Desk {
    api: Arc<dyn ConsoleApi>,
    deliveries: Arc<dyn ConsoleDeliveries>,
    access: Access,
    entropy: Arc<dyn Entropy>,
    seal: entropy::Seal,
    sessions: sessions::Sessions,
    failures: sessions::Failures,
    flashes: flash::Flashes,
}

/// The console's routes, to be merged into those of the internal listener.
///
/// # Errors
/// [`NoEntropy`]
pub fn console_routes(console: Console) -> Result<Router, NoEntropy> {
    let Console { api, deliveries, access, entropy } = console;
    let seal = entropy::Seal::new(&entropy.bytes()?);
    let desk = Arc::new(Desk {
        api,
        deliveries,
        access,
        entropy,
        seal,
        sessions: sessions::Sessions::default(),
        failures: sessions::Failures::default(),
        flashes: flash::Flashes::default(),
    });
    let signed_in = pages::routes()
        .merge(acts::routes())
        .route("/console/sign-out", post(sign_in::sign_out))
        .route("/console/", get(async || Redirect::permanent("/console")))
        .route("/console/{*rest}", any(pages::not_found))
        .method_not_allowed_fallback(pages::no_such_method)
        .layer(from_fn_with_state(desk.clone(), gate::guard));
    let open = Router::new()
        .route("/console/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/console/assets/console.css", get(assets::stylesheet))
        .route("/console/assets/console.js", get(assets::script));
    Ok(signed_in.merge(open).layer(from_fn(headers::secure)).with_state(desk))
}
