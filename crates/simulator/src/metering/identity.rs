//! Whom the records of a call are about.

use crate::metering::call::{MeteringCall, MeteringRecord};
use crate::metering::holder::MeteredHolder;
use crate::metering::refusal::MeteringRefusal;
use crate::{Feed, Product};

/// A call's way of naming holders, and the product where it names that.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scheme<'a> {
    Customers(&'a Product),
    Licenses,
}

impl<'a> Scheme<'a> {
    pub(crate) fn of(
        call: &MeteringCall,
        product: impl Fn(&str) -> Option<&'a Product>,
    ) -> Result<Self, MeteringRefusal> {
        let names_license = call.records.iter().any(|record| given(record.license_arn.as_ref()).is_some());
        match (given(call.product_code.as_ref()), names_license) {
            (Some(_), true) => Err(MeteringRefusal::ProductCode(
                "a call whose records name licenses has no ProductCode: the license says the product",
            )),
            (Some(code), false) => product(code)
                .map(Self::Customers)
                .ok_or(MeteringRefusal::ProductCode("there is no product with this ProductCode")),
            (None, false) if !call.records.is_empty() => Err(MeteringRefusal::ProductCode(
                "a call whose records name customers has a ProductCode; one without it has a LicenseArn in \
                 every record",
            )),
            (None, _) => Ok(Self::Licenses),
        }
    }

    pub(crate) fn holder(
        self,
        position: usize,
        record: &MeteringRecord,
    ) -> Result<MeteredHolder, MeteringRefusal> {
        match self {
            Self::Customers(product) => customer(position, record, product),
            Self::Licenses => license(position, record),
        }
    }
}

fn customer(
    position: usize,
    record: &MeteringRecord,
    product: &Product,
) -> Result<MeteredHolder, MeteringRefusal> {
    let identifier = given(record.customer_identifier.as_ref());
    let account = given(record.customer_aws_account_id.as_ref());
    let refused = |words| MeteringRefusal::Customer { record: position, words };
    let product_code = product.code.clone();
    match (product.feed, identifier, account) {
        (Feed::EventBridge, Some(_), _) => {
            Err(refused("this product does not take CustomerIdentifier; name the license and the account"))
        }
        (Feed::EventBridge, None, _) => Err(MeteringRefusal::License {
            record: position,
            words: "this product takes a LicenseArn in every record, and no ProductCode",
        }),
        (Feed::Sns, Some(_), Some(_)) => {
            Err(refused("give CustomerIdentifier or CustomerAWSAccountId, not both"))
        }
        (Feed::Sns, Some(identifier), None) => {
            Ok(MeteredHolder::Customer { product_code, customer_identifier: identifier.to_owned() })
        }
        (Feed::Sns, None, Some(account)) => {
            Ok(MeteredHolder::CustomerAccount { product_code, account: account.to_owned() })
        }
        (Feed::Sns, None, None) => Err(refused("give CustomerIdentifier or CustomerAWSAccountId")),
    }
}

fn license(position: usize, record: &MeteringRecord) -> Result<MeteredHolder, MeteringRefusal> {
    if given(record.customer_identifier.as_ref()).is_some() {
        let words = "a record with a LicenseArn has no CustomerIdentifier";
        return Err(MeteringRefusal::Customer { record: position, words });
    }
    let refused = |words| MeteringRefusal::License { record: position, words };
    let license_arn = given(record.license_arn.as_ref())
        .ok_or_else(|| refused("give a LicenseArn in every record, or in none"))?;
    let account = given(record.customer_aws_account_id.as_ref())
        .ok_or_else(|| refused("a record with a LicenseArn has a CustomerAWSAccountId"))?;
    Ok(MeteredHolder::License { license_arn: license_arn.to_owned(), account: account.to_owned() })
}

/// What is given; the empty text is not.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}
