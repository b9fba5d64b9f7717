use std::collections::BTreeSet;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use url::Url;

use crate::Product;

/// What the shop's pages may load, and where their forms may go.
#[derive(Clone, Debug)]
pub(super) struct Policy(HeaderValue);

impl Policy {
    /// Forms go to the shop itself, and to the sellers' registration pages.
    pub(super) fn of(products: &[Product]) -> Self {
        let addresses = products.iter().filter_map(|product| product.fulfilment_url.as_deref());
        let sites: BTreeSet<String> = addresses
            .filter_map(|address| Url::parse(address).ok())
            .map(|address| address.origin().ascii_serialization())
            .collect();
        // A seller may lead on to pages of its own, and browsers hold redirects of forms to this, too.
        let sites = ["'self'".to_owned()].into_iter().chain(sites).collect::<Vec<_>>().join(" ");
        let policy = format!(
            "default-src 'none'; style-src 'self'; script-src 'self'; form-action {sites}; \
             frame-ancestors 'none'; base-uri 'none'"
        );
        Self(HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'")))
    }
}

pub(super) async fn secure(State(Policy(policy)): State<Policy>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // The seller's page hears which site a buyer comes from, as the marketplace's own pages let it.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
    // Pages hold tokens.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
