use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::error::SnsError;
use super::form::Form;

/// The longest message with its attributes, in bytes.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
const SUBJECT_CHARACTERS_MAX: usize = 100;
const NAME_CHARACTERS_MAX: usize = 256;

/// What somebody publishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// What subscribers get.
    pub(super) text: String,
    /// A line for people, if there is one.
    pub(super) subject: Option<String>,
    /// Beside the text, by name.
    pub(super) attributes: BTreeMap<String, Attribute>,
}

/// A message's attribute as the envelope writes it; bytes stay in base64, as they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Attribute {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Value")]
    value: String,
}

impl Message {
    /// A text alone.
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    /// The message of a call, or of an entry of one.
    pub(super) fn from_form(form: &Form<'_>) -> Result<Self, SnsError> {
        let text = form.get("Message").filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| SnsError::InvalidParameter("Empty message".to_owned()))?;
        let text = match form.get("MessageStructure") {
            None => text.to_owned(),
            Some("json") => for_queues(text)?,
            Some(_) => return Err(SnsError::InvalidParameter("MessageStructure".to_owned())),
        };
        let subject = form.get("Subject").map(subject).transpose()?;
        let attributes = form.members("MessageAttributes.entry");
        let attributes = attributes.iter().map(attribute).collect::<Result<_, _>>()?;
        let message = Self { text, subject, attributes };
        if message.bytes() > MESSAGE_BYTES_MAX {
            return Err(SnsError::InvalidParameter("Message too long".to_owned()));
        }
        Ok(message)
    }

    /// Its length with its attributes, which is what the limit is about.
    pub(super) fn bytes(&self) -> usize {
        let attributes = self.attributes.iter();
        let attributes =
            attributes.map(|(name, attribute)| name.len() + attribute.kind.len() + attribute.value.len());
        self.text.len() + attributes.sum::<usize>()
    }

    /// The marketplace's action in it, by which faults may lose it; empty where there is none.
    pub(super) fn action(&self) -> String {
        let body = serde_json::from_str::<Value>(&self.text).unwrap_or_default();
        body.get("action").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// Whether messages of these lengths together fit into one call.
pub(super) fn fit_together(bytes: usize) -> bool {
    bytes <= MESSAGE_BYTES_MAX
}

/// The text that queues get where each protocol has its own.
fn for_queues(text: &str) -> Result<String, SnsError> {
    let refused = |why: &str| SnsError::reason("Message Structure", why);
    let texts: BTreeMap<String, Value> =
        serde_json::from_str(text).map_err(|_| refused("JSON message body failed to parse"))?;
    let default = texts.get("default").and_then(Value::as_str);
    let default = default.ok_or_else(|| refused("No default entry in JSON message body"))?;
    Ok(texts.get("sqs").and_then(Value::as_str).unwrap_or(default).to_owned())
}

fn subject(text: &str) -> Result<String, SnsError> {
    let is_plain = text.chars().all(|character| character == ' ' || character.is_ascii_graphic());
    let fits = (1..=SUBJECT_CHARACTERS_MAX).contains(&text.chars().count()) && !text.starts_with(' ');
    if is_plain && fits { Ok(text.to_owned()) } else { Err(SnsError::InvalidParameter("Subject".to_owned())) }
}

fn attribute(form: &Form<'_>) -> Result<(String, Attribute), SnsError> {
    let name = form.required("Name")?;
    let kind = form.get("Value.DataType").unwrap_or_default();
    let field = match kind.split('.').next() {
        Some("String" | "Number") => "Value.StringValue",
        Some("Binary") => "Value.BinaryValue",
        _ => return Err(invalid(name, "must have the type String, Number or Binary")),
    };
    let value = form.get(field).filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| invalid(name, "must have a value of its type that is not empty"))?;
    if name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(invalid(name, "has too long a name"));
    }
    if kind == "Number" && value.parse::<f64>().is_err() {
        return Err(invalid(name, "must be a number"));
    }
    Ok((name.to_owned(), Attribute { kind: kind.to_owned(), value: value.to_owned() }))
}

fn invalid(name: &str, what: &str) -> SnsError {
    SnsError::ParameterValueInvalid(format!("The message attribute '{name}' {what}"))
}
