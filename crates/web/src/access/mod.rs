mod api;
mod body;
mod caller;
mod changes;
mod cursor;
mod entitlements;
mod etag;
mod examples;
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
use crate::route::Route;

/// The routes about who may use what, each behind a token with its scope.
pub(crate) fn routes() -> Vec<Route<Arc<AccessApi>>> {
    [entitlement_routes(), grant_routes(), subscription_routes(), registration_routes()]
        .into_iter()
        .flatten()
        .collect()
}

fn entitlement_routes() -> Vec<Route<Arc<AccessApi>>> {
    use entitlements::{entitlement_doc, query_doc, tenant_doc};
    let (tenant, scope) = ("/v1/tenants/{tenant}/entitlements", Scope::EntitlementsRead);
    let (query, of_tenant) = (entitlements::query_entitlements, entitlements::get_tenant_entitlements);
    let get = entitlements::get_entitlement;
    vec![
        Route::new(Method::GET, "/v1/entitlements", scope, get, entitlement_doc()),
        Route::new(Method::POST, "/v1/entitlements/query", scope, query, query_doc()),
        Route::new(Method::GET, tenant, scope, of_tenant, tenant_doc()),
    ]
}

fn grant_routes() -> Vec<Route<Arc<AccessApi>>> {
    use grants::{
        get_grant, get_grants, grant_doc, grants_doc, put_doc, put_grant, revoke_doc, revoke_grant,
    };
    let (reads, writes) = (Scope::EntitlementsRead, Scope::GrantsWrite);
    vec![
        Route::new(Method::GET, "/v1/grants", reads, get_grants, grants_doc()),
        Route::new(Method::GET, "/v1/grants/{id}", reads, get_grant, grant_doc()),
        Route::new(Method::PUT, "/v1/grants/{id}", writes, put_grant, put_doc()),
        Route::new(Method::DELETE, "/v1/grants/{id}", writes, revoke_grant, revoke_doc()),
    ]
}

fn subscription_routes() -> Vec<Route<Arc<AccessApi>>> {
    use subscriptions::{get_history, get_subscription, get_subscriptions};
    use subscriptions::{history_doc, subscription_doc, subscriptions_doc};
    let one = "/v1/subscriptions/{marketplace}/{product}/{kind}/{id}";
    let history = "/v1/subscriptions/{marketplace}/{product}/{kind}/{id}/history";
    let reads = Scope::SubscriptionsRead;
    vec![
        Route::new(Method::GET, "/v1/subscriptions", reads, get_subscriptions, subscriptions_doc()),
        Route::new(Method::GET, one, reads, get_subscription, subscription_doc()),
        Route::new(Method::GET, history, reads, get_history, history_doc()),
        Route::new(Method::GET, "/v1/changes", reads, changes::get_changes, changes::changes_doc()),
    ]
}

fn registration_routes() -> Vec<Route<Arc<AccessApi>>> {
    use registrations::{exchange, get_registration, get_registrations, put_tenant};
    use registrations::{exchange_doc, registration_doc, registrations_doc, tenant_doc};
    let tenant = "/v1/registrations/{id}/tenant";
    let (reads, writes) = (Scope::RegistrationsRead, Scope::RegistrationsWrite);
    vec![
        Route::new(Method::GET, "/v1/registrations", reads, get_registrations, registrations_doc()),
        Route::new(Method::GET, "/v1/registrations/{id}", reads, get_registration, registration_doc()),
        Route::new(Method::POST, "/v1/registrations/exchange", writes, exchange, exchange_doc()),
        Route::new(Method::PUT, tenant, writes, put_tenant, tenant_doc()),
    ]
}
