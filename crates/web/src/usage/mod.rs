mod api;
mod body;
mod event;
mod lines;
mod listing;
mod post;
mod stored;
mod subscription;
mod watermark;
mod windows;

use std::sync::Arc;

use axum::http::Method;

pub use api::UsageApi;
pub use body::{BodyError, REQUEST_BYTES_MAX, REQUEST_EVENTS_MAX, UsageEntry, UsageFormat, read_usage};
pub use event::Malformed;
pub(crate) use lines::{name_of, record_id};
pub(crate) use listing::{bounded, next_of, parameters};
pub(crate) use post::unread;
pub use stored::StoredUsage;
pub(crate) use subscription::{KeyParts, key_of};

use crate::Scope;
use crate::v1::Route;

/// The routes about usage, each behind a token with its scope.
pub(crate) fn usage_routes() -> Vec<Route<Arc<dyn UsageApi>>> {
    let subscription_usage = "/v1/subscriptions/{marketplace}/{product}/{kind}/{id}/usage";
    vec![
        Route::new(Method::POST, "/v1/usage", Scope::UsageWrite, post::post_usage),
        Route::new(Method::PUT, "/v1/watermarks", Scope::UsageWrite, watermark::put_watermark),
        Route::new(Method::GET, "/v1/usage/losses", Scope::UsageRead, listing::get_losses),
        Route::new(Method::GET, "/v1/usage/held", Scope::UsageRead, listing::get_held),
        Route::new(Method::GET, "/v1/windows", Scope::UsageRead, windows::get_windows),
        Route::new(Method::GET, subscription_usage, Scope::UsageRead, subscription::get_subscription_usage),
    ]
}
