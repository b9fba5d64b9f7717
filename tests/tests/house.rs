//! The house rules that a compiler does not hold.
#![expect(clippy::unwrap_used, reason = "a work tree that cannot be read fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Which crate may know which; a crate that is not here has no place in the house yet.
const ALLOWED: &[(&str, &[&str])] = &[
    ("stallkeeper-lifecycle", &[]),
    ("stallkeeper-ledger", &["stallkeeper-lifecycle"]),
    ("stallkeeper-runtime", &[]),
    ("stallkeeper-notification", &["stallkeeper-lifecycle"]),
    ("stallkeeper-poller", &["stallkeeper-runtime"]),
    ("stallkeeper-persistence", &["stallkeeper-ledger", "stallkeeper-lifecycle", "stallkeeper-runtime"]),
    (
        "stallkeeper-persistence-postgres",
        &["stallkeeper-ledger", "stallkeeper-lifecycle", "stallkeeper-persistence", "stallkeeper-runtime"],
    ),
    (
        "stallkeeper-persistence-sqlite",
        &["stallkeeper-ledger", "stallkeeper-lifecycle", "stallkeeper-persistence", "stallkeeper-runtime"],
    ),
    ("stallkeeper-outbox", &["stallkeeper-lifecycle", "stallkeeper-persistence", "stallkeeper-runtime"]),
    (
        "stallkeeper-metering",
        &["stallkeeper-ledger", "stallkeeper-lifecycle", "stallkeeper-persistence", "stallkeeper-runtime"],
    ),
    (
        "stallkeeper-entitlement",
        &["stallkeeper-ledger", "stallkeeper-lifecycle", "stallkeeper-persistence", "stallkeeper-runtime"],
    ),
    (
        "stallkeeper-registration",
        &[
            "stallkeeper-lifecycle",
            "stallkeeper-notification",
            "stallkeeper-persistence",
            "stallkeeper-runtime",
        ],
    ),
    (
        "stallkeeper-contract",
        &["stallkeeper-lifecycle", "stallkeeper-outbox", "stallkeeper-persistence", "stallkeeper-runtime"],
    ),
    (
        "stallkeeper-aws",
        &[
            "stallkeeper-contract",
            "stallkeeper-ledger",
            "stallkeeper-lifecycle",
            "stallkeeper-metering",
            "stallkeeper-registration",
        ],
    ),
    (
        "stallkeeper-web",
        &[
            "stallkeeper-entitlement",
            "stallkeeper-ledger",
            "stallkeeper-lifecycle",
            "stallkeeper-persistence",
            "stallkeeper-registration",
            "stallkeeper-runtime",
        ],
    ),
    ("stallkeeper-simulator", &[]),
    (
        "stallkeeper-webhook",
        &[
            "stallkeeper-ledger",
            "stallkeeper-lifecycle",
            "stallkeeper-outbox",
            "stallkeeper-persistence",
            "stallkeeper-runtime",
        ],
    ),
    (
        "stallkeeper",
        &[
            "stallkeeper-aws",
            "stallkeeper-contract",
            "stallkeeper-entitlement",
            "stallkeeper-ledger",
            "stallkeeper-lifecycle",
            "stallkeeper-metering",
            "stallkeeper-notification",
            "stallkeeper-outbox",
            "stallkeeper-persistence",
            "stallkeeper-persistence-postgres",
            "stallkeeper-persistence-sqlite",
            "stallkeeper-poller",
            "stallkeeper-registration",
            "stallkeeper-runtime",
            "stallkeeper-simulator",
            "stallkeeper-web",
            "stallkeeper-webhook",
        ],
    ),
    ("stallkeeper-tests", &["xtask"]),
    (
        "stallkeeper-simulation",
        &[
            "stallkeeper-ledger",
            "stallkeeper-lifecycle",
            "stallkeeper-metering",
            "stallkeeper-persistence",
            "stallkeeper-persistence-postgres",
            "stallkeeper-persistence-sqlite",
            "stallkeeper-runtime",
            "stallkeeper-simulator",
            "stallkeeper-tests",
        ],
    ),
    (
        "stallkeeper-bench",
        &[
            "stallkeeper-ledger",
            "stallkeeper-lifecycle",
            "stallkeeper-metering",
            "stallkeeper-persistence",
            "stallkeeper-persistence-postgres",
            "stallkeeper-persistence-sqlite",
            "stallkeeper-runtime",
            "stallkeeper-simulator",
            "xtask",
        ],
    ),
    ("xtask", &[]),
];

