//! A minimal Debian to stand the image on, as no published one can be pulled.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::sources;
use super::storage::Storage;
use crate::program::{capture, tied};

/// What Debian's own slim image does without, and what debootstrap leaves of this machine.
const LEFT_OUT: [&str; 12] = [
    "etc/apt/sources.list",
    "etc/hostname",
    "etc/resolv.conf",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "var/cache/apt",
    "var/cache/debconf",
    "var/lib/apt/lists",
    "var/log",
];

/// The base image's name; it is made where it is not there yet.
pub(super) fn ensure(storage: &Storage, folder: &Path) -> Result<String> {
    let release = release()?;
    let name = format!("localhost/debian:{release}");
    if !storage.has(&name) {
        println!("making {name}");
        make(storage, &folder.join("base"), &release, &name)?;
    }
    Ok(name)
}

/// This machine's own release: the binary is linked to its C library.
fn release() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("cannot tell which release this is")?;
    match text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")) {
        Some(release) => Ok(release.trim_matches('"').to_owned()),
        None => bail!("/etc/os-release has no VERSION_CODENAME; this takes a release of Debian"),
    }
}

fn make(storage: &Storage, files: &Path, release: &str, name: &str) -> Result<()> {
    remove(files)?;
    // What is mounted in a namespace goes with it, however this ends.
    let mut debootstrap = tied("unshare");
    debootstrap.args(["--mount", "--pid", "--fork", "--kill-child", "debootstrap", "--variant=minbase"]);
    capture(debootstrap.arg(release).arg(files).arg(sources::mirror(release)?))?;
    for part in LEFT_OUT {
        remove(&files.join(part))?;
    }
    let copy = storage.working_copy("scratch")?;
    copy.add(files)?;
    copy.commit(name)?;
    remove(files)
}

/// A file or a folder, or nothing at all.
fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}
