//! `stallkeeper migrate`

use std::io::Write;

use crate::config::Config;
use crate::store;

/// Brings the database to this version's schema; safe to repeat, and while workers run.
///
/// # Errors
/// When the database cannot be reached or refuses.
pub async fn run(config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let (_, count) = store::migrate(config.required_database_url()?).await?;
    match count {
        0 => writeln!(out, "the database is up to date")?,
        1 => writeln!(out, "1 migration was applied")?,
        count => writeln!(out, "{count} migrations were applied")?,
    }
    Ok(())
}
