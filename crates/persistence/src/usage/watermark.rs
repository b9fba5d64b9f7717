use stallkeeper_ledger::{ProductKey, SourceName, next_look};
use stallkeeper_lifecycle::{TenantId, Timestamp};

use crate::usage::{MeterRow, MeterSelection, MeterTermsOf};
use crate::{CommitStore, StoreError, Work};

/// A source's word that usage is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// Of which product.
    pub product: ProductKey,
    /// Of which tenant; none where it is so of all.
    pub tenant: Option<TenantId>,
    /// Who says so.
    pub source: SourceName,
    /// All usage before this time has been reported.
    pub complete_through: Timestamp,
}

/// Why a watermark is not taken.
#[derive(Debug, thiserror::Error)]
pub enum WatermarkError {
    /// No such product is metered.
    #[error("no metered product is called {0}")]
    UnknownProduct(ProductKey),
    /// The product's configuration does not name the source.
    #[error("the product's usage_sources do not name {0}")]
    UnknownSource(SourceName),
    /// Nobody can know that usage to come is complete.
    #[error("complete_through is in the future")]
    Future,
    /// The tenant has no metered subscription of the product.
    #[error("tenant {0} has no metered subscription of this product")]
    UnknownTenant(TenantId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Stores a watermark; one that is not later than the one before changes nothing.
///
/// # Errors
/// [`WatermarkError`]; nothing changes then.
pub async fn put_watermark(
    store: &dyn CommitStore,
    watermark: &Watermark,
    now: Timestamp,
    terms: &dyn MeterTermsOf,
) -> Result<(), WatermarkError> {
    if terms.listings_of(&watermark.product).is_empty() {
        return Err(WatermarkError::UnknownProduct(watermark.product.clone()));
    }
    if watermark.complete_through > now {
        return Err(WatermarkError::Future);
    }
    if !terms.sources_of(&watermark.product).contains(&watermark.source) {
        return Err(WatermarkError::UnknownSource(watermark.source.clone()));
    }
    match &watermark.tenant {
        None => {
            let mut transaction = store.begin(Work::Usage).await?;
            transaction.put_watermark(watermark, now).await?;
            transaction.commit().await?;
            Ok(())
        }
        Some(tenant) => put_of_tenant(store, watermark, tenant, now, terms).await,
    }
}

/// A tenant's watermark stands with its meters, which are looked at next.
async fn put_of_tenant(
    store: &dyn CommitStore,
    watermark: &Watermark,
    tenant: &TenantId,
    now: Timestamp,
    terms: &dyn MeterTermsOf,
) -> Result<(), WatermarkError> {
    let mut transaction = store.begin(Work::Usage).await?;
    let selection = MeterSelection { subscriptions: Vec::new(), tenants: vec![tenant.clone()] };
    let mut rows = Vec::new();
    let mut is_known = false;
    for mut meter in transaction.lock_meters(&selection).await? {
        let Some(terms) = terms.meter_terms(&meter.key).filter(|terms| terms.product == watermark.product)
        else {
            continue;
        };
        is_known = true;
        if meter.hears(&watermark.source, watermark.complete_through) {
            let look_at = next_look(&meter, &terms, now);
            rows.push(MeterRow::of(meter, look_at, &terms, now));
        }
    }
    if !is_known {
        return Err(WatermarkError::UnknownTenant(tenant.clone()));
    }
    if !rows.is_empty() {
        transaction.write_meters(&rows, now).await?;
    }
    transaction.commit().await?;
    Ok(())
}
