use std::str::FromStr;

use serde_json::{Map, Value};
use stallkeeper_lifecycle::{IdError, Timestamp};

use crate::refusal::{Refusal, excerpt};

/// A JSON object whose fields are taken by their path in the message, which refusals then name.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The fields of a value, if it is an object.
    pub(crate) fn of(value: &'a Value) -> Option<Self> {
        value.as_object().map(Self)
    }

    /// Whether there is such a field, whatever it holds.
    pub(crate) fn has(self, path: &'static str) -> bool {
        self.0.contains_key(name(path))
    }

    /// What stands there; `null` counts as nothing.
    pub(crate) fn value(self, path: &'static str) -> Option<&'a Value> {
        self.0.get(name(path)).filter(|value| !value.is_null())
    }

    /// Text; blank text counts as nothing.
    pub(crate) fn text(self, path: &'static str) -> Result<&'a str, Refusal> {
        self.optional_text(path)?.ok_or(Refusal::MissingField { field: path })
    }

    pub(crate) fn optional_text(self, path: &'static str) -> Result<Option<&'a str>, Refusal> {
        match self.value(path) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.trim().is_empty())),
            Some(other) => Err(wrong_type(path, "text", other)),
        }
    }

    /// An id, without the blanks around it.
    pub(crate) fn id<T: FromStr<Err = IdError>>(self, path: &'static str) -> Result<T, Refusal> {
        self.text(path)?.parse().map_err(|source| Refusal::BadId { field: path, source })
    }

    pub(crate) fn optional_id<T: FromStr<Err = IdError>>(
        self,
        path: &'static str,
    ) -> Result<Option<T>, Refusal> {
        let text = self.optional_text(path)?;
        text.map(str::parse).transpose().map_err(|source| Refusal::BadId { field: path, source })
    }

    /// A time as RFC 3339 has it.
    pub(crate) fn time(self, path: &'static str) -> Result<Timestamp, Refusal> {
        let text = self.text(path)?;
        let found = || Refusal::WrongType { field: path, expected: "an RFC 3339 time", found: excerpt(text) };
        text.trim().parse().map_err(|_| found())
    }

    /// An object inside.
    pub(crate) fn object(self, path: &'static str) -> Result<Self, Refusal> {
        self.optional_object(path)?.ok_or(Refusal::MissingField { field: path })
    }

    pub(crate) fn optional_object(self, path: &'static str) -> Result<Option<Self>, Refusal> {
        let Some(value) = self.value(path) else { return Ok(None) };
        Self::of(value).map(Some).ok_or_else(|| wrong_type(path, "an object", value))
    }
}

/// The last step of a path.
fn name(path: &'static str) -> &'static str {
    path.rsplit('.').next().unwrap_or(path)
}

pub(crate) fn wrong_type(field: &'static str, expected: &'static str, found: &Value) -> Refusal {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Refusal::WrongType { field, expected, found: found.to_owned() }
}
