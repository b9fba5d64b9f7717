//! The migrated database that every test clones.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::postgres::Cluster;
use crate::program::capture;
use crate::tree::Tree;

/// The template database's name.
pub(crate) const NAME: &str = "stallkeeper_template";

/// Creates the template and lets the built binary migrate it; a failure leaves no half-made template.
pub(crate) fn create(tree: &Tree, cluster: &Cluster) -> Result<()> {
    let binary = tree.binary();
    ensure!(binary.is_file(), "{} is not built; run `cargo build`", binary.display());
    capture(cluster.psql("postgres")?.args(["--command", &format!("CREATE DATABASE {NAME}")]))?;
    let migrated =
        capture(Command::new(&binary).arg("migrate").env("STALLKEEPER_DATABASE_URL", cluster.url(NAME)));
    if migrated.is_err() {
        capture(
            cluster.psql("postgres")?.args(["--command", &format!("DROP DATABASE {NAME} WITH (FORCE)")]),
        )?;
    }
    migrated.map(drop).context("`stallkeeper migrate` failed on the template database")
}
