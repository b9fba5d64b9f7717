//! What keys say together: each is well formed, and still it cannot be meant.

use std::collections::BTreeMap;
use std::fmt::Display;

use stallkeeper_aws::{CredentialsSource, Partition, QueueUrl};
use stallkeeper_ledger::ApiDimension;
use stallkeeper_lifecycle::ProductCode;
use stallkeeper_notification::FeedError;
use stallkeeper_web::console::OperatorToken;
use url::Url;

use super::marketplace::{FeedProblem, topic};
use super::source::{KeyPath, Source};
use super::{ApiToken, Config, Dimension, Endpoints, Marketplace, Product};

/// Reports every contradiction of a configuration that is well formed.
pub(super) fn check(config: &Config, source: &Source) {
    let root = KeyPath::default();
    if config.public_listen == Some(config.internal_listen) {
        source.refuse(&root.key("public_listen"), "the same as internal_listen, which buyers must not reach");
    }
    if config.public_listen.is_some() && config.public_url.is_none() {
        let words = "goes with public_url, which says under what address buyers reach it";
        source.refuse(&root.key("public_listen"), words);
    }
    if config.public_url.as_ref().is_some_and(|url| url.path() != "/" || url.query().is_some()) {
        source.refuse(
            &root.key("public_url"),
            "expected an address without a path, such as https://stall.example.com",
        );
    }
    let names = config.marketplaces.iter().map(|marketplace| Some(&marketplace.name));
    unique(source, &root.key("marketplace"), "name", names);
    let queues = config.marketplaces.iter().map(|marketplace| marketplace.queue_url.as_ref().map(place));
    unique(source, &root.key("marketplace"), "queue_url", queues);
    for (index, marketplace) in config.marketplaces.iter().enumerate() {
        check_marketplace(config, marketplace, source, &root.key("marketplace").index(index));
    }
    check_products(config, source, &root.key("product"));
    check_tokens(config, source, &root.key("api_token"));
    check_operators(config, source, &root.key("operator"));
    let endpoints = config.webhooks.iter().map(|endpoint| Some(endpoint.name()));
    unique(source, &root.key("webhook"), "name", endpoints);
}

/// Where a queue lies, however its URL is spelled: the host in lower case, its port unless that is the usual one,
/// the account and the name.
fn place(queue: &QueueUrl) -> String {
    let Ok(url) = Url::parse(queue.as_str()) else { return queue.to_string() };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path())
}

/// Refuses the second of two entries of a list that say the same.
fn unique<T: Ord + Display>(
    source: &Source,
    list: &KeyPath,
    key: &str,
    values: impl Iterator<Item = Option<T>>,
) {
    let mut first = BTreeMap::new();
    for (index, value) in values.enumerate() {
        let Some(value) = value else { continue };
        match first.get(&value) {
            Some(first) => {
                let words = format!("`{value}` is taken by {}", list.index(*first).key(key));
                source.refuse(&list.index(index).key(key), &words);
            }
            None => {
                first.insert(value, index);
            }
        }
    }
}

/// A clock that anybody may move must never meet a real queue.
fn check_simulated(config: &Config, marketplace: &Marketplace, source: &Source, path: &KeyPath) {
    if config.simulator_url.is_none() {
        return;
    }
    let real = [
        ("endpoint_url", marketplace.endpoints != Endpoints::default()),
        ("profile", matches!(marketplace.credentials, CredentialsSource::Profile(_))),
        ("role_arn", matches!(marketplace.credentials, CredentialsSource::Role { .. })),
    ];
    for (key, _) in real.into_iter().filter(|(_, is_set)| *is_set) {
        source.refuse(
            &path.key(key),
            "goes without simulator_url, which stands in for all of AWS; remove one of them",
        );
    }
}

fn check_marketplace(config: &Config, marketplace: &Marketplace, source: &Source, path: &KeyPath) {
    check_simulated(config, marketplace, source, path);
    let Some(partition) = marketplace.kind.partition() else { return };
    check_partition(marketplace, partition, source, path);
    let listed: Vec<&ProductCode> =
        config.listings(&marketplace.name).map(|(_, listing)| &listing.code).collect();
    let mut all_known = true;
    for (index, arn) in marketplace.topic_arns.iter().enumerate() {
        let words = match topic(arn, &listed) {
            Err(error) => error.to_string(),
            Ok(topic) if !listed.contains(&topic.product()) => format!(
                "is about the product code {}, which no listing of the marketplace `{}` has; add a [[product.listing]]",
                topic.product(),
                marketplace.name
            ),
            Ok(_) if arn.partition() != partition => foreign(marketplace, arn.partition()),
            Ok(_) => continue,
        };
        all_known = false;
        source.refuse(&path.key("topic_arns").index(index), &words);
    }
    if !all_known {
        return;
    }
    if let Err(FeedProblem::Feed(error)) = marketplace.feed(config) {
        let at = match &error {
            FeedError::RawTopics { .. } | FeedError::RawEnforced => path.key("raw_delivery"),
            FeedError::Account { .. } => path.key("eventbridge").key("account"),
            FeedError::Nothing | FeedError::ForeignPartition { .. } | FeedError::TwoProducts { .. } => {
                path.key("topic_arns")
            }
        };
        source.refuse(&at, &error.to_string());
    }
}

