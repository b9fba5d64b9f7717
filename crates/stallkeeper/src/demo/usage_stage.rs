//! Usage on the stage: what is still to be metered, and what all sides have of it.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{bail, ensure};
use stallkeeper_ledger::MARGIN_MIN;
use stallkeeper_lifecycle::SubscriptionKey;
use stallkeeper_persistence::usage::MeterTermsOf;
use tokio::time::Instant;

use super::Stage;
use super::check::key;
use super::stage::PATIENCE;
use super::usage_books::{add_bill, add_ledger};
use super::usage_check::{Lost, UsageBooks};

/// How often metering is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Stage {
    /// Notes usage that is reported so that it has to be lost.
    pub fn plant(&self, lost: Lost) {
        self.planted.lock().unwrap_or_else(PoisonError::into_inner).push(lost);
    }

    /// Waits until the worker has reported all usage that it can report now.
    ///
    /// # Errors
    /// When it ends, is told to, or does not come to an end of it.
    pub async fn metered(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while let Some(what) = self.unmetered().await? {
            ensure!(
                begun.elapsed() < PATIENCE,
                "the worker makes no headway with usage: {what}; set STALLKEEPER_LOG_FILTER=warn to see why"
            );
            tokio::select! {
                () = self.shutdown.soft.cancelled() => bail!("interrupted"),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        Ok(())
    }

    /// What of usage is to be done now.
    async fn unmetered(&self) -> anyhow::Result<Option<String>> {
        let (store, now) = (&self.store, self.now());
        if let Some(key) = store.meters_due(now, 1).await?.first() {
            return Ok(Some(format!("{key} is to be looked at")));
        }
        for marketplace in &self.config.marketplaces {
            let ends_by = now.plus(MARGIN_MIN);
            if let Some(key) = store.meters_to_cut(&marketplace.name, ends_by, 1).await?.first() {
                return Ok(Some(format!("the final usage of {key} is to be frozen")));
            }
        }
        for product in self.config.metered_products() {
            let said = store.product_watermarks(&product).await?;
            let Some(through) = said.values().min() else { continue };
            for (marketplace, code) in self.config.listings_of(&product) {
                let complete = store.meters_complete(&marketplace, &code, now.min(*through), 1).await?;
                if let Some(key) = complete.first() {
                    return Ok(Some(format!("an hour of {key} is complete and to be closed")));
                }
            }
        }
        let unsent = store.ledger_health().await?.unsent;
        Ok((unsent > 0).then(|| format!("{unsent} records are to be sent")))
    }

    /// What all sides have of usage: the app, the ledger and the marketplace.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn usage_books(&self) -> anyhow::Result<UsageBooks> {
        let books = self.simulator.market().books();
        let mut usage = UsageBooks {
            buyers: books.iter().map(|entry| (key(entry), entry.buyer.clone())).collect(),
            reported: self.app.reported().clone(),
            planted: self.planted.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            ..UsageBooks::default()
        };
        add_bill(&mut usage, &self.simulator.metering().bill());
        // Nobody uses anything who has not registered; of those, hours without usage may be reported.
        let billed = usage.bill.keys().map(|cell| cell.subscription.clone());
        let keys: BTreeSet<String> = self.registrations().keys().cloned().chain(billed).collect();
        let keys = keys.iter().map(|key| key.parse()).collect::<Result<BTreeSet<SubscriptionKey>, _>>()?;
        add_ledger(&mut usage, &*self.store, &self.config, &keys).await?;
        Ok(usage)
    }
}
