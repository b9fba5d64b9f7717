//! What buyers of contracts are entitled to.

use time::{Duration, OffsetDateTime};

use crate::marketplace::books::Books;
use crate::marketplace::entry::Standing;
use crate::marketplace::market::Marketplace;
use crate::marketplace::product::Pricing;
use crate::marketplace::subscription::{Holder, Subscription};

/// How long a contract of a product with topics runs before it is renewed.
const TERM: Duration = Duration::days(365);

/// Whose entitlements a question is about; a list that is empty asks for nobody in particular.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) product_code: String,
    pub(crate) customers: Vec<String>,
    pub(crate) accounts: Vec<String>,
    pub(crate) licenses: Vec<String>,
}

/// One dimension of one purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entitled {
    pub(crate) product_code: String,
    pub(crate) dimension: String,
    pub(crate) quantity: u32,
    pub(crate) account: String,
    pub(crate) customer: Option<String>,
    pub(crate) license_arn: Option<String>,
    pub(crate) expires_at: OffsetDateTime,
}

impl Marketplace {
    /// What buyers are entitled to now, in the order of purchases and dimensions.
    pub(crate) fn entitled(&self, wanted: &Wanted) -> Vec<Entitled> {
        let now = self.clock().now();
        self.inner.books().entitled(wanted, now)
    }
}

impl Books {
    fn entitled(&self, wanted: &Wanted, now: OffsetDateTime) -> Vec<Entitled> {
        let named = || wanted.customers.iter().map(|id| format!("{}/customer/{id}", wanted.product_code));
        // A customer's purchase is found by its id; whoever asks for anybody else looks through all.
        let candidates: Vec<&Subscription> = if wanted.customers.is_empty() {
            self.all().collect()
        } else {
            named().filter_map(|id| self.by_id(&id)).collect()
        };
        let meant = candidates.into_iter().filter(|one| wanted.means(one));
        meant.flat_map(|one| one.entitled(now)).collect()
    }
}

impl Wanted {
    fn means(&self, subscription: &Subscription) -> bool {
        let license = match &subscription.holder {
            Holder::Customer => None,
            Holder::License(license) => Some(license.arn()),
        };
        let record = &subscription.record;
        record.product.code == self.product_code
            && (self.accounts.is_empty() || self.accounts.contains(&record.buyer.account))
            && (self.licenses.is_empty() || license.is_some_and(|arn| self.licenses.contains(&arn)))
    }
}

impl Subscription {
    /// Nothing from the moment on at which it ends: the last hour is for the last records.
    fn entitled(&self, now: OffsetDateTime) -> Vec<Entitled> {
        let Self { record, holder } = self;
        if record.product.pricing != Pricing::Contract || record.standing.at(now) != Standing::Subscribed {
            return Vec::new();
        }
        let license = match holder {
            Holder::Customer => None,
            Holder::License(license) => Some(license),
        };
        let expires_at = match (license, record.periods.last()) {
            (Some(license), _) => license.agreement.ends(),
            (None, Some(period)) => renewal_after(period.from, now),
            (None, None) => now + TERM,
        };
        let entitled = |(dimension, quantity): (&String, &u32)| Entitled {
            product_code: record.product.code.clone(),
            dimension: dimension.clone(),
            quantity: *quantity,
            account: record.buyer.account.clone(),
            customer: license.is_none().then(|| record.buyer.customer_id.clone()),
            license_arn: license.map(super::license::License::arn),
            expires_at,
        };
        record.entitlements.iter().map(entitled).collect()
    }
}

/// The end of the term that runs.
fn renewal_after(from: OffsetDateTime, now: OffsetDateTime) -> OffsetDateTime {
    let terms = (now - from).whole_days().div_euclid(TERM.whole_days()) + 1;
    from + TERM * i32::try_from(terms).unwrap_or(1)
}
