//! A final hour of the built worker, on the marketplace that the simulator plays.

use std::time::Duration;

use anyhow::{Context, ensure};
use stallkeeper_ledger::margin;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{Page, SubscriptionFilter};
use stallkeeper_simulator::MeteringSettings;
use tokio::time::Instant;

use crate::app;
use crate::final_hour::{Cut, Ended, WINDOW, records};
use crate::installation::Installation;
use crate::opened::Opened;
use crate::planned::losses;
use crate::process::Process;
use crate::seller::{PRODUCT, Seller};
use crate::simulator::Simulator;
use crate::stand::{Database, Stand};

/// How long before the cut the clock is moved to.
const BEFORE_CUT: Duration = Duration::from_secs(5);
const PROBE_EVERY: Duration = Duration::from_millis(250);

/// Lets that many subscriptions end in the same minute and waits until their usage is sent, or the window over.
pub(crate) async fn measure(
    stand: &Stand<'_>,
    database: Database,
    subscriptions: u64,
) -> anyhow::Result<Ended> {
    let simulator = stand.simulator()?;
    // The same time of day in every run, with whole hours around it.
    let begins = tomorrow_at(&simulator, Duration::from_mins(10 * 60 + 5)).await?;
    simulator.set_clock(begins).await?;
    let url = stand.fresh(database, "leaving")?;
    let installation = Installation::of_seller_at(stand.binary(), &simulator, &url).await?;
    let started = Instant::now();

    simulator.act_all("subscribe", PRODUCT, subscriptions).await?;
    let (mut worker, _) = installation.start_role("all")?;
    simulator.deleted(subscriptions, &mut worker).await?;
    worker.stop().await?;
    let recorded = use_up(database, &url, subscriptions, simulator.clock().await?).await?;
    eprintln!("  prepared in {:.0} s", started.elapsed().as_secs_f64());

    let left_at = simulator.clock().await?;
    let (mut worker, address) = installation.start_role("all")?;
    app::wait_for(&mut worker, &address).await?;
    simulator.act_all("unsubscribe", PRODUCT, subscriptions).await?;
    simulator.deleted(2 * subscriptions, &mut worker).await?;
    let ended_within = simulator.clock().await?.since(left_at);
    ensure!(ended_within < Duration::from_mins(3), "ending took {ended_within:?}, which is no minute");
    eprintln!("  all have ended within {:.0} s", ended_within.as_secs_f64());

    let margin = margin(records(subscriptions), MeteringSettings::CALLS_PER_SEC);
    let deadline = left_at.plus(WINDOW);
    simulator.set_clock(deadline.minus(margin).minus(BEFORE_CUT)).await?;
    let ended = wait(&simulator, &mut worker, records(subscriptions), deadline).await?;
    let took = ended.elapsed();
    worker.stop().await?;
    let counts = simulator.metering_counts().await?;
    let bill = simulator.bill().await?;
    simulator.stop().await?;
    let opened = Opened::at(database, &url).await?;
    let lost = losses(&*opened.store).await?;
    opened.close().await;
    let log = installation.log()?;
    ensure!(!log.contains("ERROR"), "the worker complains:\n{log}");
    Ok(Ended {
        records: records(subscriptions),
        calls: counts.calls - counts.refused,
        throttled: counts.refused,
        in_calls: counts.records,
        on_bill: bill.entries,
        late: counts.after_end,
        recorded,
        billed: bill.quantity,
        lost,
        cut: Cut { deadline, margin, first_call: bill.first_at, last_call: bill.last_at },
        took,
    })
}

/// Waits until all is billed; answers since when.
async fn wait(
    simulator: &Simulator,
    worker: &mut Process,
    records: u64,
    deadline: Timestamp,
) -> anyhow::Result<Instant> {
    let started = Instant::now();
    while simulator.metering_counts().await?.success < records && simulator.clock().await? < deadline {
        worker.ensure_running()?;
        tokio::time::sleep(PROBE_EVERY).await;
    }
    Ok(started)
}

/// Binds every subscription to a tenant, and reports usage of each; answers how much.
async fn use_up(database: Database, url: &str, subscriptions: u64, now: Timestamp) -> anyhow::Result<i64> {
    let seller = Seller::new()?;
    let opened = Opened::at(database, url).await?;
    let mut keys: Vec<SubscriptionKey> = Vec::new();
    loop {
        let page = Page { after: keys.last().cloned(), limit: 1_000 };
        let some = opened.store.subscriptions(&SubscriptionFilter::All, &page).await?;
        if some.is_empty() {
            break;
        }
        keys.extend(some.into_iter().map(|record| record.key));
    }
    ensure!(u64::try_from(keys.len())? == subscriptions, "{} of {subscriptions} are known", keys.len());
    seller.bind(&*opened.store, &keys, now).await?;
    let recorded = seller.use_up(&*opened.store, subscriptions, now, now).await?;
    opened.close().await;
    Ok(recorded)
}

async fn tomorrow_at(simulator: &Simulator, time: Duration) -> anyhow::Result<Timestamp> {
    const DAY: i64 = 24 * 3_600 * 1_000_000;
    let now = simulator.clock().await?.as_micros();
    let midnight = now.div_euclid(DAY).checked_add(1).context("a date")?.saturating_mul(DAY);
    Ok(Timestamp::from_micros(midnight).plus(time))
}
