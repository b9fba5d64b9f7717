//! The configuration: one TOML file and the environment, typed and checked as a whole before anything starts.
//!
//! Every key can be set as a variable too, which goes before the file: `STALLKEEPER_` and the key's path in
//! upper case, an underscore between its parts, entries of lists by their number from 0
//! (`queue.permits` is `STALLKEEPER_QUEUE_PERMITS`, the first marketplace's queue is
//! `STALLKEEPER_MARKETPLACE_0_QUEUE_URL`).
//! Several texts stand with commas between them, names and texts as `name=text`.
//! An empty variable counts as not set; an unknown one is refused, but for `STALLKEEPER_CONFIG`,
//! `STALLKEEPER_TEST_…`, and what Kubernetes sets beside a Service named `stallkeeper`: `STALLKEEPER_PORT`,
//! `STALLKEEPER_PORT_…` and `STALLKEEPER_SERVICE_…`.

mod catalog;
mod console;
mod contradictions;
mod database;
mod error;
mod lanes;
mod listen;
mod logging;
mod marketplace;
mod metering;
mod product;
mod queue;
mod registration;
mod section;
mod signature;
mod source;
mod token;
mod webhook;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use stallkeeper_aws::CredentialsSource;
use stallkeeper_ledger::{MeterTerms, ProductKey, SourceName};
use stallkeeper_lifecycle::{MarketplaceName, ProductCode, SubscriptionKey, Terms};
use stallkeeper_persistence::TermsOf;
use stallkeeper_persistence::usage::MeterTermsOf;
use stallkeeper_web::ApiToken;
use stallkeeper_web::console::OperatorToken;
use stallkeeper_webhook::Endpoint;
use url::Url;

pub use self::console::ConsoleConfig;
pub use self::database::DatabaseKind;
pub use self::error::ConfigError;
pub use self::lanes::LaneConfig;
pub use self::logging::{LogConfig, LogFormat};
pub use self::marketplace::{Endpoints, EventBridge, FeedProblem, Identity, Kind, Marketplace};
pub use self::metering::Metering;
pub use self::product::{Dimension, Listing, Product};
pub use self::queue::QueueConfig;
pub use self::registration::RegistrationConfig;
pub use self::signature::{SignatureConfig, TrustFileError};
pub use self::webhook::{SNS_ENDPOINT, SnsEvents};

use self::metering::Meters;
use self::section::Section;
use self::source::Source;

/// The reference document: every key with its default and what it means.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// How long notifications have to be remembered at least, in days: longer than SQS keeps a message (14).
const INBOX_RETENTION_DAYS_MIN: u64 = 15;

/// How long usage has to be kept at least, in days: 13 months, so that a yearly bill can be proved.
const USAGE_RETENTION_DAYS_MIN: u64 = 396;

/// It is looked for changes each second, and a look takes its time.
const ENTITLEMENTS_MAX_AGE_SECS_MIN: u64 = 3;

/// All that a seller can say about how Stallkeeper shall work.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database.
    pub database_url: Option<SecretString>,
    /// Where buyers' pages are served.
    pub public_listen: Option<SocketAddr>,
    /// Where health, metrics and the app's API are served.
    pub internal_listen: SocketAddr,
    /// Under what address buyers reach `public_listen`.
    pub public_url: Option<Url>,
    /// How long a worker that is told to stop may finish what runs.
    pub shutdown_grace: Duration,
    /// How long notifications are remembered, so that none is taken in twice.
    pub inbox_retention: Duration,
    /// How long usage is kept, with what was sent of it.
    pub usage_retention: Duration,
    /// How old what is known may be when the app is told who may use what.
    pub entitlements_max_age: Duration,
    /// A simulator that stands in for AWS and for the machine's clock; never in production.
    pub simulator_url: Option<Url>,
    /// Logs.
    pub log: LogConfig,
    /// What is done about signatures.
    pub signature: SignatureConfig,
    /// How queues are worked.
    pub queue: QueueConfig,
    /// The marketplaces on which the seller sells.
    pub marketplaces: Vec<Marketplace>,
    /// What he sells.
    pub products: Vec<Product>,
    /// Who may call the API; nobody where there is none.
    pub api_tokens: Vec<ApiToken>,
    /// Who may sign in to the console; nobody where there is none.
    pub operators: Vec<OperatorToken>,
    /// How operators reach the console.
    pub console: ConsoleConfig,
    /// How buyers become tenants.
    pub registration: RegistrationConfig,
    /// Where the app is told of changes.
    pub webhooks: Vec<Endpoint>,
    /// The topic to which the same is published.
    pub sns_events: Option<SnsEvents>,
    /// How long attempts to deliver are kept.
    pub delivery_retention: Duration,
    /// What the above comes to for each metered listing.
    meters: Meters,
}

