//! The alerts against what the workers' sources write.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{read, yaml};

/// The rules of all groups.
fn rules() -> Vec<Value> {
    let document = yaml("alerts.yaml", "import yaml", "yaml.safe_load(open(path))");
    let groups = document["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn text<'a>(rule: &'a Value, field: &str) -> &'a str {
    rule[field].as_str().unwrap_or_else(|| panic!("no {field}: {rule:#}"))
}

/// The names of metrics in an expression.
fn metrics(expression: &str) -> BTreeSet<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let words = expression.split(|character| !is_part(character));
    words.filter(|word| word.starts_with("stallkeeper_")).map(str::to_owned).collect()
}

/// The sources of all crates but their tests, in one text.
fn sources() -> String {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut folders: Vec<_> =
        fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path().join("src")).collect();
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                text += &fs::read_to_string(path).unwrap();
            }
        }
    }
    text
}

#[test]
fn every_metric_of_an_alert_is_written_by_the_worker() {
    let (rules, sources) = (rules(), sources());
    let named: BTreeSet<String> = rules.iter().flat_map(|rule| metrics(text(rule, "expr"))).collect();
    assert!(named.len() >= 9, "only {named:?} are named");
    for metric in named {
        let is_written =
            ["gauge", "counter"].iter().any(|kind| sources.contains(&format!("{kind}!(\"{metric}\"")));
        assert!(is_written, "no crate writes {metric}");
    }
}

#[test]
fn every_alert_says_what_it_means_what_to_do_and_how_urgent_it_is() {
    let rules = rules();
    let names: BTreeSet<&str> = rules.iter().map(|rule| text(rule, "alert")).collect();
    assert_eq!(names.len(), rules.len(), "two alerts share a name");
    let readme = read("README.md");
    for rule in &rules {
        let name = text(rule, "alert");
        assert!(readme.contains(&format!("`{name}`")), "deploy/README.md does not tell of {name}");
        assert!(!metrics(text(rule, "expr")).is_empty(), "{name} looks at nothing of the worker");
        assert!(["page", "ticket"].contains(&text(&rule["labels"], "severity")), "{name}");
        for annotation in ["summary", "description"] {
            assert!(text(&rule["annotations"], annotation).len() > 20, "{name}: {annotation}");
        }
    }
}

#[test]
fn the_expressions_brackets_are_closed() {
    for rule in rules() {
        let mut open = Vec::new();
        for character in text(&rule, "expr").chars() {
            match character {
                '(' => open.push(')'),
                '{' => open.push('}'),
                '[' => open.push(']'),
                ')' | '}' | ']' => assert_eq!(open.pop(), Some(character), "{rule:#}"),
                _ => {}
            }
        }
        assert!(open.is_empty(), "{rule:#}");
    }
}
