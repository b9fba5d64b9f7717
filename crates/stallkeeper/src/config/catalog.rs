use stallkeeper_entitlement::{Catalog, CatalogListing, CatalogProduct};

use super::{Config, Listing, Product};

impl Config {
    /// What is sold, for answering who may use what.
    pub fn catalog(&self) -> Catalog {
        Catalog::new(self.products.iter().map(product).collect())
    }
}

fn product(product: &Product) -> CatalogProduct {
    let listings = product.listings.iter().map(|listing| self::listing(product, listing)).collect();
    CatalogProduct { key: product.key.clone(), listings }
}

fn listing(product: &Product, listing: &Listing) -> CatalogListing {
    let dimensions = product.dimensions.iter();
    CatalogListing {
        marketplace: listing.marketplace.clone(),
        code: listing.code.clone(),
        terms: listing.terms(),
        subscribe_url: listing.listing_url.as_ref().map(|url| url.as_str().into()),
        dimensions: dimensions
            .map(|dimension| (dimension.api_name(&listing.marketplace).to_string(), dimension.name.clone()))
            .collect(),
    }
}
