//! The local marketplace, as somebody uses it who has nothing to do with Stallkeeper's worker.

use std::path::{Path, PathBuf};

use stallkeeper_tests::{environment, run_pinned};

fn docs(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(file)
}

#[test]
fn the_documented_python_script_tests_a_handler_against_it() {
    let script = docs("handler_test.py");
    let finished = run_pinned("python", &[script.to_str().unwrap(), &environment("STALLKEEPER_TEST_BINARY")]);
    finished.expect_success();
    assert_eq!(finished.stdout, "aurora is subscribed\naurora is ending\naurora is ended\n");
}

#[test]
fn the_page_shows_the_script_as_it_is_and_it_has_less_than_40_lines() {
    let script = std::fs::read_to_string(docs("handler_test.py")).unwrap();
    let page = std::fs::read_to_string(docs("simulator.md")).unwrap();
    assert!(page.contains(&script), "docs/simulator.md shows another script");
    assert!(script.lines().count() < 40, "{} lines", script.lines().count());
}
