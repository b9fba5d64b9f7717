//! Where things are: the work tree and its target folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A checkout of the project and the target folder its builds go to.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    target: PathBuf,
}

impl Tree {
    /// The checkout that this `cargo xtask` was built from, and the target folder it was built into.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
        let binary = std::env::current_exe().context("cannot find the running xtask binary")?;
        let target = binary.ancestors().nth(2).context("xtask does not run from a target folder")?;
        Ok(Self { root: root.to_path_buf(), target: target.to_path_buf() })
    }

    pub(crate) fn new(root: PathBuf, target: PathBuf) -> Self {
        Self { root, target }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The `stallkeeper` binary that a plain `cargo build` makes.
    pub(crate) fn binary(&self) -> PathBuf {
        self.target.join("debug/stallkeeper")
    }
}
