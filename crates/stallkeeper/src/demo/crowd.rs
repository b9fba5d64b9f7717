//! The seeded part: a crowd of buyers who act at random, while everything that can go wrong on the way does.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use stallkeeper_simulator::{CrowdPlan, Entry, FaultSettings, Standing};

use super::Stage;
use super::app::Used;
use super::check::{key, subscription_key};
use super::units::Units;

/// How much of the marketplace's time a crowd spans.
const SPAN_SECS: u64 = 3 * 24 * 3_600;
/// How often the progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How many buyers register at the most, which is enough to meet every fault.
const REGISTRATIONS_MAX: usize = 150;
const REGISTRATIONS_AT_ONCE: usize = 5;
/// Not always those whose keys come first.
const STRIDE: usize = 7;

/// How many of them use something once the crowd has come to rest, while an hour takes as long as it should.
const USERS_MAX: usize = 50;
const DIMENSION: &str = "requests";

/// What goes wrong while a crowd acts: whatever the worker can set right by itself.
fn faults() -> FaultSettings {
    FaultSettings {
        duplicate: 0.1,
        reorder: 0.1,
        delay_max_ms: 500,
        lose: [("unsubscribe-success".to_owned(), 0.05)].into(),
        error: 0.01,
        throttle: 0.01,
        drop_answer: 0.01,
    }
}

/// Lets a crowd act until so many notifications were published, and waits until the worker has taken them in.
///
/// # Errors
/// When a part fails.
pub async fn play(stage: &Stage, notifications: u64, seed: u64, progress: bool) -> anyhow::Result<()> {
    let market = stage.simulator().market();
    stage.simulator().faults().set(faults())?;
    let plan = CrowdPlan { span_secs: Some(SPAN_SECS), ..CrowdPlan::new(notifications, seed) };
    stage.simulator().start_crowd(plan)?;
    let bar = if progress { bar(notifications)? } else { ProgressBar::hidden() };
    let mut every = tokio::time::interval(LOOK_EVERY);
    let before = stage.taken_in();
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = stage.interrupted() => break,
        }
        bar.set_position((stage.taken_in() - before).min(notifications));
        register_some(stage).await?;
        if market.crowd().is_none_or(|crowd| crowd.done) {
            break;
        }
    }
    stage.settle().await?;
    bar.finish_and_clear();
    stage.simulator().faults().set(FaultSettings::default())?;
    use_some(stage).await
}

/// Some of those who are subscribed in the end use something, each as much as nobody else.
async fn use_some(stage: &Stage) -> anyhow::Result<()> {
    let (now, registrations) = (stage.now(), stage.registrations().clone());
    let books = stage.simulator().market().books();
    let can =
        |entry: &&Entry| entry.standing == Standing::Subscribed && registrations.contains_key(&key(entry));
    let used: Vec<Used> = books
        .iter()
        .filter(can)
        .take(USERS_MAX)
        .zip(1..)
        .map(|(entry, units)| Used {
            id: format!("crowd-{units}"),
            buyer: entry.buyer.clone(),
            product: entry.product.clone(),
            // Who has two licenses of a product has to say which.
            subscription: Some(key(entry)),
            dimension: DIMENSION.to_owned(),
            units: Units::of_whole(units),
            at: now,
        })
        .collect();
    if !used.is_empty() {
        stage.app().report(&used).await?;
    }
    Ok(())
}

/// Some of the buyers set up their account while all this goes on.
async fn register_some(stage: &Stage) -> anyhow::Result<()> {
    let registered = stage.registrations().len();
    if registered >= REGISTRATIONS_MAX {
        return Ok(());
    }
    let new = |entry: &Entry| !stage.registrations().contains_key(&key(entry));
    let books = stage.simulator().market().books();
    let some = books.iter().filter(|entry| entry.standing == Standing::Subscribed && new(entry));
    for entry in some.step_by(STRIDE).take(REGISTRATIONS_AT_ONCE) {
        stage.bind(subscription_key(entry)?, &entry.buyer).await?;
    }
    Ok(())
}

fn bar(notifications: u64) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} notifications, {per_sec}, {eta} left")?;
    Ok(ProgressBar::new(notifications).with_style(style))
}
