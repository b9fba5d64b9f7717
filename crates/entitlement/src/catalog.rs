use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use stallkeeper_ledger::{DimensionName, ProductKey};
use stallkeeper_lifecycle::{MarketplaceName, ProductCode, Terms};

/// What is sold, as the configuration says.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    products: Vec<CatalogProduct>,
    by_key: HashMap<String, ProductNumber>,
}

/// A product's place in the catalog.
pub(crate) type ProductNumber = u32;

/// Something that the seller sells.
#[derive(Clone, Debug)]
pub struct CatalogProduct {
    /// The seller's own key.
    pub key: ProductKey,
    /// Where it is listed, in the order of the configuration.
    pub listings: Vec<CatalogListing>,
}

/// A product on one marketplace.
#[derive(Clone, Debug)]
pub struct CatalogListing {
    /// The marketplace.
    pub marketplace: MarketplaceName,
    /// The marketplace's code of it.
    pub code: ProductCode,
    /// How its subscriptions are read.
    pub terms: Terms,
    /// Where a buyer subscribes.
    pub subscribe_url: Option<Arc<str>>,
    /// The seller's names of dimensions, by what the marketplace calls them.
    pub dimensions: BTreeMap<String, DimensionName>,
}

impl Catalog {
    /// A catalog of these products; of two with the same key the first counts.
    pub fn new(products: Vec<CatalogProduct>) -> Self {
        let mut by_key = HashMap::new();
        for (number, product) in (0..).zip(&products) {
            by_key.entry(product.key.to_string()).or_insert(number);
        }
        Self { products, by_key }
    }

    /// All products, in the order of the configuration.
    pub fn products(&self) -> &[CatalogProduct] {
        &self.products
    }

    pub(crate) fn number(&self, key: &str) -> Option<ProductNumber> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn product(&self, number: ProductNumber) -> Option<&CatalogProduct> {
        self.products.get(usize::try_from(number).ok()?)
    }

    /// Where the product is bought: on one of these marketplaces where it is listed there, else wherever it is.
    pub(crate) fn subscribe_url(
        &self,
        product: ProductNumber,
        preferred: impl Fn(&MarketplaceName) -> bool,
    ) -> Option<Arc<str>> {
        let listings = &self.product(product)?.listings;
        let with_url = || listings.iter().filter(|listing| listing.subscribe_url.is_some());
        let found = with_url().find(|listing| preferred(&listing.marketplace)).or_else(|| with_url().next());
        found.and_then(|listing| listing.subscribe_url.clone())
    }
}
