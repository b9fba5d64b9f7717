//! What the browser tests need: Chromium from Debian, and what drives it and checks pages from npm.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::pinned::Pinned;
use crate::program::{bounded, capture, on_path};
use crate::tree::Tree;

const FOLDER: &str = "tests/browser";
const FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];
const PINNED: Pinned = Pinned {
    what: "playwright-core and axe-core",
    prefix: "test-node-",
    files: &["tests/browser/package.json", "tests/browser/package-lock.json"],
};

/// Where Debian's package puts the font with Chinese letters.
const CHINESE_FONT: &str = "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc";

/// The folder below which `node_modules` stands.
pub(crate) fn modules(tree: &Tree) -> Result<PathBuf> {
    PINNED.installed(tree)
}

/// Installs the modules as the lock file pins them; no script of theirs is run.
pub(crate) fn install(tree: &Tree) -> Result<()> {
    PINNED.install(tree, |folder| {
        copy_pins(tree, folder)?;
        let mut npm = bounded("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
        capture(&mut npm).map(drop)
    })
}

fn copy_pins(tree: &Tree, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).context("cannot make a folder for node's modules")?;
    for name in FILES {
        let from = tree.root().join(FOLDER).join(name);
        fs::copy(&from, folder.join(name)).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}

/// Whether pages in Chinese can be shown.
pub(crate) fn has_chinese_font() -> bool {
    fs::exists(CHINESE_FONT).unwrap_or_default()
}

/// The program of Debian's package.
pub(crate) fn chromium() -> Result<PathBuf> {
    on_path("chromium").context("Chromium is not installed; run `cargo xtask setup`")
}
