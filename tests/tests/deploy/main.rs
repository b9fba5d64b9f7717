//! What `deploy/` hands to a seller: the image's recipe, the compose file, the `CloudFormation` template, the alerts.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a file that is not as it should be fails the test"
)]

mod alerts;
mod compose;
mod container;
mod stack;
mod template;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stallkeeper_tests::run_pinned;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

fn read(name: &str) -> String {
    let path = path(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file of YAML as JSON, through a Python expression over `path`.
fn yaml(name: &str, imports: &str, expression: &str) -> Value {
    let script = format!("import json, sys\n{imports}\npath = sys.argv[1]\nprint(json.dumps({expression}))");
    run_pinned("python", &["-c", &script, path(name).to_str().unwrap()]).json()
}
