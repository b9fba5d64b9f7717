//! The worker: from the queue to committed to deleted.

use crate::installation::Installation;
use crate::run::Run;
use crate::stand::{Database, Stand};

/// Where a worker leaves what it wrote, for the script that writes the same.
pub(crate) const DATABASE: &str = "worker";

/// Lets a worker empty a full queue into a fresh database; gives the database's URL, too.
pub(crate) async fn measure(
    stand: &Stand<'_>,
    database: Database,
    notifications: u64,
) -> anyhow::Result<(Run, String)> {
    let simulator = stand.loaded_simulator(notifications).await?;
    let url = stand.fresh(database, DATABASE)?;
    let installation = Installation::new(stand.binary(), &simulator, simulator.url(), &url).await?;
    let run = Run::timed(&simulator, stand.server_of(database), || installation.start()).await?;
    simulator.stop().await?;
    Ok((run, url))
}
