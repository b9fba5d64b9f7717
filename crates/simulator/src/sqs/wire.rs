//! Messages and their attributes as the protocol writes them.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::error::{Code, SqsError};
use crate::QueueError;
use crate::queue::{Attribute, AttributeValue, Attributes, Content, HIDDEN_MAX};

const ATTRIBUTES_MAX: usize = 10;
const DELAY_MAX: Duration = Duration::from_mins(15);

/// A message as a sender writes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Outgoing {
    message_body: Option<String>,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: BTreeMap<String, WireAttribute>,
}

/// An attribute in either direction.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireAttribute {
    data_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
}

impl Outgoing {
    /// What goes against the largest size of a batch.
    pub(super) fn size_bytes(&self) -> usize {
        let values = self.message_attributes.iter().map(|(name, attribute)| {
            let text = attribute.string_value.as_ref().map_or(0, String::len);
            let binary = attribute.binary_value.as_ref().map_or(0, |base64| base64.len() / 4 * 3);
            name.len() + attribute.data_type.len() + text + binary
        });
        self.message_body.as_ref().map_or(0, String::len) + values.sum::<usize>()
    }

    /// What is put into a queue that takes messages up to that size, and its delay.
    pub(super) fn read(self, bytes_max: usize) -> Result<(Content, Option<Duration>), SqsError> {
        let body = self.message_body.filter(|body| !body.is_empty());
        let body = body.ok_or_else(|| SqsError::missing("MessageBody"))?;
        let delay = self.delay_seconds.map(|seconds| {
            seconds_up_to(DELAY_MAX, seconds).ok_or_else(|| {
                SqsError::parameter("DelaySeconds", seconds, "DelaySeconds must be >= 0 and <= 900.")
            })
        });
        let content = Content::new(body, attributes(self.message_attributes)?);
        if content.size_bytes() > bytes_max {
            return Err(QueueError::TooLong { bytes_max }.into());
        }
        if !content.is_writable() {
            return Err(QueueError::BadContents.into());
        }
        Ok((content, delay.transpose()?))
    }
}

/// A time for which a message is hidden, up to 12 hours.
pub(super) fn hidden_for(seconds: i64) -> Result<Duration, SqsError> {
    seconds_up_to(HIDDEN_MAX, seconds).ok_or_else(|| {
        SqsError::parameter("VisibilityTimeout", seconds, "Must be between 0 and 43200, if provided.")
    })
}

pub(super) fn seconds_up_to(max: Duration, seconds: i64) -> Option<Duration> {
    u64::try_from(seconds).ok().map(Duration::from_secs).filter(|duration| *duration <= max)
}

fn attributes(wire: BTreeMap<String, WireAttribute>) -> Result<Attributes, SqsError> {
    if wire.len() > ATTRIBUTES_MAX {
        let message =
            format!("Number of message attributes [{}] exceeds the allowed maximum [10].", wire.len());
        return Err(SqsError::new(Code::InvalidParameterValue, message));
    }
    wire.into_iter().map(|(name, wire)| Ok((name.clone(), attribute(&name, wire)?))).collect()
}

fn attribute(name: &str, wire: WireAttribute) -> Result<Attribute, SqsError> {
    let refused = |words: String| SqsError::new(Code::InvalidParameterValue, words);
    let is_named_well = (1..=256).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if !is_named_well {
        return Err(refused(format!(
            "Message (user) attribute name '{name}' is invalid: up to 256 of A-Z, a-z, 0-9, underscore, hyphen, \
             and period."
        )));
    }
    let WireAttribute { data_type, string_value, binary_value } = wire;
    let value = match data_type.split('.').next().unwrap_or_default() {
        "String" | "Number" => string_value.filter(|text| !text.is_empty()).map(AttributeValue::Text),
        "Binary" => binary_value.and_then(|text| STANDARD.decode(text).ok()).map(AttributeValue::Binary),
        _ => {
            return Err(refused(format!(
                "The type of message (user) attribute '{name}' is invalid. You must use only the following \
                 supported type prefixes: Binary, Number, String."
            )));
        }
    };
    let value = value.ok_or_else(|| {
        refused(format!(
            "Message (user) attribute '{name}' must contain a non-empty value of type '{data_type}'."
        ))
    })?;
    Ok(Attribute { data_type, value })
}

impl From<&Attribute> for WireAttribute {
    fn from(attribute: &Attribute) -> Self {
        let data_type = attribute.data_type.clone();
        match &attribute.value {
            AttributeValue::Text(text) => {
                Self { data_type, string_value: Some(text.clone()), binary_value: None }
            }
            AttributeValue::Binary(bytes) => {
                Self { data_type, string_value: None, binary_value: Some(STANDARD.encode(bytes)) }
            }
        }
    }
}
