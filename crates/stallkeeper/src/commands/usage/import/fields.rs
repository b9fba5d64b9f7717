use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::Number;
use stallkeeper_ledger::Submission;

/// What a line says, before it is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    pub(super) id: String,
    pub(super) tenant: String,
    pub(super) product: String,
    pub(super) dimension: String,
    pub(super) quantity: Quantity,
    pub(super) occurred_at: String,
    #[serde(default)]
    pub(super) user: Option<String>,
    #[serde(default)]
    pub(super) tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) subscription: Option<String>,
}

/// A decimal number, as a text or as JSON's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Quantity {
    Text(String),
    Number(Number),
}

impl Default for Quantity {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// A line that is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// The event's id, where that much can be read.
    pub(super) id: Option<String>,
    /// What is wrong.
    pub(super) why: String,
}

impl Fields {
    /// The event that the line says.
    pub(super) fn submission(self) -> Result<Submission, Unreadable> {
        let id = Some(self.id.clone()).filter(|id| !id.is_empty());
        self.parsed().map_err(|why| Unreadable { id, why })
    }

    fn parsed(self) -> Result<Submission, String> {
        Ok(Submission {
            id: parse("id", &self.id)?,
            tenant: parse("tenant", &self.tenant)?,
            product: parse("product", &self.product)?,
            dimension: parse("dimension", &self.dimension)?,
            quantity: match self.quantity {
                Quantity::Text(text) => text,
                Quantity::Number(number) => number.to_string(),
            },
            occurred_at: parse("occurred_at", &self.occurred_at)?,
            user: self.user.map(|user| parse("user", &user)).transpose()?,
            tags: self.tags.unwrap_or_default(),
            subscription: self.subscription.map(|key| parse("subscription", &key)).transpose()?,
        })
    }
}

/// Reads one field; the field's name is said once, whether or not its type says it too.
fn parse<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| {
        let words = error.to_string();
        if words.starts_with(field) { words } else { format!("{field}: {words}") }
    })
}
