mod api;
mod body;
mod caller;
mod changes;
mod cursor;
mod entitlements;
mod etag;
mod grants;
mod line;
mod registrations;
mod subscriptions;

use std::sync::Arc;

use axum::http::Method;

pub use api::AccessApi;
pub(crate) use caller::Caller;
pub use entitlements::QUERIES_MAX;

use crate::Scope;
use crate::v1::Route;

/// The routes about who may use what, each behind a token with its scope.
pub(crate) fn routes() -> Vec<Route<Arc<AccessApi>>> {
    let subscription = "/v1/subscriptions/{marketplace}/{product}/{kind}/{id}";
    let history = "/v1/subscriptions/{marketplace}/{product}/{kind}/{id}/history";
    let (entitlements, grants) = (Scope::EntitlementsRead, Scope::GrantsWrite);
    let reads = Scope::SubscriptionsRead;
    let (registrations, registers) = (Scope::RegistrationsRead, Scope::RegistrationsWrite);
    vec![
        Route::new(Method::GET, "/v1/entitlements", entitlements, entitlements::get_entitlement),
        Route::new(Method::POST, "/v1/entitlements/query", entitlements, entitlements::query_entitlements),
        Route::new(
            Method::GET,
            "/v1/tenants/{tenant}/entitlements",
            entitlements,
            entitlements::get_tenant_entitlements,
        ),
        Route::new(Method::GET, "/v1/grants", entitlements, grants::get_grants),
        Route::new(Method::GET, "/v1/grants/{id}", entitlements, grants::get_grant),
        Route::new(Method::PUT, "/v1/grants/{id}", grants, grants::put_grant),
        Route::new(Method::DELETE, "/v1/grants/{id}", grants, grants::revoke_grant),
        Route::new(Method::GET, "/v1/subscriptions", reads, subscriptions::get_subscriptions),
        Route::new(Method::GET, subscription, reads, subscriptions::get_subscription),
        Route::new(Method::GET, history, reads, subscriptions::get_history),
        Route::new(Method::GET, "/v1/registrations", registrations, registrations::get_registrations),
        Route::new(Method::GET, "/v1/registrations/{id}", registrations, registrations::get_registration),
        Route::new(Method::POST, "/v1/registrations/exchange", registers, registrations::exchange),
        Route::new(Method::PUT, "/v1/registrations/{id}/tenant", registers, registrations::put_tenant),
        Route::new(Method::GET, "/v1/changes", reads, changes::get_changes),
    ]
}
