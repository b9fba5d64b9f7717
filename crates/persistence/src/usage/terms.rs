use std::collections::BTreeSet;
use std::sync::Arc;

use stallkeeper_ledger::{MeterTerms, ProductKey, SourceName};
use stallkeeper_lifecycle::{MarketplaceName, ProductCode, SubscriptionKey};

/// What the configuration says about metering; by default nothing is metered.
pub trait MeterTermsOf: Send + Sync + 'static {
    /// The terms of a subscription's listing; `None` where it is not metered.
    fn meter_terms(&self, _key: &SubscriptionKey) -> Option<Arc<MeterTerms>> {
        None
    }

    /// Whether the seller's endpoints are told of changes and losses; nobody is unless this says so.
    fn is_published(&self) -> bool {
        false
    }

    /// The metered listings of a product; none where it is unknown or not metered.
    fn listings_of(&self, _product: &ProductKey) -> Vec<(MarketplaceName, ProductCode)> {
        Vec::new()
    }

    /// Who reports a product's usage, and says when it is complete.
    fn sources_of(&self, _product: &ProductKey) -> BTreeSet<SourceName> {
        BTreeSet::new()
    }

    /// The products that are metered.
    fn metered_products(&self) -> Vec<ProductKey> {
        Vec::new()
    }
}
