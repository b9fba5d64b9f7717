//! The simulator's products, whose usage is reported.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{App, Database, Installation, Market, eventually};

const PATIENCE: Duration = Duration::from_secs(40);
/// In the middle of a month, ten minutes into an hour.
const OPENED_AT: &str = "2027-03-04T10:10:00Z";
/// What the configuration that the simulator writes calls the marketplace.
const MARKETPLACE: &str = "aws";

/// The simulator with its products `search` (by customer) and `vault` (by license), each with the dimensions
/// `hits` (whole) and `gigabytes` (with two decimal places), and a worker's configuration for it.
#[derive(Debug)]
pub struct MeteredStall {
    /// The marketplace.
    pub market: Market,
}

/// A buyer with one subscription, who is bound to the tenant of the same name.
#[derive(Clone, Debug)]
pub struct Buyer {
    /// Their name at the marketplace, and the tenant's.
    pub name: String,
    /// The product's key, `search` or `vault`.
    pub product: String,
    /// The subscription's id in the marketplace's books.
    pub id: String,
    /// Their subscription's key at the worker.
    pub key: String,
}

impl MeteredStall {
    /// The token of the app, which may report and read.
    pub const TOKEN: &str = "the-token-of-the-app-0001";
    /// The token of a system that may only read.
    pub const READER: &str = "the-token-of-a-reader-0002";

    /// How long after its end an hour waits for usage.
    pub const SETTLE_DELAY: Duration = Duration::from_mins(2);

    /// Opens it, ten minutes into an hour.
    pub async fn open(seed: u64) -> Self {
        let market = Market::start(seed);
        market.set_clock(OPENED_AT).await;
        Self { market }
    }

    /// Workers and commands of it, on a migrated database.
    pub fn installation(&self, database: &Database) -> Installation {
        let installation = self.unconfigured(database).variable("STALLKEEPER_API_TOKEN_0_NAME", "app");
        let installation = installation
            .variable("STALLKEEPER_API_TOKEN_0_TOKEN", Self::TOKEN)
            .variable("STALLKEEPER_API_TOKEN_0_SCOPES", "usage:write,usage:read")
            .variable("STALLKEEPER_API_TOKEN_1_NAME", "reader")
            .variable("STALLKEEPER_API_TOKEN_1_TOKEN", Self::READER)
            .variable("STALLKEEPER_API_TOKEN_1_SCOPES", "usage:read");
        installation.run(&["migrate"]).expect_success();
        installation
    }

    /// The same without any token, and without a schema.
    pub fn unconfigured(&self, database: &Database) -> Installation {
        let mut installation = Installation::new(&self.market.config(), &database.url());
        let settle_secs = Self::SETTLE_DELAY.as_secs().to_string();
        installation = installation.variable("STALLKEEPER_MARKETPLACE_0_SETTLE_DELAY_SECS", &settle_secs);
        for product in ["PRODUCT_0", "PRODUCT_1"] {
            let keys = [
                ("USAGE_SOURCES", "api"),
                ("DIMENSION_0_NAME", "hits"),
                ("DIMENSION_1_NAME", "gigabytes"),
                ("DIMENSION_1_SCALE", "2"),
            ];
            for (key, value) in keys {
                installation = installation.variable(&format!("STALLKEEPER_{product}_{key}"), value);
            }
        }
        installation
    }

    /// Lets somebody subscribe, and binds them once a running worker knows of it.
    pub async fn admit(
        &self,
        installation: &Installation,
        database: &Database,
        name: &str,
        product: &str,
    ) -> Buyer {
        let id = self.market.act("subscribe", name, product).await;
        let key = format!("{MARKETPLACE}/{id}");
        let row = format!("meters WHERE subscription = '{key}'");
        eventually(&format!("{key} is metered"), PATIENCE, async || database.count(&row).await == 1).await;
        installation.run(&["subscriptions", "rebind", &key, "--tenant", name]).expect_success();
        Buyer { name: name.to_owned(), product: product.to_owned(), id, key }
    }

    /// The app.
    pub fn app(&self) -> App {
        App::new(Some(Self::TOKEN))
    }
}

impl Buyer {
    /// A usage event of this buyer's, at a moment in RFC 3339.
    pub fn event(&self, id: &str, dimension: &str, quantity: &str, at: &str) -> Value {
        json!({
            "id": id, "tenant": self.name, "product": self.product, "dimension": dimension,
            "quantity": quantity, "occurred_at": at,
        })
    }

    /// Where the worker tells of this buyer's usage.
    pub fn usage_path(&self) -> String {
        format!("/v1/subscriptions/{}/usage", self.key)
    }
}
