use std::fmt;
use std::sync::Arc;

use stallkeeper_lifecycle::{Holder, IdError, LicenseArn, MarketplaceName, ProductCode, SubscriptionKey};
use stallkeeper_notification::{Refusal, license_arn, license_id};
use url::Url;

use crate::{Buyer, Resolver};

/// By what a marketplace's buyers are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// By customer; by license where the marketplace names no customer, as of listings with concurrent agreements.
    Customer,
    /// By license: one buyer may have several of one product.
    License,
}

/// A product as buyers are shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The marketplace's code of it.
    pub code: ProductCode,
    /// The seller's own key of it.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Where it can be subscribed to.
    pub url: Option<Url>,
}

/// One marketplace's way in.
#[derive(Clone)]
pub struct Entrance {
    /// The marketplace.
    pub marketplace: MarketplaceName,
    /// What it is called, for people.
    pub name: String,
    /// By what its buyers are told apart.
    pub identity: Identity,
    /// What the seller sells there.
    pub listings: Vec<Listing>,
    /// Who asks it about tokens.
    pub resolver: Arc<dyn Resolver>,
}

/// A buyer's word leads to no subscription of this seller.
#[derive(Debug, thiserror::Error)]
pub enum Foreign {
    /// The token is another product's.
    #[error("the marketplace says that the token is for the product code {0}, which no listing has")]
    Product(ProductCode),
    /// The listing's buyers are told apart by what this answer does not have.
    #[error(
        "the marketplace names no {missing} for the product code {product}; correct the marketplace's `identity`"
    )]
    Unnamed {
        /// The product code.
        product: ProductCode,
        /// What is missing.
        missing: &'static str,
    },
    /// The license's ARN has none of the known spellings.
    #[error(transparent)]
    License(#[from] Refusal),
    /// The license's ARN is no id.
    #[error(transparent)]
    Id(#[from] IdError),
}

impl Entrance {
    /// The listing with that code.
    pub fn listing(&self, code: &ProductCode) -> Option<&Listing> {
        self.listings.iter().find(|listing| listing.code == *code)
    }

    /// What a buyer may register for, with his license as calls take it.
    ///
    /// # Errors
    /// [`Foreign`]
    pub fn subscription_of(&self, buyer: &Buyer) -> Result<(SubscriptionKey, Option<LicenseArn>), Foreign> {
        let product = buyer.product.clone();
        if self.listing(&product).is_none() {
            return Err(Foreign::Product(product));
        }
        let license = buyer.license_arn.as_deref().map(license_arn).transpose()?;
        let unnamed = |missing| Foreign::Unnamed { product: product.clone(), missing };
        let holder = match (self.identity, &buyer.customer, &license) {
            (Identity::Customer, Some(customer), _) => Holder::Customer(customer.clone()),
            (_, _, Some(arn)) => Holder::License(license_id(arn.as_str())?),
            (Identity::Customer, None, None) => return Err(unnamed("CustomerIdentifier")),
            (Identity::License, _, None) => return Err(unnamed("LicenseArn")),
        };
        Ok((SubscriptionKey { marketplace: self.marketplace.clone(), product, holder }, license))
    }
}

impl fmt::Debug for Entrance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { marketplace, name: _, identity, listings, resolver: _ } = self;
        formatter
            .debug_struct("Entrance")
            .field("marketplace", marketplace)
            .field("identity", identity)
            .field("listings", listings)
            .finish_non_exhaustive()
    }
}
