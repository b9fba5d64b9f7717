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
pub(crate) use listing::{LIMIT_DEFAULT, LIMIT_MAX, bounded, next_of, parameters};
pub(crate) use post::unread;
pub use stored::StoredUsage;
pub(crate) use subscription::{KeyParts, key_of};

use crate::Scope;
use crate::route::Route;

/// The routes about usage, each behind a token with its scope.
pub(crate) fn usage_routes() -> Vec<Route<Arc<dyn UsageApi>>> {
    use Scope::{UsageRead, UsageWrite};
    let subscription = "/v1/subscriptions/{marketplace}/{product}/{kind}/{id}/usage";
    let (get_usage, usage_doc) = (subscription::get_subscription_usage, subscription::usage_doc());
    let (put_watermark, watermark_doc) = (watermark::put_watermark, watermark::watermark_doc());
    vec![
        Route::new(Method::POST, "/v1/usage", UsageWrite, post::post_usage, post::post_doc()),
        Route::new(Method::PUT, "/v1/watermarks", UsageWrite, put_watermark, watermark_doc),
        Route::new(Method::GET, "/v1/usage/losses", UsageRead, listing::get_losses, listing::losses_doc()),
        Route::new(Method::GET, "/v1/usage/held", UsageRead, listing::get_held, listing::held_doc()),
        Route::new(Method::GET, "/v1/windows", UsageRead, windows::get_windows, windows::windows_doc()),
        Route::new(Method::GET, subscription, UsageRead, get_usage, usage_doc),
    ]
}
