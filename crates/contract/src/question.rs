use stallkeeper_lifecycle::{CustomerId, Holder, LicenseArn, ProductCode, fold};
use stallkeeper_persistence::SubscriptionRecord;

/// What a marketplace is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Of which listing.
    pub product: ProductCode,
    /// Whose entitlements.
    pub whose: Whose,
}

/// Whose entitlements are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of a buyer of a listing from before concurrent agreements.
    Customer(CustomerId),
    /// Those of one license.
    License(LicenseArn),
}

/// No event has told a license's ARN yet, which calls take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no event has told the license's ARN")]
pub(crate) struct NoLicenseArn;

impl Question {
    /// What to ask about a subscription; none where its marketplace has no such question.
    pub(crate) fn about(record: &SubscriptionRecord) -> Result<Option<Self>, NoLicenseArn> {
        let whose = match &record.key.holder {
            Holder::Customer(customer) => Whose::Customer(customer.clone()),
            Holder::License(_) => {
                let licensee = fold(&record.subscription.log).0.licensee.ok_or(NoLicenseArn)?;
                Whose::License(licensee.license_arn)
            }
            Holder::Agreement(_) | Holder::Instance(_) | Holder::LicenseCode(_) => return Ok(None),
        };
        Ok(Some(Self { product: record.key.product.clone(), whose }))
    }
}
