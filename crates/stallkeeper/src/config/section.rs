//! Typed reading of one table: each key is asked for once, and what nobody asked for is refused.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer;

use super::source::{Found, KeyPath, Source, Value};

/// One table of the configuration while it is read.
pub(super) struct Section<'a> {
    source: &'a Source,
    path: KeyPath,
    asked: RefCell<Vec<&'static str>>,
}

/// Reads the whole document.
pub(super) fn read_root<T>(source: &Source, read: impl FnOnce(&Section<'_>) -> T) -> T {
    read_at(source, KeyPath::default(), read)
}

fn read_at<T>(source: &Source, path: KeyPath, read: impl FnOnce(&Section<'_>) -> T) -> T {
    let section = Section { source, path, asked: RefCell::default() };
    let value = read(&section);
    section.refuse_unknown();
    value
}

impl Section<'_> {
    /// A text, parsed; absent as well where it is refused.
    pub(super) fn text<T: FromStr<Err: Display>>(&self, key: &'static str) -> Option<T> {
        let text = self.string(key)?;
        self.parse(&self.ask(key), &text)
    }

    /// The same, where it must be there.
    pub(super) fn required<T: FromStr<Err: Display>>(&self, key: &'static str) -> Option<T> {
        self.require(key);
        self.text(key)
    }

    /// A text that may be secret: it is never repeated in a problem.
    pub(super) fn string(&self, key: &'static str) -> Option<String> {
        let path = self.ask(key);
        match self.source.find(&path)? {
            Found::Variable(text) => Some(text.to_owned()),
            Found::File(node) => match &node.value {
                Value::Text(text) => Some(text.clone()),
                other => self.wrong(&path, "a text in quotes", other),
            },
        }
    }

    /// One of a few words.
    pub(super) fn word<T: DeserializeOwned>(&self, key: &'static str) -> Option<T> {
        let text = self.string(key)?;
        let word: Result<T, serde::de::value::Error> = T::deserialize(text.as_str().into_deserializer());
        word.map_err(|error| self.refuse(key, &error.to_string())).ok()
    }

    /// A number within bounds.
    pub(super) fn number<T>(&self, key: &'static str, default: T, range: &RangeInclusive<T>) -> T
    where
        T: Copy + Display + PartialOrd + TryFrom<i64>,
    {
        let path = self.ask(key);
        let number = match self.source.find(&path) {
            None => return default,
            Some(Found::Variable(text)) => text.trim().parse().ok(),
            Some(Found::File(node)) => match node.value {
                Value::Integer(number) => Some(number),
                _ => None,
            },
        };
        let number =
            number.and_then(|number| T::try_from(number).ok()).filter(|number| range.contains(number));
        number.unwrap_or_else(|| {
            let words = format!("expected a whole number from {} to {}", range.start(), range.end());
            self.source.refuse(&path, &words);
            default
        })
    }

    /// Yes or no.
    pub(super) fn flag(&self, key: &'static str) -> bool {
        let path = self.ask(key);
        let flag = match self.source.find(&path) {
            None => return false,
            Some(Found::Variable("true")) => Some(true),
            Some(Found::Variable("false")) => Some(false),
            Some(Found::File(node)) => match node.value {
                Value::Flag(flag) => Some(flag),
                _ => None,
            },
            Some(Found::Variable(_)) => None,
        };
        flag.unwrap_or_else(|| {
            self.source.refuse(&path, "expected true or false");
            false
        })
    }

    /// Several texts; in a variable they stand with commas between them.
    pub(super) fn texts<T: FromStr<Err: Display>>(&self, key: &'static str) -> Vec<T> {
        let path = self.ask(key);
        match self.source.find(&path) {
            None => Vec::new(),
            Some(Found::Variable(text)) => {
                let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
                texts.filter_map(|text| self.parse(&path, text)).collect()
            }
            Some(Found::File(node)) => match &node.value {
                Value::List(nodes) => {
                    let parse = |(index, value): (usize, &Value)| match value {
                        Value::Text(text) => self.parse(&path.index(index), text),
                        other => self.wrong(&path.index(index), "a text in quotes", other),
                    };
                    nodes.iter().map(|node| &node.value).enumerate().filter_map(parse).collect()
                }
                other => self.wrong(&path, "a list of texts", other).unwrap_or_default(),
            },
        }
    }

    /// Texts by name; in a variable they stand as `name=text` with commas between them.
    pub(super) fn names<K, V>(&self, key: &'static str) -> BTreeMap<K, V>
    where
        K: FromStr<Err: Display> + Ord,
        V: FromStr<Err: Display>,
    {
        let path = self.ask(key);
        match self.source.find(&path) {
            None => BTreeMap::new(),
            Some(Found::Variable(text)) => {
                let pair = |pair: &str| {
                    let Some((name, text)) = pair.split_once('=') else {
                        self.source.refuse(&path, "expected name=text, with commas between several");
                        return None;
                    };
                    Some((self.parse(&path, name.trim())?, self.parse(&path, text.trim())?))
                };
                text.split(',').filter_map(pair).collect()
            }
            Some(Found::File(node)) => match &node.value {
                Value::Table(entries) => {
                    let entry = |(name, value): (&String, &Value)| match value {
                        Value::Text(text) => {
                            let at = path.key(name);
                            Some((self.parse(&at, name)?, self.parse(&at, text)?))
                        }
                        other => self.wrong(&path.key(name), "a text in quotes", other),
                    };
                    entries.iter().map(|(name, node)| (name, &node.value)).filter_map(entry).collect()
                }
                other => self.wrong(&path, "a table of texts", other).unwrap_or_default(),
            },
        }
    }

    /// A table below this one; what is absent has its defaults.
    pub(super) fn section<T>(&self, key: &'static str, read: impl FnOnce(&Section<'_>) -> T) -> T {
        let path = self.ask(key);
        match self.source.find(&path) {
            Some(Found::File(node)) if !matches!(node.value, Value::Table(_)) => {
                let _nothing: Option<()> = self.wrong(&path, "a table", &node.value);
            }
            Some(Found::Variable(_)) => {
                self.source.refuse(&path, "expected one variable for each key below it");
            }
            Some(Found::File(_)) | None => {}
        }
        read_at(self.source, path, read)
    }

    /// Tables below this one, in order; `None` stands for one that was refused.
    pub(super) fn list<T>(
        &self,
        key: &'static str,
        read: impl Fn(&Section<'_>) -> Option<T>,
    ) -> Vec<Option<T>> {
        let path = self.ask(key);
        let length = self.source.length(&path);
        (0..length).map(|index| read_at(self.source, path.index(index), &read)).collect()
    }

    /// Whether anything is said about a key.
    pub(super) fn has(&self, key: &'static str) -> bool {
        let path = self.ask(key);
        self.source.find(&path).is_some() || self.source.has(&path)
    }

    /// Whether a list is given that has nothing in it.
    pub(super) fn is_empty_list(&self, key: &'static str) -> bool {
        let found = self.source.find(&self.ask(key));
        matches!(found, Some(Found::File(node)) if matches!(&node.value, Value::List(nodes) if nodes.is_empty()))
    }

    /// Notes a problem about a key.
    pub(super) fn refuse(&self, key: &'static str, words: &str) {
        self.source.refuse(&self.path.key(key), words);
    }

    /// Notes that a key must be there, where it is not.
    pub(super) fn require(&self, key: &'static str) {
        if !self.has(key) {
            let path = self.ask(key);
            self.source.refuse(&path, &format!("missing; it can also be set as {}", path.variable()));
        }
    }

    fn ask(&self, key: &'static str) -> KeyPath {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.path.key(key)
    }

    fn parse<T: FromStr<Err: Display>>(&self, path: &KeyPath, text: &str) -> Option<T> {
        text.parse().map_err(|error: T::Err| self.source.refuse(path, &error.to_string())).ok()
    }

    fn wrong<T>(&self, path: &KeyPath, expected: &str, found: &Value) -> Option<T> {
        self.source.refuse(path, &format!("expected {expected}, found {}", name(found)));
        None
    }

    fn refuse_unknown(&self) {
        let asked = self.asked.borrow();
        for key in self.source.keys(&self.path) {
            if !asked.contains(&key) {
                let words = format!("unknown key; known here: {}", asked.join(", "));
                self.source.refuse(&self.path.key(key), &words);
            }
        }
    }
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Text(_) => "a text",
        Value::Integer(_) => "a number",
        Value::Flag(_) => "true or false",
        Value::List(_) => "a list",
        Value::Table(_) => "a table",
        Value::Other(name) => name,
    }
}
