//! A copy of the work tree, with what was built already, in which bugs may be planted.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::bite::hunt::Finding;
use crate::bite::patch::Patch;
use crate::program::{capture, run};
use crate::tree::Tree;

/// The copy; it stays until the next one is made, for whoever wants to look.
#[derive(Debug)]
pub(crate) struct Copy {
    tree: Tree,
}

impl Copy {
    /// Copies the tracked and the new files as they are, and the built dependencies, times and all: cargo
    /// then builds only what a patch touches. Always anew, because a leftover of a planted bug whose time
    /// is older than its build would be taken for the true code.
    pub(crate) fn make(tree: &Tree) -> Result<Self> {
        let folder = tree.target().join("bite");
        if folder.exists() {
            fs::remove_dir_all(&folder).context("cannot remove the last copy")?;
        }
        let copy = Self { tree: Tree::new(folder.join("tree"), folder.join("target")) };
        fs::create_dir_all(copy.tree.root()).context("cannot make the copy")?;
        fs::create_dir_all(copy.tree.target().join("debug")).context("cannot make its target folder")?;
        copy_sources(tree, &copy.tree)?;
        copy_dependencies(tree, &copy.tree)?;
        Ok(copy)
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Plants the bug, hunts it, and takes it out again.
    pub(crate) fn with(&self, patch: &Patch, hunt: impl FnOnce() -> Result<Finding>) -> Result<Finding> {
        if let Err(error) = capture(&mut self.git_apply(patch, &["--check"])) {
            return Ok(Finding::DoesNotApply(error.to_string()));
        }
        capture(&mut self.git_apply(patch, &[]))?;
        let finding = hunt();
        capture(&mut self.git_apply(patch, &["--reverse"])).context("the bug cannot be taken out again")?;
        finding
    }

    fn git_apply(&self, patch: &Patch, options: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(["apply", "--whitespace=nowarn"]).args(options).arg(&patch.path);
        command.current_dir(self.tree.root());
        // The copy is no repository; the one around it must not be taken for its own.
        command.env("GIT_CEILING_DIRECTORIES", self.tree.root().parent().unwrap_or(self.tree.root()));
        command
    }
}

fn copy_sources(from: &Tree, to: &Tree) -> Result<()> {
    let list = capture(
        Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(from.root()),
    )?;
    for name in list.lines().filter(|name| from.root().join(name).is_file()) {
        copy_file(&from.root().join(name), &to.root().join(name))?;
    }
    Ok(())
}

/// What was built of others' code; that of the work tree is named by its path, and built again in the copy.
fn copy_dependencies(from: &Tree, to: &Tree) -> Result<()> {
    let (from, to) = (from.target().join("debug"), to.target().join("debug"));
    for part in ["build", ".fingerprint"] {
        if from.join(part).exists() {
            run(Command::new("cp").args(["--archive", "--reflink=auto"]).arg(from.join(part)).arg(&to))?;
        }
    }
    let Ok(built) = fs::read_dir(from.join("deps")) else { return Ok(()) };
    for entry in built {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if text.starts_with("lib") && !text.contains("stallkeeper") {
            copy_file(&from.join("deps").join(&name), &to.join("deps").join(&name))?;
        }
    }
    Ok(())
}

/// With its time, by which cargo tells what is to be built again.
fn copy_file(source: &Path, target: &Path) -> Result<()> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    let modified = fs::metadata(source)?.modified()?;
    fs::copy(source, target).with_context(|| format!("cannot copy {}", source.display()))?;
    fs::File::options().append(true).open(target)?.set_modified(modified)?;
    Ok(())
}
