use stallkeeper_registration::{Entrance, Identity, Listing, Resolver, Way};
use stallkeeper_web::Seller;
use url::Url;

use std::sync::Arc;

use super::section::Section;
use super::{Config, Identity as ByWhat, Kind, Marketplace};

/// The longest text for people, in bytes.
const TEXT_BYTES_MAX: usize = 200;

/// How buyers become tenants, and what they are shown of the seller.
#[derive(Clone, Debug)]
pub struct RegistrationConfig {
    /// Here, or at the seller's own sign-up.
    pub way: Way,
    /// What buyers are shown.
    pub seller: Seller,
}

impl Default for RegistrationConfig {
    fn default() -> Self {
        Self { way: Way::Hosted, seller: Seller::default() }
    }
}

impl RegistrationConfig {
    /// The way in from a marketplace; none from one whose buyers come otherwise.
    pub fn entrance(
        config: &Config,
        marketplace: &Marketplace,
        resolver: Arc<dyn Resolver>,
    ) -> Option<Entrance> {
        let name = match marketplace.kind {
            Kind::Aws => "AWS Marketplace",
            Kind::AwsChina => "AWS Marketplace China",
            Kind::Alibaba | Kind::AlibabaInternational => return None,
        };
        let identity = match marketplace.identity {
            ByWhat::Customer => Identity::Customer,
            ByWhat::License => Identity::License,
        };
        let listings = config.listings(&marketplace.name).map(|(product, listing)| Listing {
            code: listing.code.clone(),
            key: product.key.to_string(),
            name: product.name.clone(),
            url: listing.listing_url.clone(),
        });
        Some(Entrance {
            marketplace: marketplace.name.clone(),
            name: name.to_owned(),
            identity,
            listings: listings.collect(),
            resolver,
        })
    }
}

pub(super) fn read(section: &Section<'_>) -> RegistrationConfig {
    let seller = Seller {
        name: text(section, "seller_name"),
        support: text(section, "support"),
        app_url: web(section, "app_url"),
        ready_within: text(section, "ready_within"),
    };
    let way = web(section, "hand_off_url").map_or(Way::Hosted, Way::HandOff);
    RegistrationConfig { way, seller }
}

fn text(section: &Section<'_>, key: &'static str) -> Option<String> {
    section.string(key).filter(|text| {
        let fits =
            !text.trim().is_empty() && text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control);
        if !fits {
            section.refuse(key, &format!("expected 1 to {TEXT_BYTES_MAX} bytes in one line"));
        }
        fits
    })
}

/// An address that a browser can be sent to.
pub(super) fn web(section: &Section<'_>, key: &'static str) -> Option<Url> {
    section.text::<Url>(key).filter(|url| {
        let fits = matches!(url.scheme(), "http" | "https") && url.host().is_some();
        if !fits {
            section.refuse(key, "expected an address that begins with https:// or http://");
        }
        fits
    })
}
