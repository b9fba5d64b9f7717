//! What metering asks the books, and the accounts that it asks about.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use time::OffsetDateTime;

use crate::marketplace::act::{Act, ActError};
use crate::marketplace::books::Books;
use crate::marketplace::subscription::{Holder, Record, Subscription};
use crate::metering::{Account, MeteredHolder};

/// The accounts and licenses that calls can name.
#[derive(Debug, Default)]
pub(crate) struct AccountBook {
    /// Buyers' names.
    names: HashMap<String, String>,
    /// Places in the books, by the license's ARN.
    licenses: HashMap<String, usize>,
    /// Buyers' names.
    suspended: HashSet<String>,
}

impl AccountBook {
    /// Notes a new subscription and its place.
    pub(crate) fn note(&mut self, subscription: &Subscription, place: usize) {
        let buyer = &subscription.record.buyer;
        self.names.entry(buyer.account.clone()).or_insert_with(|| buyer.name.clone());
        if let Holder::License(license) = &subscription.holder {
            self.licenses.insert(license.arn(), place);
        }
    }

    pub(crate) fn is_suspended(&self, buyer: &str) -> bool {
        self.suspended.contains(buyer)
    }

    /// Suspends or restores the account of whoever a subscription belongs to.
    pub(crate) fn act(&mut self, act: &Act, record: &Record) -> Result<(), ActError> {
        let buyer = &record.buyer.name;
        let (happens, standing, possible) = match act {
            Act::SuspendAccount(_) => {
                (self.suspended.insert(buyer.clone()), "of a suspended account", "restore-account")
            }
            _ => (self.suspended.remove(buyer), "of an account in good standing", "suspend-account"),
        };
        if happens {
            return Ok(());
        }
        let subscription = record.id.to_string();
        Err(ActError::Impossible { act: act.name(), subscription, standing, possible: possible.to_owned() })
    }
}

impl Books {
    /// Whether a buyer's account is suspended.
    pub(crate) fn is_suspended(&self, buyer: &str) -> bool {
        self.accounts.is_suspended(buyer)
    }

    /// Whom a record is about, as of a moment.
    pub(crate) fn account(&self, holder: &MeteredHolder, now: OffsetDateTime) -> Option<Account> {
        let subscription = match holder {
            MeteredHolder::Customer { product_code, customer_identifier } => {
                self.by_id(&format!("{product_code}/customer/{customer_identifier}"))
            }
            MeteredHolder::CustomerAccount { product_code, account } => {
                let name = self.accounts.names.get(account)?;
                let is_of_product = |one: &&Subscription| one.record.product.code == *product_code;
                self.of_buyer(name).map(|(_, one)| one).find(is_of_product)
            }
            MeteredHolder::License { license_arn, account } => {
                let place = *self.accounts.licenses.get(license_arn)?;
                self.at(place).filter(|one| one.record.buyer.account == *account)
            }
        }?;
        let entry = subscription.entry(now);
        Some(Account {
            subscription: Arc::clone(&entry.id),
            product_code: entry.code,
            account: entry.account,
            periods: entry.periods,
            is_suspended: self.is_suspended(&entry.buyer),
        })
    }
}
