use stallkeeper_ledger::ProductKey;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::usage::MeterTermsOf;
use stallkeeper_persistence::{Actor, Store, StoreError};

use crate::config::Config;

/// Why metering is not held.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// A mistyped key would hold nothing, and look as if it did.
    #[error("no metered product is called {product}; metered are: {metered}")]
    Unknown {
        /// What was named.
        product: ProductKey,
        /// What could have been.
        metered: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Holds a product's metering; `false` where it is held already.
///
/// # Errors
/// [`HoldError`]
pub async fn hold(
    config: &Config,
    store: &dyn Store,
    product: &ProductKey,
    actor: &Actor,
    now: Timestamp,
) -> Result<bool, HoldError> {
    let metered = config.metered_products();
    if !metered.contains(product) {
        let metered: Vec<&str> = metered.iter().map(ProductKey::as_str).collect();
        return Err(HoldError::Unknown { product: product.clone(), metered: metered.join(", ") });
    }
    Ok(store.hold_metering(product, actor, now).await?)
}