impl Config {
    /// Reads the file, where there is one, and this process's environment.
    ///
    /// # Errors
    /// A file that cannot be read, or all that is wrong with what it says.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let environment = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
        let Some(path) = file else { return Self::parse(None, environment) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(Some((&path.display().to_string(), &text)), environment)
    }

    /// Reads a file's name and text, and an environment.
    ///
    /// # Errors
    /// [`ConfigError::Refused`] with all that is wrong.
    pub fn parse(
        file: Option<(&str, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let source = Source::new(file, environment);
        if source.is_broken() {
            return Err(ConfigError::Refused { problems: source.give_up() });
        }
        let config = read(&source);
        match (config, source.finish()) {
            (Some(config), problems) if problems.is_empty() => Ok(config),
            (_, problems) => Err(ConfigError::Refused { problems }),
        }
    }

    /// The marketplace of that name.
    pub fn marketplace(&self, name: &MarketplaceName) -> Option<&Marketplace> {
        self.marketplaces.iter().find(|marketplace| marketplace.name == *name)
    }

    /// The product with that key.
    pub fn product(&self, key: &ProductKey) -> Option<&Product> {
        self.products.iter().find(|product| product.key == *key)
    }

    /// The listings on one marketplace, each with its product.
    pub fn listings<'a>(
        &'a self,
        marketplace: &'a MarketplaceName,
    ) -> impl Iterator<Item = (&'a Product, &'a Listing)> {
        let listings = |product: &'a Product| product.listings.iter().map(move |listing| (product, listing));
        self.products.iter().flat_map(listings).filter(|(_, listing)| listing.marketplace == *marketplace)
    }

    /// The listing with that code.
    pub fn listing<'a>(
        &'a self,
        marketplace: &'a MarketplaceName,
        code: &ProductCode,
    ) -> Option<(&'a Product, &'a Listing)> {
        self.listings(marketplace).find(|(_, listing)| listing.code == *code)
    }
}

impl TermsOf for Config {
    /// The terms of the subscription's listing; the defaults where there is none, as for an agreement's row.
    fn terms(&self, key: &SubscriptionKey) -> Terms {
        self.listing(&key.marketplace, &key.product).map(|(_, listing)| listing.terms()).unwrap_or_default()
    }
}

impl MeterTermsOf for Config {
    fn is_published(&self) -> bool {
        !self.webhooks.is_empty() || self.sns_events.is_some()
    }

    fn meter_terms(&self, key: &SubscriptionKey) -> Option<Arc<MeterTerms>> {
        self.meters.terms(&key.marketplace, &key.product).cloned()
    }

    fn listings_of(&self, product: &ProductKey) -> Vec<(MarketplaceName, ProductCode)> {
        let listings = self.product(product).into_iter().flat_map(|product| &product.listings);
        listings
            .filter(|listing| self.meters.terms(&listing.marketplace, &listing.code).is_some())
            .map(|listing| (listing.marketplace.clone(), listing.code.clone()))
            .collect()
    }

    fn sources_of(&self, product: &ProductKey) -> BTreeSet<SourceName> {
        self.product(product).map(|product| product.usage_sources.clone()).unwrap_or_default()
    }

    fn metered_products(&self) -> Vec<ProductKey> {
        let keys = self.products.iter().map(|product| &product.key);
        keys.filter(|key| !self.listings_of(key).is_empty()).cloned().collect()
    }
}

/// The whole document; `None` where a part of it was refused.
fn read(source: &Source) -> Option<Config> {
    let (config, complete) = section::read_root(source, |root| {
        let marketplaces = root.list("marketplace", marketplace::read);
        let products = root.list("product", product::read);
        let tokens = root.list("api_token", token::read);
        let operators = root.list("operator", console::operator);
        let webhooks = root.list("webhook", webhook::endpoint);
        let complete = marketplaces.iter().all(Option::is_some)
            && products.iter().all(Option::is_some)
            && tokens.iter().all(Option::is_some)
            && operators.iter().all(Option::is_some)
            && webhooks.iter().all(Option::is_some);
        let config = Config {
            marketplaces: marketplaces.into_iter().flatten().collect(),
            products: products.into_iter().flatten().collect(),
            api_tokens: tokens.into_iter().flatten().collect(),
            operators: operators.into_iter().flatten().collect(),
            webhooks: webhooks.into_iter().flatten().collect(),
            ..top(root)
        };
        (config, complete)
    });
    if !complete {
        return None;
    }
    contradictions::check(&config, source);
    let config = simulated(config);
    Some(Config { meters: Meters::of(&config), ..config })
}

