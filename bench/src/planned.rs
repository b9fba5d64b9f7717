//! A final hour in this process, by a clock that goes on with the calls: minutes instead of hours.

use std::time::Duration;

use stallkeeper_ledger::margin;
use stallkeeper_lifecycle::{FactKind, Timestamp};
use stallkeeper_metering::{Closer, Lane, MeteringConfig, Next, Pacer, Sender};
use stallkeeper_persistence::{Page, Store};
use stallkeeper_runtime::{FakeClock, WallClock as _};
use stallkeeper_simulator::MeteringSettings;
use tokio::time::Instant;

use crate::final_hour::{Cut, Ended, WINDOW, records};
use crate::market::Market;
use crate::opened::Opened;
use crate::seller::{self, DIMENSIONS, Seller, parse};
use crate::stand::{Database, Stand};

/// An hour in the middle of a month, so that no month's close is near.
const BEGINS: &str = "2026-06-10T10:05:00Z";
const LANE: &str = "aws us-east-1";
/// A step that has nothing to do is followed by a later one; more of them in a row are a mistake.
const IDLE_MAX: u32 = 100_000;

/// How the marketplace takes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As many as the quota says.
    Quota,
    /// A third of that.
    Third,
}

impl Pace {
    fn call_takes(self) -> Duration {
        let quota = Duration::from_secs(1) / MeteringSettings::CALLS_PER_SEC;
        match self {
            Self::Quota => quota,
            Self::Third => quota * 3,
        }
    }
}

/// Lets that many subscriptions end in the same minute and sends their usage.
pub(crate) async fn measure(
    stand: &Stand<'_>,
    database: Database,
    subscriptions: u64,
    pace: Pace,
) -> anyhow::Result<Ended> {
    let url = stand.fresh(database, "planned")?;
    let opened = Opened::at(database, &url).await?;
    let ended = end_all(&opened, subscriptions, pace).await?;
    opened.close().await;
    Ok(ended)
}

async fn end_all(opened: &Opened, subscriptions: u64, pace: Pace) -> anyhow::Result<Ended> {
    let (seller, store) = (Seller::new()?, &opened.store);
    let begins: Timestamp = parse(BEGINS)?;
    seller.subscribe(&**store, subscriptions, begins, begins).await?;
    let used_at = begins.plus(Duration::from_mins(1));
    let recorded = seller.use_up(&**store, subscriptions, used_at, used_at).await?;
    let left_at = begins.plus(Duration::from_mins(5));
    let keys = (0..subscriptions).map(seller::key).collect::<anyhow::Result<Vec<_>>>()?;
    seller.hear(&**store, &keys, &FactKind::UnsubscribePending, left_at, left_at).await?;
    drop(keys);
    let deadline = left_at.plus(WINDOW);

    let clock = FakeClock::new(left_at.try_into()?);
    let quota = MeteringSettings::CALLS_PER_SEC;
    let market = Market::new(clock.clone(), quota, pace.call_takes(), begins, deadline)?;
    let lane = || Lane {
        name: LANE.to_owned(),
        marketplaces: vec![seller.marketplace()],
        api: market.clone(),
        calls_per_sec: quota,
    };
    // One call at a time, as each moves the clock.
    let config = MeteringConfig { in_flight: 1, ..MeteringConfig::default() };
    let shared = std::sync::Arc::new(clock.clone());
    let closer = Closer::new(store.clone(), shared.clone(), seller.clone(), &[lane()], config.clone());
    let sender = Sender::new(store.clone(), shared, seller.clone(), lane(), "bench", Pacer::off(), config);
    let backlog = subscriptions * DIMENSIONS.len() as u64;
    let designed = margin(backlog, quota);
    let started = Instant::now();
    let first_cut = drive(&clock, &closer, &sender, &market, deadline).await?;

    let (billed, on_bill) = market.billed();
    let lost = losses(&**store).await?;
    let counts = market.counts();
    let cut = Cut { deadline, margin: designed, first_call: first_cut, last_call: market.tally().last_at };
    Ok(Ended {
        records: records(subscriptions),
        calls: counts.calls,
        throttled: market.tally().throttled,
        in_calls: counts.records,
        on_bill: u64::try_from(on_bill)?,
        late: counts.after_end,
        recorded,
        billed,
        lost,
        cut,
        took: started.elapsed(),
    })
}

/// Closes and sends until the windows are over and nothing is left to be done; answers when the first call was.
async fn drive(
    clock: &FakeClock,
    closer: &Closer,
    sender: &Sender,
    market: &Market,
    deadline: Timestamp,
) -> anyhow::Result<Option<Timestamp>> {
    let mut first_call = None;
    // What is left when the windows end is listed as lost by looks after that.
    let end = deadline.plus(Duration::from_mins(2));
    for _ in 0..IDLE_MAX {
        let now = Timestamp::from(clock.now());
        let looked = closer.step().await?;
        let before = market.counts().calls;
        let sent = sender.step().await?;
        if before == 0 && market.counts().calls > 0 {
            first_call = Some(now);
        }
        if looked.next == Next::Now || sent.next == Next::Now {
            continue;
        }
        if now > end {
            break;
        }
        clock.advance(rest(now, [looked.next, sent.next]));
    }
    Ok(first_call)
}

/// How long a worker would sleep: no longer than a second.
fn rest(now: Timestamp, nexts: [Next; 2]) -> Duration {
    const REST_MAX: Duration = Duration::from_secs(1);
    let until = |next| match next {
        Next::Now => Duration::ZERO,
        Next::At(at) => Timestamp::since(at, now).max(Duration::from_millis(20)),
        Next::After(delay) => delay,
        Next::Idle => REST_MAX,
    };
    nexts.into_iter().map(until).min().unwrap_or(REST_MAX).min(REST_MAX)
}

/// How much is listed as lost.
pub(crate) async fn losses(store: &dyn Store) -> anyhow::Result<i64> {
    let (mut after, mut sum) = (None, 0);
    loop {
        let lines = store.losses(None, &Page { after, limit: 1_000 }).await?;
        let Some(last) = lines.last() else { return Ok(sum) };
        after = Some(last.number);
        sum += lines.iter().map(|line| line.loss.parts.parts()).sum::<i64>();
    }
}
