//! `stallkeeper grants`

use std::io::Write;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Serialize;
use stallkeeper_ledger::ProductKey;
use stallkeeper_lifecycle::{TenantId, Timestamp, UserId};
use stallkeeper_persistence::{Grant, GrantId, GrantPut, GrantReason, GrantRecord, PAGE_MAX, Page, Store};

use super::act::ByArgs;
use crate::config::Config;
use crate::table::{Rfc3339, Screen, print, print_json, relative, safe};

/// What can be done with grants.
#[derive(Debug, Subcommand)]
pub enum GrantsCommand {
    /// List grants in the order of their ids, revoked ones among them.
    List(ListArgs),
    /// Give a tenant access to a product, outside any marketplace; the same id again replaces what it said.
    Put(PutArgs),
    /// Take a grant back.
    Revoke(RevokeArgs),
}

/// Arguments of `grants list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those of this tenant.
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Only what follows this id, which is how to go on where a list ended.
    #[arg(long, value_name = "ID")]
    after: Option<GrantId>,
    /// How many at the most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `grants put`.
#[derive(Debug, Args)]
pub struct PutArgs {
    /// The grant's id, of your choice.
    id: GrantId,
    /// Who gets access.
    #[arg(long)]
    tenant: TenantId,
    /// Only this user of the tenant.
    #[arg(long)]
    user: Option<UserId>,
    /// To what.
    #[arg(long)]
    product: ProductKey,
    /// Until when, such as 2026-12-31T00:00:00Z; without end where it is not said.
    #[arg(long)]
    until: Option<Timestamp>,
    /// Why, in words.
    #[arg(long)]
    why: GrantReason,
    #[command(flatten)]
    by: ByArgs,
}

/// Arguments of `grants revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The grant's id.
    id: GrantId,
    #[command(flatten)]
    by: ByArgs,
}

/// A grant; part of the JSON of `grants list`.
#[derive(Debug, Serialize)]
struct GrantLine {
    id: String,
    tenant: String,
    user: Option<String>,
    product: String,
    until: Option<Rfc3339>,
    why: String,
    by: String,
    created_at: Rfc3339,
    revoked_at: Option<Rfc3339>,
    revoked_by: Option<String>,
    /// Whether it gives access now.
    holds: bool,
}

/// The JSON of `grants list`.
#[derive(Debug, Serialize)]
struct List {
    grants: Vec<GrantLine>,
    /// What to give as `--after` to go on; null where this is the end.
    next_after: Option<String>,
}

/// Lists, gives or takes back.
///
/// # Errors
/// When the database cannot be read or written, or there is no such grant or product.
pub async fn run(
    command: GrantsCommand,
    config: &Config,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        GrantsCommand::List(args) => list(&args, store, now, out).await,
        GrantsCommand::Put(args) => put(args, config, store, now, out).await,
        GrantsCommand::Revoke(args) => revoke(&args, store, now, out).await,
    }
}

async fn list(
    args: &ListArgs,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let page = Page { after: args.after.clone(), limit: args.limit };
    let records = store.grants(args.tenant.as_ref(), &page).await?;
    let is_full = records.len() >= usize::try_from(args.limit)?;
    let list = List {
        next_after: records.last().filter(|_| is_full).map(|record| record.grant.id.to_string()),
        grants: records.iter().map(|record| GrantLine::of(record, now)).collect(),
    };
    if args.json {
        return Ok(print_json(out, &list)?);
    }
    if list.grants.is_empty() {
        writeln!(out, "no grants")?;
        return Ok(());
    }
    let mut table =
        Screen::detect().table(&["id", "tenant", "user", "product", "until", "revoked", "by", "why"]);
    for line in &list.grants {
        let time = |at: &Option<Rfc3339>| at.map(|at| relative(at.0, now)).unwrap_or_default();
        table.add_row([
            line.id.clone(),
            safe(&line.tenant),
            line.user.as_deref().map(safe).unwrap_or_default(),
            line.product.clone(),
            time(&line.until),
            time(&line.revoked_at),
            safe(&line.by),
            safe(&line.why),
        ]);
    }
    print(out, &table)?;
    if let Some(after) = &list.next_after {
        writeln!(out, "\nthere may be more: --after '{after}'")?;
    }
    Ok(())
}

impl GrantLine {
    fn of(record: &GrantRecord, now: Timestamp) -> Self {
        let grant = &record.grant;
        Self {
            id: grant.id.to_string(),
            tenant: grant.tenant.to_string(),
            user: grant.user.as_ref().map(ToString::to_string),
            product: grant.product.to_string(),
            until: grant.until.map(Rfc3339),
            why: grant.why.to_string(),
            by: record.by.to_string(),
            created_at: Rfc3339(record.created_at),
            revoked_at: record.revoked.as_ref().map(|(_, at)| Rfc3339(*at)),
            revoked_by: record.revoked.as_ref().map(|(by, _)| by.to_string()),
            holds: record.holds_at(now),
        }
    }
}

async fn put(
    args: PutArgs,
    config: &Config,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let PutArgs { id, tenant, user, product, until, why, by } = args;
    if config.product(&product).is_none() {
        bail!("no product is called {product}; see the configuration's [[product]]");
    }
    if until.is_some_and(|until| until <= now) {
        bail!("a grant ends in the future; `stallkeeper grants revoke` ends one now");
    }
    let grant = Grant { id, tenant, user, product, until, why };
    if store.grant(&grant.id).await?.is_some_and(|known| known.grant.tenant != grant.tenant) {
        bail!("the grant {} is another tenant's; revoke it, and put one with an id of its own", grant.id);
    }
    let words = match store.put_grant(&grant, &by.actor(), now).await? {
        GrantPut::Made => "given",
        GrantPut::Changed => "changed",
        GrantPut::Same => "there already, and says the same",
    };
    writeln!(out, "the grant {} is {words}", grant.id)?;
    Ok(())
}

async fn revoke(
    args: &RevokeArgs,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let Some(_) = store.revoke_grant(&args.id, &args.by.actor(), now).await? else {
        bail!("there is no grant {}; see `stallkeeper grants list`", args.id);
    };
    writeln!(out, "the grant {} is revoked", args.id)?;
    Ok(())
}