/// Where a simulator is named, it stands in for all of AWS.
fn simulated(mut config: Config) -> Config {
    let Some(url) = config.simulator_url.clone() else { return config };
    for marketplace in &mut config.marketplaces {
        let here = Some(url.to_string());
        marketplace.endpoints =
            Endpoints { sqs: here.clone(), sns: here.clone(), metering: here.clone(), entitlement: here };
        marketplace.credentials = CredentialsSource::Simulated;
    }
    config.signature.certificate_base_url.get_or_insert(url);
    config
}

fn top(root: &Section<'_>) -> Config {
    let inbox_days = root.number("inbox_retention_days", 16, &(INBOX_RETENTION_DAYS_MIN..=365));
    let has_topic = root.has("sns_events");
    let delivery_days = root.number("delivery_retention_days", 30, &(1..=400));
    let usage_days = root.number("usage_retention_days", 400, &(USAGE_RETENTION_DAYS_MIN..=3_650));
    Config {
        database_url: database::read(root),
        public_listen: listen::public(root),
        internal_listen: listen::internal(root),
        public_url: registration::web(root, "public_url"),
        shutdown_grace: Duration::from_secs(root.number("shutdown_grace_secs", 25, &(1..=3_600))),
        inbox_retention: Duration::from_hours(24 * inbox_days),
        usage_retention: Duration::from_hours(24 * usage_days),
        entitlements_max_age: Duration::from_secs(root.number(
            "entitlements_max_age_secs",
            60,
            &(ENTITLEMENTS_MAX_AGE_SECS_MIN..=86_400),
        )),
        simulator_url: root.text("simulator_url"),
        log: root.section("log", logging::read),
        signature: root.section("signature", signature::read),
        queue: root.section("queue", queue::read),
        marketplaces: Vec::new(),
        products: Vec::new(),
        api_tokens: Vec::new(),
        operators: Vec::new(),
        console: root.section("console", console::read),
        registration: root.section("registration", registration::read),
        webhooks: Vec::new(),
        sns_events: root.section("sns_events", |section| webhook::topic(section, has_topic)),
        delivery_retention: Duration::from_hours(24 * delivery_days),
        meters: Meters::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file in which every section exists, so that every key is asked for.
    const ALL_SECTIONS: &str = "[[marketplace]]\n[marketplace.eventbridge]\n[[product]]\n[[product.listing]]\n[[product.dimension]]\n[[api_token]]\n[[operator]]\n[[webhook]]\n[sns_events]\n[console.jwt]\n";

    #[test]
    fn the_reference_document_parses_as_the_defaults() {
        let config = Config::parse(Some(("default.toml", DEFAULT_TOML)), []).unwrap();
        let defaults = Config::parse(None, []).unwrap();
        assert_eq!(format!("{config:?}"), format!("{defaults:?}"));
    }

    #[test]
    fn the_reference_document_parses_with_all_its_examples_in_force() {
        let config = Config::parse(Some(("default.toml", &examples())), []).unwrap();
        assert!(!config.marketplaces.is_empty() && !config.products.is_empty());
    }

    #[test]
    fn the_reference_document_names_every_key() {
        let source = Source::new(Some(("all", ALL_SECTIONS)), []);
        let _refused = read(&source);
        let asked = source.shapes();
        // `##` marks an example that another one excludes.
        let text = examples().replace("\n##", "\n");
        let document = Source::new(Some(("default.toml", &text)), []);
        for shape in asked.keys() {
            assert!(document.names(shape), "default.toml does not name {shape}");
        }
    }

    #[test]
    fn no_two_keys_share_a_variable() {
        let source = Source::new(Some(("all", ALL_SECTIONS)), []);
        let _refused = read(&source);
        let shapes = source.shapes();
        let mut variables: Vec<&String> = shapes.values().collect();
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), shapes.len());
        assert!(shapes.len() > 40, "only {} keys were asked for", shapes.len());
    }

    /// The document with its examples in force: the lines that begin with `#` and no blank.
    fn examples() -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(example) if !example.is_empty() && !example.starts_with([' ', '#']) => example.to_owned(),
            _ => line.to_owned(),
        };
        DEFAULT_TOML.lines().map(line).collect::<Vec<_>>().join("\n")
    }
}
