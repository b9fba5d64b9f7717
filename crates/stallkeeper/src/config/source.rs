//! One tree of keys from the file and the environment, with the place that each value came from.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use toml::de::{DeArray, DeTable, DeValue};

/// What every variable begins with.
pub(super) const PREFIX: &str = "STALLKEEPER_";

/// Variables that are no keys of the configuration: where the file lies, what tests use, and what Kubernetes sets in
/// every pod beside a Service that is named `stallkeeper`.
fn is_foreign(variable: &str) -> bool {
    let is_service_link = || {
        variable == "STALLKEEPER_PORT"
            || variable.starts_with("STALLKEEPER_PORT_")
            || variable.starts_with("STALLKEEPER_SERVICE_")
    };
    variable == "STALLKEEPER_CONFIG" || variable.starts_with("STALLKEEPER_TEST_") || is_service_link()
}

/// A key's path, such as `marketplace[0].queue_url`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(String),
    Index(usize),
}

impl KeyPath {
    pub(super) fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The variable of the same meaning: upper case, an underscore between the steps.
    pub(super) fn variable(&self) -> String {
        let steps = self.0.iter().map(|step| match step {
            Step::Key(key) => key.to_uppercase(),
            Step::Index(index) => index.to_string(),
        });
        format!("{PREFIX}{}", steps.collect::<Vec<_>>().join("_"))
    }

    /// The path without its numbers: what the reference document has to name.
    fn shape(&self) -> String {
        let keys = self.0.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        });
        keys.collect::<Vec<_>>().join(".")
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(formatter, "[{index}]")?,
                Step::Key(key) if place == 0 => formatter.write_str(key)?,
                Step::Key(key) => write!(formatter, ".{key}")?,
            }
        }
        Ok(())
    }
}

/// A value of the file and the line that it stands on.
#[derive(Clone, Debug)]
pub(super) struct Node {
    line: usize,
    pub(super) value: Value,
}

/// A value of the file.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Flag(bool),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
    /// A kind of value that no key takes.
    Other(&'static str),
}

