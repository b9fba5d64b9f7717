use std::sync::Arc;

use crate::Period;

/// Whom a record is about, as the call names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeteredHolder {
    /// A customer of a product, by the identifier that notifications of topics carry.
    Customer {
        /// The product's code.
        product_code: String,
        /// The identifier.
        customer_identifier: String,
    },
    /// A customer of a product, by AWS account.
    CustomerAccount {
        /// The product's code.
        product_code: String,
        /// Twelve digits.
        account: String,
    },
    /// A license.
    License {
        /// The license's ARN.
        license_arn: String,
        /// The AWS account that holds it, twelve digits.
        account: String,
    },
}

/// What the books of subscriptions know of whom a record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The subscription's id: the same however a call names its holder, and another for every license.
    pub subscription: Arc<str>,
    /// The product's code.
    pub product_code: String,
    /// The AWS account, twelve digits.
    pub account: String,
    /// When usage could be billed, oldest first.
    pub periods: Vec<Period>,
    /// Whether the AWS account is suspended.
    pub is_suspended: bool,
}
