use crate::marketplace::ids::Ids;

/// Somebody who buys: one AWS account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Buyer {
    /// The name that acts call it by.
    pub(crate) name: String,
    /// The AWS account, twelve digits.
    pub(crate) account: String,
    /// What notifications of topics call it.
    pub(crate) customer_id: String,
}

impl Buyer {
    pub(crate) fn new(name: &str, ids: &mut Ids) -> Self {
        Self { name: name.to_owned(), account: ids.account(), customer_id: ids.customer() }
    }
}
