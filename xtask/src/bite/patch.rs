//! A planted bug as its file states it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bite::hunt::Hunt;

#[derive(Debug)]
pub(crate) struct Patch {
    /// The file's name without its ending.
    pub(crate) name: String,
    /// What is wrong with the code once it is planted.
    pub(crate) bug: String,
    /// The test that must find it.
    pub(crate) hunt: Hunt,
    pub(crate) path: PathBuf,
}

impl Patch {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(path, &text).with_context(|| format!("{} is no bite", path.display()))
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self> {
        let header = |key: &str| {
            let mut before_diff = text.lines().take_while(|line| !line.starts_with("diff --git"));
            before_diff
                .find_map(|line| line.strip_prefix(key))
                .map(|value| value.trim().to_owned())
                .with_context(|| format!("no `{key}` line before the diff"))
        };
        let name = path.file_stem().context("a patch file has a name")?;
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            bug: header("bug:")?,
            hunt: Hunt::parse(&header("test:")?)?,
            path: path.to_path_buf(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Patch;

    #[test]
    fn a_patch_states_its_bug_and_its_test_before_the_diff() {
        let text = "bug: the rank is lost\ntest: -p a --test b c\ndiff --git a/x b/x\ntest: -p no --lib\n";
        let parsed = Patch::parse(Path::new("lost-rank.patch"), text).unwrap();
        assert_eq!(parsed.name, "lost-rank");
        assert_eq!(parsed.bug, "the rank is lost");
        assert_eq!(parsed.hunt.to_string(), "-p a --test b c");
    }

    #[test]
    fn a_patch_without_a_test_is_refused() {
        let text = "bug: one\ndiff --git a/x b/x\ntest: -p a --lib\n";
        assert!(Patch::parse(Path::new("one.patch"), text).is_err());
    }
}