/// Where a value was found.
pub(super) enum Found<'a> {
    Variable(&'a str),
    File(&'a Node),
}

/// The file and the environment, and the problems found in them.
pub(super) struct Source {
    file_name: Option<String>,
    root: Option<Node>,
    variables: BTreeMap<String, String>,
    used: RefCell<BTreeSet<String>>,
    shapes: RefCell<BTreeMap<String, String>>,
    problems: RefCell<Vec<String>>,
}

impl Source {
    /// Reads a file's text, and keeps the variables that could be keys; an empty one counts as not set.
    pub(super) fn new(
        file: Option<(&str, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let variables = environment.into_iter().filter(|(name, value)| {
            name.starts_with(PREFIX) && !is_foreign(name) && !value.trim().is_empty()
        });
        let mut source = Self {
            file_name: file.map(|(name, _)| name.to_owned()),
            root: None,
            variables: variables.collect(),
            used: RefCell::default(),
            shapes: RefCell::default(),
            problems: RefCell::default(),
        };
        if let Some((name, text)) = file {
            let (table, errors) = DeTable::parse_recoverable(text);
            // The first error of a line: what follows on it is mostly its echo.
            let mut by_line = BTreeMap::new();
            for error in &errors {
                by_line
                    .entry(line(text, error.span().unwrap_or_default()))
                    .or_insert_with(|| one_line(error.message()));
            }
            let syntax = by_line.iter().map(|(line, words)| format!("{name}:{line}: {words}"));
            source.problems.get_mut().extend(syntax);
            source.root = Some(Node { line: 1, value: Value::Table(entries(text, table.get_ref())) });
        }
        source
    }

    /// Whether the file could not be read as TOML: what its keys say then is not worth reporting.
    pub(super) fn is_broken(&self) -> bool {
        !self.problems.borrow().is_empty()
    }

    /// A value: the environment goes before the file.
    pub(super) fn find(&self, path: &KeyPath) -> Option<Found<'_>> {
        let variable = path.variable();
        self.shapes.borrow_mut().insert(path.shape(), variable.clone());
        let found = match self.variables.get(&variable) {
            Some(value) => Some(Found::Variable(value)),
            None => self.node(path).map(Found::File),
        };
        self.used.borrow_mut().insert(variable);
        found
    }

    /// The keys that the file has in a table.
    pub(super) fn keys(&self, path: &KeyPath) -> Vec<&str> {
        match self.node(path).map(|node| &node.value) {
            Some(Value::Table(entries)) => entries.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// How many tables a list has, in the file or by the highest number in the environment.
    pub(super) fn length(&self, path: &KeyPath) -> usize {
        self.shapes.borrow_mut().insert(path.shape(), path.variable());
        let in_file = match self.node(path).map(|node| &node.value) {
            Some(Value::List(nodes)) => nodes.len(),
            None => 0,
            Some(_) => {
                self.refuse(path, &format!("expected tables: write [[{}]]", path.shape()));
                0
            }
        };
        let prefix = format!("{}_", path.variable());
        let number = |name: &str| name.strip_prefix(&prefix)?.split('_').next()?.parse::<usize>().ok();
        let in_environment =
            self.variables.keys().filter_map(|name| number(name)).filter(|number| *number < LIST_MAX).max();
        in_file.max(in_environment.map_or(0, |number| number + 1))
    }

    /// Whether anything is said below this path.
    pub(super) fn has(&self, path: &KeyPath) -> bool {
        let prefix = format!("{}_", path.variable());
        self.node(path).is_some() || self.variables.keys().any(|name| name.starts_with(&prefix))
    }

    /// Notes a problem with the value at `path`, or with what should stand there.
    pub(super) fn refuse(&self, path: &KeyPath, words: &str) {
        let variable = path.variable();
        let place = match (self.variables.contains_key(&variable), &self.file_name) {
            (false, Some(file)) => format!("{file}:{}", self.line(path)),
            (true, _) | (false, None) => variable,
        };
        self.problems.borrow_mut().push(format!("{place}: {path}: {words}"));
    }

    /// All problems, where the keys were not read.
    pub(super) fn give_up(self) -> Vec<String> {
        self.problems.into_inner()
    }

    /// All problems once every key was read, those about variables that no key has among them.
    pub(super) fn finish(self) -> Vec<String> {
        let mut problems = self.problems.into_inner();
        let used = self.used.into_inner();
        let unknown = self.variables.keys().filter(|name| !used.contains(*name));
        problems.extend(unknown.map(|name| {
            format!("{name}: no key has this variable; `stallkeeper config default` lists them all")
        }));
        problems
    }

    /// Every key that was asked for, without numbers, and a variable for it.
    #[cfg(test)]
    pub(super) fn shapes(&self) -> BTreeMap<String, String> {
        self.shapes.borrow().clone()
    }

    /// Whether the file has the key somewhere.
    #[cfg(test)]
    pub(super) fn names(&self, shape: &str) -> bool {
        let is_empty = |node: &&Node| !matches!(&node.value, Value::List(nodes) if nodes.is_empty());
        let mut nodes: Vec<&Node> = self.root.iter().collect();
        for key in shape.split('.') {
            nodes = nodes
                .into_iter()
                .flat_map(flat)
                .filter_map(|node| child(node, &Step::Key(key.to_owned())))
                .collect();
        }
        nodes.iter().any(is_empty)
    }

    fn node(&self, path: &KeyPath) -> Option<&Node> {
        path.0.iter().try_fold(self.root.as_ref()?, child)
    }

    /// The line of the value, or of the nearest table around where it should be.
    fn line(&self, path: &KeyPath) -> usize {
        let mut nearest = self.root.as_ref();
        let mut line = 1;
        for step in &path.0 {
            nearest = nearest.and_then(|node| child(node, step));
            line = nearest.map_or(line, |node| node.line);
        }
        line
    }
}

/// More entries of one list than anyone needs: a number in a variable beyond it is no entry.
const LIST_MAX: usize = 1_000;

fn child<'a>(node: &'a Node, step: &Step) -> Option<&'a Node> {
    match (&node.value, step) {
        (Value::Table(entries), Step::Key(key)) => entries.get(key),
        (Value::List(nodes), Step::Index(index)) => nodes.get(*index),
        _ => None,
    }
}

/// The node, or the entries of a list.
#[cfg(test)]
fn flat(node: &Node) -> Vec<&Node> {
    match &node.value {
        Value::List(nodes) => nodes.iter().collect(),
        _ => vec![node],
    }
}

fn entries(text: &str, table: &DeTable<'_>) -> BTreeMap<String, Node> {
    let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let key: &std::borrow::Cow<'_, str> = key.get_ref();
        (key.to_string(), node(text, value))
    };
    table.iter().map(entry).collect()
}

fn node(text: &str, value: &toml::Spanned<DeValue<'_>>) -> Node {
    Node { line: line(text, value.span()), value: self::value(text, value.get_ref()) }
}

fn value(text: &str, value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(string) => Value::Text(string.to_string()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(integer) => Value::Integer(integer),
            Err(_) => Value::Other("a number beyond all bounds"),
        },
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Array(array) => Value::List(list(text, array)),
        DeValue::Table(table) => Value::Table(entries(text, table)),
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
    }
}

fn list(text: &str, array: &DeArray<'_>) -> Vec<Node> {
    array.iter().map(|value| node(text, value)).collect()
}

fn line(text: &str, span: Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
