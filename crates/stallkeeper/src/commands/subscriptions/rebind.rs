use std::io::Write;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use stallkeeper_lifecycle::{Binding, SubscriptionKey, TenantId, UserId};
use stallkeeper_persistence::Store;
use stallkeeper_runtime::WallClock;

use crate::acts::{BindError, Bound, OwnDoor, bind};
use crate::commands::act::ByArgs;
use crate::config::Config;
use crate::table::safe;

/// Arguments of `subscriptions rebind`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("whom").required(true))]
pub struct RebindArgs {
    /// The subscription, as `marketplace/product/kind/id`.
    key: SubscriptionKey,
    /// The tenant that it is to belong to.
    #[arg(long, group = "whom")]
    tenant: Option<TenantId>,
    /// The tenant's user.
    #[arg(long, requires = "tenant", conflicts_with = "none")]
    user: Option<UserId>,
    /// Take the binding away: the subscription is unclaimed afterwards.
    #[arg(long, group = "whom")]
    none: bool,
    #[command(flatten)]
    by: ByArgs,
}

pub(super) async fn run(
    args: RebindArgs,
    config: &Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let RebindArgs { key, tenant, user, none: _, by } = args;
    let (binding, words) = match tenant {
        Some(tenant) => {
            let words = format!("is bound to the tenant {tenant}");
            (Some(Binding { tenant, user }), words)
        }
        None => (None, "is bound to nobody".to_owned()),
    };
    let door = OwnDoor { config: Arc::new(config.clone()), store: store.clone(), clock };
    let already = match bind(&door, &*store, &key, binding, by.actor()).await {
        Ok(Bound::Now) => "now",
        Ok(Bound::Already) => "already",
        Err(BindError::Unknown) => {
            bail!("there is no subscription {key}; see `stallkeeper subscriptions list`")
        }
        Err(error) => return Err(error.into()),
    };
    writeln!(out, "{} {} {already}", safe(&key.to_string()), safe(&words))?;
    Ok(())
}