#[test]
fn a_crate_knows_only_what_stands_below_it() {
    let metadata = metadata();
    let members: BTreeSet<&str> = metadata.workspace_packages().iter().map(|p| p.name.as_str()).collect();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    assert_eq!(
        members,
        allowed.keys().copied().collect(),
        "each crate has its line in ALLOWED, and no other"
    );
    for package in metadata.workspace_packages() {
        for known in normal_dependencies(package).filter(|name| members.contains(name)) {
            assert!(
                allowed[package.name.as_str()].contains(&known),
                "{} must not know {known}",
                package.name
            );
        }
    }
}

#[test]
fn the_allowed_directions_have_no_circle() {
    // Each line names only crates of lines above it, or of the line itself never.
    let mut above = BTreeSet::from(["xtask"]);
    for (name, known) in ALLOWED {
        for below in *known {
            assert!(above.contains(below), "{name} may know {below}, which is not above it in the table");
        }
        above.insert(name);
    }
}

#[test]
fn only_the_runtime_depends_on_backoff() {
    let users: Vec<String> = metadata()
        .workspace_packages()
        .iter()
        .filter(|package| package.dependencies.iter().any(|dependency| dependency.name == "backoff"))
        .map(|package| package.name.to_string())
        .collect();
    assert_eq!(users, ["stallkeeper-runtime"]);
}

#[test]
fn the_rules_are_pure() {
    let metadata = metadata();
    let impure =
        |name: &&str| ["tokio", "sqlx", "reqwest", "futures"].contains(name) || name.starts_with("aws-");
    for rules in ["stallkeeper-lifecycle", "stallkeeper-ledger"] {
        let found: Vec<&str> = normal_dependencies(package(&metadata, rules)).filter(impure).collect();
        assert_eq!(found, Vec::<&str>::new(), "{rules}");
    }
}

#[test]
fn every_crate_has_a_readme_that_is_its_documentation() {
    for package in metadata().workspace_packages() {
        let folder = folder(package);
        let readme = fs::read_to_string(folder.join("README.md"));
        assert!(readme.is_ok_and(|text| text.lines().count() > 1), "{} has no README.md", package.name);
        let library = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
        assert!(
            library.contains("#![doc = include_str!(\"../README.md\")]"),
            "{}'s README.md is not its documentation",
            package.name
        );
    }
}

#[test]
fn every_library_states_its_invariant() {
    for package in metadata().workspace_packages() {
        let readme = fs::read_to_string(folder(package).join("README.md")).unwrap();
        assert!(readme.contains("**Invariant"), "{}'s README.md states no **Invariant**", package.name);
    }
}

#[test]
fn every_crate_takes_the_workspace_s_lints() {
    for package in metadata().workspace_packages() {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} has lints of its own", package.name);
    }
}

#[test]
fn both_databases_have_the_same_migrations() {
    let names = |database: &str| -> BTreeSet<String> {
        let files = fs::read_dir(root().join("migrations").join(database)).unwrap();
        files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let (postgres, sqlite) = (names("postgres"), names("sqlite"));
    assert!(!postgres.is_empty(), "no migrations");
    assert_eq!(postgres, sqlite);
}

#[test]
fn no_test_is_ignored() {
    // Put together here, so that this file is no finding of its own.
    let attribute = format!("#[{}", "ignore");
    for file in sources(&root()) {
        let text = fs::read_to_string(&file).unwrap();
        let ignores = text.lines().any(|line| line.trim_start().starts_with(&attribute));
        assert!(!ignores, "{} ignores a test; delete the test or mend it", file.display());
    }
}

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap()
}

fn package<'metadata>(metadata: &'metadata Metadata, name: &str) -> &'metadata Package {
    metadata.packages.iter().find(|package| package.name.as_str() == name).unwrap()
}

fn normal_dependencies(package: &Package) -> impl Iterator<Item = &str> {
    let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
    normal.map(|dependency| dependency.name.as_str())
}

fn folder(package: &Package) -> PathBuf {
    package.manifest_path.parent().unwrap().into()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every Rust file of the project, below the folders that hold its own code.
fn sources(root: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        ["bench/src", "crates", "tests", "xtask"].iter().map(|name| root.join(name)).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}
