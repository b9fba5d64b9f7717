use std::sync::Arc;

use anyhow::{Context, Result};
use fastrand::Rng;
use stallkeeper_persistence::Store;

use crate::backend::Backend;
use crate::check::{self, Frozen};
use crate::coverage::Coverage;
use crate::setting::{Identity, Place, Setting, Temper};
use crate::story::{RETURNS_EVERY, Step, returns_within_the_hour, story};
use crate::world::World;

/// Looking at everything takes longer than what happens; what goes wrong stays wrong.
const CHECK_EVERY: usize = 3;

/// A story that went wrong.
#[derive(Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What may not be.
    pub error: anyhow::Error,
    /// The steps up to where it showed.
    pub steps: Vec<Step>,
    /// With whom and where.
    pub setting: Setting,
}

/// Tells the story of a seed; answers what it covered.
///
/// # Errors
/// [`Failure`], with the steps that led to it.
pub async fn run_seed(seed: u64, backend: &Backend) -> Result<Coverage, Box<Failure>> {
    let mut rng = Rng::with_seed(seed);
    let setting = Setting::draw(seed, &mut rng);
    let mut steps = story(&setting, &mut rng);
    if seed.is_multiple_of(RETURNS_EVERY) {
        steps.extend(returns_within_the_hour(&setting, &mut rng));
    }
    run_steps(seed, &setting, &steps, backend).await
}

/// Tells a story step by step.
///
/// # Errors
/// [`Failure`], with the steps that led to it.
pub async fn run_steps(
    seed: u64,
    setting: &Setting,
    steps: &[Step],
    backend: &Backend,
) -> Result<Coverage, Box<Failure>> {
    let mut done = 0;
    let told = tell(seed, setting, steps, backend, &mut done).await;
    told.map_err(|error| {
        let steps = steps.iter().take(done).cloned().collect();
        Box::new(Failure { seed, error, steps, setting: setting.clone() })
    })
}

async fn tell(
    seed: u64,
    setting: &Setting,
    steps: &[Step],
    backend: &Backend,
    done: &mut usize,
) -> Result<Coverage> {
    let database = backend.open().await?;
    let store: Arc<dyn Store> = database.store.clone();
    let mut world = World::new(setting.clone(), store, seed);
    let mut frozen = Frozen::default();
    note_setting(&mut world);
    for step in steps {
        *done += 1;
        world.take(step).await.with_context(|| format!("step {done}: {step:?}"))?;
        if matches!(step, Step::Pass { .. }) && done.is_multiple_of(CHECK_EVERY) {
            check::note_phases(&mut world).await?;
            check::always(&world, &mut frozen)
                .await
                .with_context(|| format!("after step {done}: {step:?}"))?;
        }
    }
    world.settle().await.context("settling")?;
    check::always(&world, &mut frozen).await.context("in the end")?;
    check::finally(&mut world).await.context("in the end")?;
    world.note_faults();
    let coverage = std::mem::take(&mut world.coverage);
    drop(world);
    database.close().await;
    Ok(coverage)
}

fn note_setting(world: &mut World) {
    let temper = match world.setting.temper {
        Temper::Mild => "setting mild",
        Temper::Harsh => "setting harsh",
    };
    let place = match (world.setting.identity, world.setting.place) {
        (Identity::Customer, Place::Global) => "setting customer, global",
        (Identity::Customer, Place::China) => "setting customer, China",
        (Identity::License, _) => "setting license, global",
    };
    world.coverage.seen(temper);
    world.coverage.seen(place);
}

/// Leaves out as many steps as can be left out so that the story still goes wrong; at most `tries` stories.
pub async fn shrink(mut failure: Box<Failure>, backend: &Backend, tries: usize) -> Box<Failure> {
    let mut left = tries;
    let mut size = failure.steps.len().div_ceil(2).max(1);
    while size > 0 && left > 0 {
        let mut from = 0;
        let mut shorter = false;
        while from < failure.steps.len() && left > 0 {
            left -= 1;
            let kept: Vec<Step> = failure
                .steps
                .iter()
                .enumerate()
                .filter(|(index, _)| *index < from || *index >= from + size)
                .map(|(_, step)| step.clone())
                .collect();
            match run_steps(failure.seed, &failure.setting, &kept, backend).await {
                Err(smaller) => {
                    failure = smaller;
                    shorter = true;
                }
                Ok(_) => from += size,
            }
        }
        size = if shorter { size.min(failure.steps.len()) } else { size / 2 };
    }
    failure
}
