use std::io::Write;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use stallkeeper_lifecycle::{Binding, Change, SubscriptionKey, TenantId, UserId};
use stallkeeper_persistence::{Act, Content, Outcome, Settled, Store};
use stallkeeper_runtime::WallClock;

use crate::commands::act::{ByArgs, submit};
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
    // Looked up first: a mistyped key must not become a subscription.
    if key.is_agreement() || store.subscription(&key).await?.is_none() {
        bail!("there is no subscription {key}; see `stallkeeper subscriptions list`");
    }
    let (change, words) = match tenant {
        Some(tenant) => {
            let words = format!("is bound to the tenant {tenant}");
            (Change::Bind(Binding { tenant, user }), words)
        }
        None => (Change::Unbind, "is bound to nobody".to_owned()),
    };
    let act = Act { key: key.clone(), change, actor: by.actor() };
    let already = match submit(Content::Act(act), config, store, &clock).await? {
        Outcome::Settled(Settled::Applied) => "now",
        _ => "already",
    };
    writeln!(out, "{} {} {already}", safe(&key.to_string()), safe(&words))?;
    Ok(())
}
