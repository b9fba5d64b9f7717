//! `stallkeeper registrations`

use std::io::Write;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Serialize;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{
    PAGE_MAX, Page, RegistrationFilter, RegistrationId, RegistrationRecord, Store,
};

use crate::config::Config;
use crate::table::{Rfc3339, Screen, print, print_json, relative, safe};

/// What can be done with registrations.
#[derive(Debug, Subcommand)]
pub enum RegistrationsCommand {
    /// List buyers who came to set up their account, in the order of their registrations' ids.
    List(ListArgs),
    /// Show one registration.
    Show(ShowArgs),
}

/// Arguments of `registrations list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those who said who they are, and wait for a tenant.
    #[arg(long)]
    pending: bool,
    /// Only what follows this id, which is how to go on where a list ended.
    #[arg(long, value_name = "ID")]
    after: Option<RegistrationId>,
    /// How many at the most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `registrations show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The registration's id.
    id: RegistrationId,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A registration; part of the JSON of `registrations list`.
#[derive(Debug, Serialize)]
struct Line {
    id: String,
    subscription: String,
    product: Option<String>,
    account: Option<String>,
    tenant: Option<String>,
    company: Option<String>,
    contact: Option<String>,
    email: Option<String>,
    submitted_at: Option<Rfc3339>,
    created_at: Rfc3339,
    seen_at: Rfc3339,
    ends_at: Rfc3339,
}

/// The JSON of `registrations list`.
#[derive(Debug, Serialize)]
struct List {
    registrations: Vec<Line>,
    /// What to give as `--after` to go on; null where this is the end.
    next_after: Option<String>,
}

/// Lists or shows.
///
/// # Errors
/// When the database cannot be read, or there is no such registration.
pub async fn run(
    command: RegistrationsCommand,
    config: &Config,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        RegistrationsCommand::List(args) => list(&args, config, store, now, out).await,
        RegistrationsCommand::Show(args) => show(&args, config, store, now, out).await,
    }
}

impl Line {
    fn of(record: &RegistrationRecord, config: &Config) -> Self {
        let details = record.details.as_ref().map(|(details, _)| details);
        let key = &record.subscription;
        Self {
            id: record.id.to_string(),
            subscription: key.to_string(),
            product: config
                .listing(&key.marketplace, &key.product)
                .map(|(product, _)| product.key.to_string()),
            account: record.account.as_ref().map(ToString::to_string),
            tenant: record.tenant.as_ref().map(ToString::to_string),
            company: details.map(|details| details.company.as_str().to_owned()),
            contact: details.map(|details| details.contact.as_str().to_owned()),
            email: details.map(|details| details.email.as_str().to_owned()),
            submitted_at: record.details.as_ref().map(|(_, at)| Rfc3339(*at)),
            created_at: Rfc3339(record.created_at),
            seen_at: Rfc3339(record.seen_at),
            ends_at: Rfc3339(record.ends_at),
        }
    }
}

async fn list(
    args: &ListArgs,
    config: &Config,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let filter = if args.pending { RegistrationFilter::Pending } else { RegistrationFilter::All };
    let page = Page { after: args.after.clone(), limit: args.limit };
    let records = store.registrations(filter, &page, now).await?;
    let is_full = records.len() >= usize::try_from(args.limit)?;
    let list = List {
        next_after: records.last().filter(|_| is_full).map(|record| record.id.to_string()),
        registrations: records.iter().map(|record| Line::of(record, config)).collect(),
    };
    if args.json {
        return Ok(print_json(out, &list)?);
    }
    if list.registrations.is_empty() {
        writeln!(out, "no registrations")?;
        return Ok(());
    }
    let mut table =
        Screen::detect().table(&["id", "subscription", "company", "contact", "e-mail", "came", "tenant"]);
    for line in &list.registrations {
        let text = |text: &Option<String>| text.as_deref().map(safe).unwrap_or_default();
        table.add_row([
            line.id.clone(),
            safe(&line.subscription),
            text(&line.company),
            text(&line.contact),
            text(&line.email),
            relative(line.seen_at.0, now),
            text(&line.tenant),
        ]);
    }
    print(out, &table)?;
    if let Some(after) = &list.next_after {
        writeln!(out, "\nthere may be more: --after {after}")?;
    }
    Ok(())
}

async fn show(
    args: &ShowArgs,
    config: &Config,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let Some(record) = store.registration(&args.id, now).await? else {
        bail!("there is no registration {}; see `stallkeeper registrations list`", args.id);
    };
    let line = Line::of(&record, config);
    if args.json {
        return Ok(print_json(out, &line)?);
    }
    let text = |text: &Option<String>| text.as_deref().map(safe);
    let facts = [
        ("id", Some(line.id.clone())),
        ("subscription", Some(safe(&line.subscription))),
        ("product", text(&line.product)),
        ("account", text(&line.account)),
        ("company", text(&line.company)),
        ("contact", text(&line.contact)),
        ("e-mail", text(&line.email)),
        ("submitted", line.submitted_at.map(|at| relative(at.0, now))),
        ("first came", Some(relative(line.created_at.0, now))),
        ("last came", Some(relative(line.seen_at.0, now))),
        ("forgotten", Some(relative(line.ends_at.0, now))),
        ("tenant", Some(text(&line.tenant).unwrap_or_else(|| "none yet".to_owned()))),
    ];
    write!(out, "{}", Screen::detect().facts(&facts))?;
    Ok(())
}
