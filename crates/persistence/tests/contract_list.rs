//! No behaviour of the contract is forgotten.

use std::fs;
use std::path::Path;

#[test]
fn every_behaviour_is_in_the_list_that_stores_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contract");
    let list = fs::read_to_string(folder.join("mod.rs")).unwrap();
    let mut behaviours = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("contention.rs") || path.ends_with("usage_contention.rs") {
            continue; // a store's own test runs them
        }
        let source = fs::read_to_string(&path).unwrap();
        for name in source.lines().filter_map(behaviour) {
            behaviours += 1;
            assert!(list.contains(&format!(" {name},")), "{name} of {} is not listed", path.display());
        }
    }
    assert!(behaviours > 140, "found only {behaviours} behaviours");
}

/// The name of the behaviour that begins in this line.
fn behaviour(line: &str) -> Option<&str> {
    line.strip_prefix("pub async fn ")?.split_once('(').map(|(name, _)| name)
}
