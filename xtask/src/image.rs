//! The container image: built where no registry is within reach, tried as it is meant to run, and weighed.

mod base;
mod sources;
mod storage;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use self::storage::{Size, Storage};
use self::trial::Trial;
use crate::program::{self, cargo, is_root, succeeds};
use crate::setup::{self, Part};
use crate::tree::Tree;

const IMAGE: &str = "localhost/stallkeeper";

/// Where Debian keeps Mozilla's roots, without what an administrator has added to them.
const ROOTS: &str = "/usr/share/ca-certificates/mozilla";

const PARTS: [Part; 3] = [
    Part { package: "buildah", is_here: || succeeds(Command::new("buildah").arg("--version")) },
    Part { package: "ca-certificates", is_here: || Path::new(ROOTS).is_dir() },
    Part { package: "debootstrap", is_here: || succeeds(Command::new("debootstrap").arg("--version")) },
];

/// What a seller tries first; none needs anything but the image.
const TRIALS: [&[&str]; 3] = [&["--version"], &["config", "default"], &["demo"]];

/// Builds the image from the tree as it is, tries it and prints what it weighs.
pub(crate) fn run(tree: &Tree) -> Result<()> {
    ensure!(is_root(), "an image's files belong to several users, so run this as root");
    setup::install_missing(&PARTS)?;
    let folder = tree.target().join("image");
    let storage = Storage::new(&folder);
    let base = base::ensure(&storage, &folder)?;
    let parts = gather(tree, &folder.join("parts"))?;
    build(tree, &storage, &base, &parts)?;
    let trials = trial::run_all(&storage, IMAGE, &TRIALS)?;
    print_sizes(&storage, &base, &parts, &folder)?;
    print_trials(&trials)
}

/// A folder with what the Containerfile's stage `binary` makes elsewhere.
fn gather(tree: &Tree, parts: &Path) -> Result<PathBuf> {
    program::run(cargo(tree).args(["build", "--release", "--locked", "--package", "stallkeeper"]))?;
    fs::create_dir_all(parts).context("cannot make a folder for the image's parts")?;
    let binary = parts.join("stallkeeper");
    fs::copy(tree.target().join("release/stallkeeper"), &binary).context("cannot copy the binary")?;
    fs::write(parts.join("ca-certificates.crt"), roots()?).context("cannot write the roots")?;
    Ok(parts.to_path_buf())
}

fn roots() -> Result<Vec<u8>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(ROOTS).context("cannot list the roots")? {
        files.push(entry?.path());
    }
    ensure!(!files.is_empty(), "{ROOTS} is empty; install ca-certificates anew");
    files.sort();
    let texts: Vec<Vec<u8>> = files.iter().map(fs::read).collect::<std::io::Result<_>>()?;
    Ok(texts.concat())
}

fn build(tree: &Tree, storage: &Storage, base: &str, parts: &Path) -> Result<()> {
    println!("building {IMAGE}");
    // Docker's format: the other has no health check.
    let mut build = storage.buildah();
    build.args(["build", "--format", "docker", "--layers=false", "--pull-never", "--tag", IMAGE]);
    build.arg("--build-arg").arg(format!("BASE_IMAGE={base}"));
    build.arg("--build-context").arg(format!("binary={}", parts.display()));
    build.arg("--file").arg(tree.root().join("deploy/Containerfile"));
    program::run(build.arg(tree.root()))?;
    storage.remove_unnamed()
}

fn print_sizes(storage: &Storage, base: &str, parts: &Path, folder: &Path) -> Result<()> {
    let binary = fs::metadata(parts.join("stallkeeper")).context("cannot weigh the binary")?.len();
    println!("\n{:<24} {:>12} {:>14}", "part", "MB", "compressed MB");
    println!("{:<24} {:>12} {:>14}", "binary", megabytes(binary), "");
    for (name, image) in [("base", base), ("image", IMAGE)] {
        let Size { bytes, compressed_bytes } = storage.size(image, folder)?;
        println!("{name:<24} {:>12} {:>14}", megabytes(bytes), megabytes(compressed_bytes));
    }
    Ok(())
}

fn print_trials(trials: &[Trial]) -> Result<()> {
    println!("\n{:<24} {:>12}   last line", "in the image", "ended with");
    for trial in trials {
        println!("{:<24} {:>12}   {}", trial.command, trial.status, trial.last_line());
    }
    let failed: Vec<&Trial> = trials.iter().filter(|trial| !trial.status.success()).collect();
    for trial in &failed {
        println!("\n--- {}\n{}", trial.command, trial.output);
    }
    ensure!(failed.is_empty(), "{} of {} commands failed in the image", failed.len(), trials.len());
    Ok(())
}

/// Millions of bytes, as registries count them.
fn megabytes(bytes: u64) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes / 100_000 % 10)
}

#[cfg(test)]
mod tests {
    use super::megabytes;

    #[test]
    fn sizes_are_told_in_millions_of_bytes() {
        assert_eq!([0, 99_999, 1_000_000, 27_654_321].map(megabytes), ["0.0", "0.0", "1.0", "27.6"]);
    }
}
