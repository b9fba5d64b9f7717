//! From the start of the process to its first poll, on a database that exists.

use std::time::Duration;

use tokio::time::Instant;

use crate::installation::Installation;
use crate::proxy::Proxy;
use crate::stand::{Database, Stand};

/// Starts a worker and gives the time to the first receive that comes from it.
pub(crate) async fn measure(stand: &Stand<'_>, database: Database) -> anyhow::Result<Duration> {
    let simulator = stand.simulator()?;
    let mut proxy = Proxy::start(simulator.url()).await?;
    let url = stand.fresh(database, "start")?;
    let installation = Installation::new(stand.binary(), &simulator, proxy.url(), &url).await?;
    let started = Instant::now();
    let worker = installation.start()?;
    let took = proxy.first_receive().await?.duration_since(started);
    worker.stop().await?;
    simulator.stop().await?;
    Ok(took)
}
