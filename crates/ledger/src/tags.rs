use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most tags of one allocation (AWS Marketplace, vendor-metered tagging).
const TAGS_MAX: usize = 5;
const KEY_CHARS_MAX: usize = 100;
const VALUE_CHARS_MAX: usize = 256;

/// By what a part of usage is split off for the buyer; empty where it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TagSet(BTreeMap<String, String>);

/// Why tags are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// More than five.
    #[error("{count} tags: at most {TAGS_MAX} are accepted")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// A name or value that the marketplace refuses.
    #[error(
        "tag {tag:?}: names have 1 to {KEY_CHARS_MAX} and values 1 to {VALUE_CHARS_MAX} of the characters a-z A-Z 0-9 + - = . _ : \\ / @ and blank"
    )]
    Text {
        /// The tag's name, shortened.
        tag: String,
    },
}

impl TagSet {
    /// Tags within the marketplace's bounds.
    ///
    /// # Errors
    /// Too many, or characters that the marketplace refuses.
    pub fn new(tags: BTreeMap<String, String>) -> Result<Self, TagError> {
        if tags.len() > TAGS_MAX {
            return Err(TagError::TooMany { count: tags.len() });
        }
        let is_sound =
            |(key, value): &(&String, &String)| fits(key, KEY_CHARS_MAX) && fits(value, VALUE_CHARS_MAX);
        match tags.iter().find(|tag| !is_sound(tag)) {
            Some((key, _)) => Err(TagError::Text { tag: key.chars().take(32).collect() }),
            None => Ok(Self(tags)),
        }
    }

    /// The tags.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn fits(text: &str, chars_max: usize) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'+' | b' ' | b'-' | b'=' | b'.' | b'_' | b':' | b'\\' | b'/' | b'@')
    };
    (1..=chars_max).contains(&text.len()) && text.bytes().all(allowed)
}
