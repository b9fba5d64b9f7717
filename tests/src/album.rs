//! Where a browser's screenshots go.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Kept there for somebody to look at, below which each test has a folder of its own.
const KEPT_IN: &str = "STALLKEEPER_TEST_SCREENSHOTS";

/// A folder of screenshots; gone with the test, unless the environment says where they are kept.
#[derive(Debug)]
pub struct Album {
    path: PathBuf,
    _folder: Option<TempDir>,
}

impl Album {
    /// An empty one.
    pub fn new(name: &str) -> Self {
        if let Some(kept) = env::var_os(KEPT_IN) {
            let path = Path::new(&kept).join(name);
            fs::create_dir_all(&path).expect("cannot make a folder for screenshots");
            return Self { path, _folder: None };
        }
        let folder = tempfile::tempdir().expect("cannot make a folder for screenshots");
        Self { path: folder.path().to_owned(), _folder: Some(folder) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
