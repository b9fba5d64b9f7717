use std::sync::Arc;

use stallkeeper_entitlement::{Catalog, Entitlements};
use stallkeeper_ledger::ProductKey;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{Store, TermsOf};
use stallkeeper_registration::Desk;
use stallkeeper_runtime::WallClock;

/// What the routes about subscriptions, grants and entitlements need.
pub struct AccessApi {
    /// Answers from memory.
    pub entitlements: Entitlements,
    /// Where everything is stored.
    pub store: Arc<dyn Store>,
    /// The business's clock.
    pub clock: Arc<dyn WallClock>,
    /// How subscriptions are read.
    pub terms: Arc<dyn TermsOf>,
    /// Where buyers are let in.
    pub desk: Arc<Desk>,
    /// What is sold.
    pub catalog: Arc<Catalog>,
}

impl AccessApi {
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from(self.clock.now())
    }

    /// The seller's product that a subscription is of; none where no listing has its code.
    pub(super) fn product_of(&self, key: &SubscriptionKey) -> Option<&ProductKey> {
        let products = self.catalog.products().iter();
        let is_of = |product: &&stallkeeper_entitlement::CatalogProduct| {
            let mut listings = product.listings.iter();
            listings.any(|listing| listing.marketplace == key.marketplace && listing.code == key.product)
        };
        products.clone().find(is_of).map(|product| &product.key)
    }
}
