use std::collections::BTreeMap;
use std::sync::Arc;

use stallkeeper_aws::{Account, EntitlementClient, sdk_config};
use stallkeeper_contract::EntitlementsApi;
use stallkeeper_lifecycle::MarketplaceName;

use crate::config::{Config, Kind};

/// Whom to ask what buyers are entitled to, by marketplace: marketplaces of one account share its quota.
pub(super) async fn entitlement_apis(config: &Config) -> BTreeMap<MarketplaceName, Arc<dyn EntitlementsApi>> {
    let mut clients: Vec<(Account, Arc<EntitlementClient>)> = Vec::new();
    let mut apis: BTreeMap<MarketplaceName, Arc<dyn EntitlementsApi>> = BTreeMap::new();
    // No other marketplace answers the question.
    for marketplace in config.marketplaces.iter().filter(|marketplace| marketplace.kind == Kind::Aws) {
        let account = marketplace.account();
        let known =
            clients.iter().find(|(other, _)| is_one(other, &account)).map(|(_, client)| client.clone());
        let client = if let Some(client) = known {
            client
        } else {
            let client = Arc::new(EntitlementClient::new(&sdk_config(&account).await, &account));
            clients.push((account, client.clone()));
            client
        };
        apis.insert(marketplace.name.clone(), client);
    }
    apis
}

/// Whether two are one for the quota, wherever their queues lie.
fn is_one(one: &Account, other: &Account) -> bool {
    one.credentials == other.credentials && one.endpoints.entitlement == other.endpoints.entitlement
}
