use std::io::Write;

use clap::Args;
use serde::Serialize;
use stallkeeper_ledger::{Hour, ProductKey};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::usage::{LedgerHealth, MeterTermsOf};
use stallkeeper_persistence::{Actor, Store};

use crate::config::{Config, LaneConfig};
use crate::table::{Rfc3339, Screen, print, print_json, relative, safe, when};

/// From here on the store counts no further.
const COUNT_MAX: u64 = 10_000;

/// Arguments of `metering status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The JSON of `metering status`.
#[derive(Debug, Serialize)]
struct Status {
    /// Those that are metered or held.
    products: Vec<ProductLine>,
    /// Under what quotas usage is reported.
    lanes: Vec<LaneLine>,
    ledger: Ledger,
}

#[derive(Debug, Serialize)]
struct ProductLine {
    product: String,
    /// Who holds it; null where its usage is reported.
    held_by: Option<String>,
    held_since: Option<Rfc3339>,
}

#[derive(Debug, Serialize)]
struct LaneLine {
    name: String,
    marketplaces: Vec<String>,
    calls_per_sec: u32,
}

/// How the ledger fares; what is counted is counted up to 10,000.
#[derive(Debug, Serialize)]
struct Ledger {
    /// Records that are fixed and not settled.
    unsent: u64,
    /// The oldest hour among them.
    oldest_unsent_hour: Option<Rfc3339>,
    /// The record whose time is over first.
    most_urgent: Option<Urgent>,
    /// Open final-usage windows.
    windows: u64,
    next_window_end: Option<Rfc3339>,
    /// Held events that wait for a person.
    held_late: u64,
    /// Held events that wait for an activation.
    held_early: u64,
    /// When the first held event is lost.
    next_held_end: Option<Rfc3339>,
    conflicts: u64,
    rejected: u64,
    expired: u64,
    not_subscribed: u64,
}

#[derive(Debug, Serialize)]
struct Urgent {
    frozen_at: Rfc3339,
    expires_at: Rfc3339,
    minutes_left: u64,
}

impl Status {
    async fn read(config: &Config, store: &dyn Store, now: Timestamp) -> anyhow::Result<Self> {
        let holds = store.metering_holds().await?;
        let health = store.ledger_health().await?;
        Ok(Self {
            products: products(config, &holds),
            lanes: config.lanes().iter().map(LaneLine::of).collect(),
            ledger: Ledger::of(&health, now),
        })
    }

    fn print(&self, screen: Screen, now: Timestamp, out: &mut impl Write) -> anyhow::Result<()> {
        if self.products.is_empty() {
            writeln!(out, "no product is metered")?;
        } else {
            let mut table = screen.table(&["product", "metering"]);
            for line in &self.products {
                table.add_row([safe(&line.product), line.in_words(now)]);
            }
            print(out, &table)?;
        }
        if !self.lanes.is_empty() {
            let mut table = screen.table(&["lane", "marketplaces", "calls a second"]);
            for lane in &self.lanes {
                table.add_row([
                    safe(&lane.name),
                    lane.marketplaces.join(", "),
                    lane.calls_per_sec.to_string(),
                ]);
            }
            writeln!(out)?;
            print(out, &table)?;
        }
        Ok(write!(out, "\n{}", screen.facts(&self.ledger.facts(now)))?)
    }
}

/// The metered products, and those that are held without being metered any more.
fn products(config: &Config, holds: &[(ProductKey, Actor, Timestamp)]) -> Vec<ProductLine> {
    let mut keys = config.metered_products();
    let others = holds.iter().map(|(key, ..)| key).filter(|key| !keys.contains(key)).cloned();
    keys.extend(others.collect::<Vec<_>>());
    let line = |key: ProductKey| {
        let hold = holds.iter().find(|(held, ..)| *held == key);
        ProductLine {
            product: key.to_string(),
            held_by: hold.map(|(_, actor, _)| actor.to_string()),
            held_since: hold.map(|(_, _, since)| Rfc3339(*since)),
        }
    };
    keys.into_iter().map(line).collect()
}

impl ProductLine {
    fn in_words(&self, now: Timestamp) -> String {
        match (&self.held_by, self.held_since) {
            (Some(actor), Some(since)) => format!("held by {} since {}", safe(actor), when(since.0, now)),
            _ => "goes on".to_owned(),
        }
    }
}

impl LaneLine {
    fn of(lane: &LaneConfig) -> Self {
        Self {
            name: lane.name.clone(),
            marketplaces: lane.marketplaces.iter().map(ToString::to_string).collect(),
            calls_per_sec: lane.calls_per_sec,
        }
    }
}

impl Ledger {
    fn of(health: &LedgerHealth, now: Timestamp) -> Self {
        let urgent = |(frozen_at, expires_at): (Timestamp, Timestamp)| Urgent {
            frozen_at: Rfc3339(frozen_at),
            expires_at: Rfc3339(expires_at),
            minutes_left: expires_at.since(now).as_secs() / 60,
        };
        Self {
            unsent: health.unsent,
            oldest_unsent_hour: health.oldest_unsent.map(Hour::start).map(Rfc3339),
            most_urgent: health.most_urgent.map(urgent),
            windows: health.windows,
            next_window_end: health.next_window_end.map(Rfc3339),
            held_late: health.held_late,
            held_early: health.held_early,
            next_held_end: health.next_held_end.map(Rfc3339),
            conflicts: health.conflicts,
            rejected: health.rejected,
            expired: health.expired,
            not_subscribed: health.not_subscribed,
        }
    }

    fn facts(&self, now: Timestamp) -> Vec<(&'static str, Option<String>)> {
        let time = |time: Option<Rfc3339>| time.map(|time| when(time.0, now));
        let urgent = self.most_urgent.as_ref().map(|urgent| {
            let Urgent { frozen_at, expires_at, minutes_left } = urgent;
            let frozen = relative(frozen_at.0, now);
            format!("{minutes_left} min left of one frozen {frozen}; too late at {}", expires_at.0)
        });
        vec![
            ("unsent records", Some(count(self.unsent))),
            ("oldest unsent hour", time(self.oldest_unsent_hour)),
            ("most urgent", urgent),
            ("final-usage windows", Some(count(self.windows))),
            ("first of them closes", time(self.next_window_end)),
            ("held, late", Some(count(self.held_late))),
            ("held, before activation", Some(count(self.held_early))),
            ("first of them lost", time(self.next_held_end)),
            ("in conflict", Some(count(self.conflicts))),
            ("rejected", Some(count(self.rejected))),
            ("expired", Some(count(self.expired))),
            ("not subscribed", Some(count(self.not_subscribed))),
        ]
    }
}

fn count(number: u64) -> String {
    if number >= COUNT_MAX { format!("{COUNT_MAX} or more") } else { number.to_string() }
}

pub(super) async fn run(
    args: &StatusArgs,
    config: &Config,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let status = Status::read(config, store, now).await?;
    if args.json { Ok(print_json(out, &status)?) } else { status.print(Screen::detect(), now, out) }
}
