//! buildah with a storage of its own in the target folder: no daemon, and nothing of the machine's is touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::program::{capture, succeeds, tied};

/// Where images are kept.
pub(super) struct Storage {
    root: PathBuf,
    run: PathBuf,
}

/// What an image weighs.
pub(super) struct Size {
    /// On disk.
    pub(super) bytes: u64,
    /// In a registry.
    pub(super) compressed_bytes: u64,
}

/// A working copy of an image, removed when dropped.
pub(super) struct WorkingCopy<'a> {
    storage: &'a Storage,
    id: String,
}

impl Storage {
    pub(super) fn new(folder: &Path) -> Self {
        Self { root: folder.join("storage"), run: folder.join("storage-run") }
    }

    /// Chroot needs no container engine, and vfs no file system of its own.
    pub(super) fn buildah(&self) -> Command {
        let mut command = tied("buildah");
        command.args(["--storage-driver", "vfs", "--root"]).arg(&self.root).arg("--runroot").arg(&self.run);
        command.env("BUILDAH_ISOLATION", "chroot");
        command
    }

    pub(super) fn has(&self, image: &str) -> bool {
        succeeds(self.buildah().args(["inspect", "--type", "image", image]))
    }

    /// A working copy of an image, or of nothing where it is `scratch`.
    pub(super) fn working_copy(&self, image: &str) -> Result<WorkingCopy<'_>> {
        let id = capture(self.buildah().args(["from", "--pull-never", image]))?;
        Ok(WorkingCopy { storage: self, id: id.trim_end().to_owned() })
    }

    /// Removes the images that a newer one has taken the name of.
    pub(super) fn remove_unnamed(&self) -> Result<()> {
        capture(self.buildah().args(["rmi", "--prune"])).map(drop)
    }

    /// Weighs an image by writing it out into the folder, both ways in which it travels.
    pub(super) fn size(&self, image: &str, folder: &Path) -> Result<Size> {
        let (archive, layout) = (folder.join("archive.tar"), folder.join("layout"));
        let write = |target: String| capture(self.buildah().args(["push", "--quiet", image]).arg(target));
        write(format!("docker-archive:{}", archive.display()))?;
        write(format!("oci:{}", layout.display()))?;
        let blobs = fs::read_dir(layout.join("blobs/sha256")).context("the image has no blobs")?;
        let blobs = blobs.map(|blob| blob?.metadata()).collect::<std::io::Result<Vec<_>>>()?;
        let size = Size {
            bytes: fs::metadata(&archive).context("cannot weigh the image")?.len(),
            compressed_bytes: blobs.iter().map(fs::Metadata::len).sum(),
        };
        fs::remove_file(archive).and_then(|()| fs::remove_dir_all(layout)).context("cannot tidy up")?;
        Ok(size)
    }
}

impl WorkingCopy<'_> {
    /// Copies a folder's files to its root.
    pub(super) fn add(&self, folder: &Path) -> Result<()> {
        capture(self.storage.buildah().args(["add", "--quiet", &self.id]).arg(folder).arg("/")).map(drop)
    }

    pub(super) fn commit(&self, image: &str) -> Result<()> {
        capture(self.storage.buildah().args(["commit", "--quiet", &self.id, image])).map(drop)
    }

    /// Where its files are; with vfs, nothing is mounted for that.
    pub(super) fn files(&self) -> Result<PathBuf> {
        let path = capture(self.storage.buildah().args(["mount", &self.id]))?;
        Ok(PathBuf::from(path.trim_end()))
    }
}

impl Drop for WorkingCopy<'_> {
    fn drop(&mut self) {
        if let Err(error) = capture(self.storage.buildah().args(["rm", &self.id])) {
            eprintln!("cannot remove a working copy: {error:#}");
        }
    }
}
