//! What the worker holds in memory: idle, and while many notifications pass.

use crate::installation::Installation;
use crate::numbers::number;
use crate::stand::{Database, Stand};

const SEED: u64 = 11;
const MEGABYTE: f64 = 1e6;

/// Resident memory, in megabytes.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    /// Once it polls, before the first notification.
    pub(crate) idle: f64,
    /// When a quarter, a half and all of the notifications had passed.
    pub(crate) passing: [f64; 3],
}

impl Memory {
    /// What the second half of the notifications added to what was there at the first quarter.
    pub(crate) fn growth(&self) -> f64 {
        let [quarter, _, all] = self.passing;
        all - quarter
    }
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    number(bytes) / MEGABYTE
}

/// Looks at a worker while a crowd acts.
pub(crate) async fn measure(
    stand: &Stand<'_>,
    database: Database,
    notifications: u64,
) -> anyhow::Result<Memory> {
    let simulator = stand.simulator()?;
    let url = stand.fresh(database, "memory")?;
    let installation = Installation::new(stand.binary(), &simulator, simulator.url(), &url).await?;
    let mut worker = installation.start()?;
    // One notification, so that all that is set up at the first one is there when it idles.
    simulator.preload(1, SEED).await?;
    simulator.deleted(1, &mut worker).await?;
    let idle = megabytes(worker.resident_bytes()?);
    simulator.start_crowd(notifications, SEED + 1).await?;
    let mut passing = [0.0; 3];
    for (seen, part) in passing.iter_mut().zip([4, 2, 1]) {
        simulator.deleted(notifications / part, &mut worker).await?;
        *seen = megabytes(worker.resident_bytes()?);
    }
    worker.stop().await?;
    simulator.stop().await?;
    Ok(Memory { idle, passing })
}
