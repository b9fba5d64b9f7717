//! Planted bugs: a check that cannot fail is not a check.
//!
//! Each patch in `xtask/bites` plants one bug in a copy of the work tree and names the test that must find
//! it, in two lines before its diff:
//!
//! ```text
//! bug: an older fact is dropped instead of being folded in
//! test: -p stallkeeper-lifecycle --test properties any_order_gives_the_same_view
//! ```

mod copy;
mod hunt;
mod patch;

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::bite::copy::Copy;
use crate::bite::hunt::{Finding, Hunt};
use crate::bite::patch::Patch;
use crate::services::Services;
use crate::tree::Tree;
use crate::{setup, template};

/// Plants each bug in turn (all, or those named) and fails unless every one is found by its test.
pub(crate) fn run(tree: &Tree, names: &[String]) -> Result<()> {
    let patches = load(tree, names)?;
    setup::run(tree)?;
    let copy = Copy::make(tree)?;
    let hunts: BTreeSet<&Hunt> = patches.iter().map(|patch| &patch.hunt).collect();
    hunt::build_all(copy.tree(), &hunts)?;
    let services = Services::start(tree)?;
    template::create(copy.tree(), services.postgres())?;
    let environment = services.environment(copy.tree());

    for hunt in hunts {
        println!("without a bug: cargo test {hunt}");
        match hunt.run(copy.tree(), &environment)? {
            Finding::NothingFound => {}
            other => bail!("cargo test {hunt} must pass without a bug: {other}"),
        }
    }
    let mut verdicts = Vec::new();
    for patch in &patches {
        println!("planting {}", patch.name);
        let planted_at = Instant::now();
        let finding = copy.with(patch, || patch.hunt.run(copy.tree(), &environment))?;
        println!("  {finding}");
        verdicts.push(Verdict { patch, finding, took: planted_at.elapsed() });
    }
    report(&verdicts)
}

/// What came of one planted bug.
struct Verdict<'a> {
    patch: &'a Patch,
    finding: Finding,
    took: Duration,
}

fn load(tree: &Tree, names: &[String]) -> Result<Vec<Patch>> {
    let folder = tree.root().join("xtask/bites");
    let mut patches = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            patches.push(Patch::read(&path)?);
        }
    }
    if let Some(unknown) = names.iter().find(|name| !patches.iter().any(|patch| patch.name == **name)) {
        bail!("no bite is called {unknown}");
    }
    patches.retain(|patch| names.is_empty() || names.contains(&patch.name));
    ensure!(!patches.is_empty(), "{} holds no patches", folder.display());
    patches.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(patches)
}

/// Prints the table; it is an error unless every bug was found.
fn report(verdicts: &[Verdict<'_>]) -> Result<()> {
    println!("\n{:<34} {:>7}  finding", "bite", "seconds");
    for Verdict { patch, finding, took } in verdicts {
        println!("{:<34} {:>7.1}  {finding}", patch.name, took.as_secs_f64());
        println!("{:<34} {:>7}  {}", "", "", patch.bug);
    }
    let found = verdicts.iter().filter(|verdict| verdict.finding.is_found()).count();
    println!("\n{found} of {} planted bugs found", verdicts.len());
    ensure!(found == verdicts.len(), "{} planted bugs were not found", verdicts.len() - found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{Finding, Patch, Verdict, report};

    fn is_all_found(findings: impl IntoIterator<Item = Finding>) -> bool {
        let text = "bug: one\ntest: -p a --lib\n";
        let patch = Patch::parse(Path::new("one.patch"), text).unwrap();
        let verdict = |finding| Verdict { patch: &patch, finding, took: Duration::ZERO };
        report(&findings.into_iter().map(verdict).collect::<Vec<_>>()).is_ok()
    }

    #[test]
    fn all_is_well_only_when_every_bug_is_found() {
        let found = || Finding::Found(vec!["a_test".to_owned()]);
        assert!(is_all_found([found(), Finding::Hung]));
        let survivors = [
            Finding::NothingFound,
            Finding::NothingRan,
            Finding::DoesNotCompile(String::new()),
            Finding::DoesNotApply(String::new()),
        ];
        for survivor in survivors {
            assert!(!is_all_found([found(), survivor.clone(), found()]), "{survivor:?}");
        }
    }
}
