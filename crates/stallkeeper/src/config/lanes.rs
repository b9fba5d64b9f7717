use stallkeeper_aws::{Account, CredentialsSource};
use stallkeeper_lifecycle::MarketplaceName;

use super::{Config, Marketplace};

/// Marketplaces whose usage is reported under one quota: by one account, to one Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneConfig {
    /// What it is called in logs, leases and gauges, such as `us-east-1/profile:seller`; the same after a restart.
    pub name: String,
    /// Whose usage it reports.
    pub marketplaces: Vec<MarketplaceName>,
    /// How many calls a second at the most: the least that one of them allows.
    pub calls_per_sec: u32,
    /// How the account is reached.
    pub account: Account,
}

impl Config {
    /// The lanes of all marketplaces with a metered listing, in the order of the file.
    pub fn lanes(&self) -> Vec<LaneConfig> {
        let mut lanes: Vec<LaneConfig> = Vec::new();
        for marketplace in self.marketplaces.iter().filter(|found| self.meters.meters(&found.name)) {
            let Some(lane) = lane(marketplace) else { continue };
            match lanes.iter_mut().find(|known| is_one(&known.account, &lane.account)) {
                Some(known) => {
                    known.marketplaces.extend(lane.marketplaces);
                    known.calls_per_sec = known.calls_per_sec.min(lane.calls_per_sec);
                }
                None => lanes.push(lane),
            }
        }
        lanes
    }
}

fn lane(marketplace: &Marketplace) -> Option<LaneConfig> {
    let metering = marketplace.metering.as_ref()?;
    let account = Account { region: metering.region.to_string(), ..marketplace.account() };
    Some(LaneConfig {
        name: name(&account),
        marketplaces: vec![marketplace.name.clone()],
        calls_per_sec: metering.calls_per_sec,
        account,
    })
}

/// Whether two accounts are one for a quota, wherever else their calls go.
fn is_one(one: &Account, other: &Account) -> bool {
    let of = |account: &Account| {
        (account.region.clone(), account.credentials.clone(), account.endpoints.metering.clone())
    };
    of(one) == of(other)
}

/// All that tells lanes apart, in words.
fn name(account: &Account) -> String {
    let credentials = match &account.credentials {
        CredentialsSource::StandardChain => "standard".to_owned(),
        CredentialsSource::Profile(profile) => format!("profile:{profile}"),
        CredentialsSource::Role { arn, external_id: None } => format!("role:{arn}"),
        CredentialsSource::Role { arn, external_id: Some(id) } => format!("role:{arn}+{id}"),
        CredentialsSource::Simulated => "simulated".to_owned(),
    };
    match &account.endpoints.metering {
        Some(endpoint) if account.credentials != CredentialsSource::Simulated => {
            format!("{}/{credentials} at {endpoint}", account.region)
        }
        _ => format!("{}/{credentials}", account.region),
    }
}
