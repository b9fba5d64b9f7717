//! Whom the marketplace sends to a seller to register.

use std::sync::Arc;

use serde::Serialize;

use crate::marketplace::act::{ActError, Whose};
use crate::marketplace::books::{About, Books, check_name, nothing_bought, only_current};
use crate::marketplace::market::Marketplace;
use crate::marketplace::product::{Feed, Product};
use crate::marketplace::subscription::{Holder, Subscription};

/// What the marketplace tells the seller of a buyer who comes to register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Registrant {
    /// The product's code.
    pub product_code: String,
    /// The buyer's AWS account, twelve digits.
    pub account: String,
    /// What notifications call the buyer, where the product speaks through topics.
    pub customer_id: Option<String>,
    /// The license, where the product speaks through events.
    pub license_arn: Option<String>,
    /// The agreement in force, where the product speaks through events.
    pub agreement_id: Option<String>,
}

impl Marketplace {
    /// Whom the marketplace would send to the seller of a product. A customer of topics can come before the
    /// first notification does, so the buyer need not have bought yet; a license has to be there.
    ///
    /// # Errors
    ///
    /// [`ActError`] if there is no such product, or not exactly one license that is meant.
    pub fn registrant(&self, whose: &Whose) -> Result<Registrant, ActError> {
        self.inner.books().registrant(whose)
    }
}

impl Books {
    fn registrant(&mut self, whose: &Whose) -> Result<Registrant, ActError> {
        let product = self.product(&whose.product)?;
        check_name(&whose.buyer)?;
        match product.feed {
            Feed::Sns => self.customer(whose, &product),
            Feed::EventBridge => self.licensee(whose, &product),
        }
    }

    fn customer(&mut self, whose: &Whose, product: &Arc<Product>) -> Result<Registrant, ActError> {
        self.named(whose, product)?;
        let buyer = self.buyer(&whose.buyer);
        Ok(Registrant {
            product_code: product.code.clone(),
            account: buyer.account.clone(),
            customer_id: Some(buyer.customer_id.clone()),
            license_arn: None,
            agreement_id: None,
        })
    }

    fn licensee(&self, whose: &Whose, product: &Product) -> Result<Registrant, ActError> {
        let about = About { act: "registration", buyer: &whose.buyer, product: &whose.product };
        let place = match self.named(whose, product)? {
            Some(place) => place,
            None => only_current(about, &self.purchases(&whose.buyer, &product.key).collect::<Vec<_>>())?,
        };
        let subscription = self.at(place).ok_or_else(|| nothing_bought(about))?;
        Ok(subscription.registrant())
    }

    /// The place of the subscription that is named, if one is.
    fn named(&self, whose: &Whose, product: &Product) -> Result<Option<usize>, ActError> {
        let Some(id) = &whose.subscription else { return Ok(None) };
        let purchases: Vec<(usize, &Subscription)> = self.purchases(&whose.buyer, &product.key).collect();
        Self::find(id, &whose.buyer, product, &purchases).map(Some)
    }
}

impl Subscription {
    fn registrant(&self) -> Registrant {
        let Self { record, holder } = self;
        let (customer_id, license) = match holder {
            Holder::Customer => (Some(record.buyer.customer_id.clone()), None),
            Holder::License(license) => (None, Some(license)),
        };
        Registrant {
            product_code: record.product.code.clone(),
            account: record.buyer.account.clone(),
            customer_id,
            license_arn: license.map(super::license::License::arn),
            agreement_id: license.map(|license| license.agreement.id.clone()),
        }
    }
}
