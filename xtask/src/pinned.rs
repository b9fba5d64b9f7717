//! Packages of other languages, installed as files of the tree pin them, each set in a folder of its own.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::tree::Tree;

/// A set of packages and where it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pinned {
    /// What it is, for people.
    pub(crate) what: &'static str,
    /// How its folders below the target folder begin.
    pub(crate) prefix: &'static str,
    /// The files that say which packages, from the tree's root.
    pub(crate) files: &'static [&'static str],
}

impl Pinned {
    /// Where this very set is installed.
    pub(crate) fn installed(&self, tree: &Tree) -> Result<PathBuf> {
        let folder = self.folder(tree)?;
        ensure!(marker(&folder).is_file(), "{} not installed as pinned; run `cargo xtask setup`", self.what);
        Ok(folder)
    }

    /// Installs the set, unless it is there already; older ones are removed.
    pub(crate) fn install(&self, tree: &Tree, install: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let folder = self.folder(tree)?;
        if marker(&folder).is_file() {
            return Ok(());
        }
        println!("installing {} into {}", self.what, folder.display());
        self.remove_all(tree)?;
        install(&folder)?;
        File::create(marker(&folder)).with_context(|| format!("cannot mark {} as ready", self.what))?;
        Ok(())
    }

    /// Named by what the files say, so that a changed pin makes a new one.
    fn folder(&self, tree: &Tree) -> Result<PathBuf> {
        let mut hasher = DefaultHasher::new();
        for file in self.files {
            let content = fs::read(tree.root().join(file)).with_context(|| format!("cannot read {file}"))?;
            content.hash(&mut hasher);
        }
        Ok(tree.target().join(format!("{}{:016x}", self.prefix, hasher.finish())))
    }

    fn remove_all(&self, tree: &Tree) -> Result<()> {
        fs::create_dir_all(tree.target()).context("cannot make the target folder")?;
        for entry in fs::read_dir(tree.target()).context("cannot list the target folder")? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(self.prefix) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

fn marker(folder: &Path) -> PathBuf {
    folder.join("ready")
}
