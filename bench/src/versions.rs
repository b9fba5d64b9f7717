use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::node;
use crate::process::capture;
use crate::stand::Stand;

/// The same, and what the Node peer is made of.
pub(crate) fn with_peers(stand: &Stand<'_>) -> anyhow::Result<BTreeMap<String, String>> {
    let mut versions = versions(stand)?;
    versions.extend(node::versions(stand)?);
    Ok(versions)
}

/// What the measurements were made with, but for what `rows.py` tells itself.
pub(crate) fn versions(stand: &Stand<'_>) -> anyhow::Result<BTreeMap<String, String>> {
    Ok(BTreeMap::from([
        ("rustc".to_owned(), capture(Command::new("rustc").arg("--version"))?.trim().to_owned()),
        ("Postgres".to_owned(), stand.server.version()?),
        ("kernel".to_owned(), fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned()),
        ("processors".to_owned(), processors()?),
        ("stallkeeper".to_owned(), capture(Command::new(stand.binary()).arg("--version"))?.trim().to_owned()),
    ]))
}

/// How many, and of what kind.
fn processors() -> anyhow::Result<String> {
    let text = fs::read_to_string("/proc/cpuinfo")?;
    let kind = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("of an unknown kind", |(_, name)| name);
    Ok(format!("{} x {kind}", std::thread::available_parallelism()?))
}