fn check_partition(marketplace: &Marketplace, partition: Partition, source: &Source, path: &KeyPath) {
    let queue = marketplace.queue_url.as_ref().and_then(QueueUrl::region).map(Partition::of_region);
    let region = Partition::of_region(&marketplace.region);
    let metering = marketplace.metering.as_ref();
    // Without a word of its own it is the region, which is reported already.
    let metering = metering
        .map(|metering| metering.region.as_str())
        .filter(|metering| *metering != marketplace.region)
        .map(Partition::of_region);
    let bus = marketplace.eventbridge.as_ref().map(|eventbridge| eventbridge.rule_arn.partition());
    let role = match &marketplace.credentials {
        CredentialsSource::Role { arn, .. } => arn.split(':').nth(1).and_then(Partition::from_arn_text),
        CredentialsSource::Profile(_) | CredentialsSource::StandardChain | CredentialsSource::Simulated => {
            None
        }
    };
    let found = [
        (path.key("queue_url"), queue),
        (path.key("region"), Some(region)),
        (path.key("metering_region"), metering),
        (path.key("eventbridge").key("rule_arn"), bus),
        (path.key("role_arn"), role),
    ];
    for (path, found) in found {
        if let Some(found) = found.filter(|found| *found != partition) {
            source.refuse(&path, &foreign(marketplace, found));
        }
    }
}

fn foreign(marketplace: &Marketplace, partition: Partition) -> String {
    format!(
        "lies in the AWS partition `{partition}`, where a marketplace of kind {} is not",
        marketplace.kind
    )
}

fn check_products(config: &Config, source: &Source, path: &KeyPath) {
    unique(source, path, "key", config.products.iter().map(|product| Some(&product.key)));
    let mut taken = BTreeMap::new();
    for (index, product) in config.products.iter().enumerate() {
        let path = path.index(index);
        let names = product.dimensions.iter().map(|dimension| Some(&dimension.name));
        unique(source, &path.key("dimension"), "name", names);
        check_names(config, product, source, &path);
        check_api_names(product, source, &path);
        for (index, listing) in product.listings.iter().enumerate() {
            let path = path.key("listing").index(index);
            if config.marketplace(&listing.marketplace).is_none() {
                source.refuse(&path.key("marketplace"), &unknown_marketplace(&listing.marketplace));
            }
            if let Some(first) = taken.insert((&listing.marketplace, &listing.code), &product.key) {
                let words = format!("this listing is already that of the product `{first}`");
                source.refuse(&path.key("code"), &words);
            }
        }
    }
}

fn check_names(config: &Config, product: &Product, source: &Source, path: &KeyPath) {
    for (index, dimension) in product.dimensions.iter().enumerate() {
        for name in dimension.api_names.keys().filter(|name| config.marketplace(name).is_none()) {
            let path = path.key("dimension").index(index).key("api_names");
            source.refuse(&path, &unknown_marketplace(name));
        }
    }
}

/// Usage of two dimensions under one name would be one record's, and the second of them refused.
fn check_api_names(product: &Product, source: &Source, path: &KeyPath) {
    for listing in &product.listings {
        let mut first: BTreeMap<&ApiDimension, &Dimension> = BTreeMap::new();
        for (index, dimension) in product.dimensions.iter().enumerate() {
            let api_name = dimension.api_name(&listing.marketplace);
            let Some(known) = first.insert(api_name, dimension).filter(|known| known.name != dimension.name)
            else {
                continue;
            };
            let words = format!(
                "the marketplace `{}` would call both this and `{}` `{api_name}`",
                listing.marketplace, known.name
            );
            let path = path.key("dimension").index(index);
            let is_said = dimension.api_names.contains_key(&listing.marketplace);
            source.refuse(&path.key(if is_said { "api_names" } else { "name" }), &words);
        }
    }
}

fn check_tokens(config: &Config, source: &Source, path: &KeyPath) {
    unique(source, path, "name", config.api_tokens.iter().map(|token| Some(&token.name)));
    for (index, token) in config.api_tokens.iter().enumerate() {
        let is_same = |other: &&ApiToken| other.token.digest() == token.token.digest();
        if let Some(other) = config.api_tokens.iter().take(index).find(is_same) {
            let words = format!("the same as that of `{}`", other.name);
            source.refuse(&path.index(index).key("token"), &words);
        }
    }
}

/// Nobody could tell who acts where two have the same token; one operator may have two, while one takes the other's
/// place.
fn check_operators(config: &Config, source: &Source, path: &KeyPath) {
    for (index, one) in config.operators.iter().enumerate() {
        let is_same = |other: &&OperatorToken| other.token.digest() == one.token.digest();
        if let Some(other) = config.operators.iter().take(index).find(is_same) {
            let words = format!("the same as that of `{}`", other.operator.name());
            source.refuse(&path.index(index).key("token"), &words);
        }
    }
}

fn unknown_marketplace(name: &impl Display) -> String {
    format!("no [[marketplace]] has the name `{name}`")
}
