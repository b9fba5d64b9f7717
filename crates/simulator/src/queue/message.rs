use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use md5::{Digest, Md5};
use time::OffsetDateTime;

/// A message in a queue; its content is shared between copies.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: Arc<str>,
    pub(crate) content: Arc<Content>,
    /// When it was sent, by the marketplace's clock.
    pub(crate) sent_at: OffsetDateTime,
    pub(crate) first_received_at: Option<OffsetDateTime>,
    pub(crate) receives: u32,
    /// The ARN of the queue whose dead letter it is.
    pub(crate) dead_from: Option<Arc<str>>,
}

/// What a sender gave, with its checksum.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) body: String,
    pub(crate) body_md5: String,
    pub(crate) attributes: Attributes,
}

pub(crate) type Attributes = BTreeMap<String, Attribute>;

/// An attribute that a sender put on a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) data_type: String,
    pub(crate) value: AttributeValue,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AttributeValue {
    Text(String),
    Binary(Vec<u8>),
}

impl Content {
    pub(crate) fn new(body: String, attributes: Attributes) -> Self {
        Self { body_md5: hex(Md5::digest(body.as_bytes()).as_slice()), body, attributes }
    }

    /// What counts against the largest size of a message: its body, and names, types and values of its
    /// attributes.
    pub(crate) fn size_bytes(&self) -> usize {
        let attributes = self.attributes.iter();
        let of_attributes = attributes
            .map(|(name, attribute)| name.len() + attribute.data_type.len() + attribute.value.bytes().len());
        self.body.len() + of_attributes.sum::<usize>()
    }

    /// Whether SQS takes its characters: those of XML 1.0.
    pub(crate) fn is_writable(&self) -> bool {
        self.body.chars().all(|character| {
            matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        })
    }
}

impl AttributeValue {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Text(_) => 1,
            Self::Binary(_) => 2,
        }
    }
}

/// The checksum of attributes as the SQS developer guide describes it: sorted by name, each part behind its
/// length; none where there is no attribute.
pub(crate) fn attributes_md5(attributes: &Attributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    let part = |digest: &mut Md5, bytes: &[u8]| {
        digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(bytes);
    };
    for (name, attribute) in attributes {
        part(&mut digest, name.as_bytes());
        part(&mut digest, attribute.data_type.as_bytes());
        digest.update([attribute.value.kind()]);
        part(&mut digest, attribute.value.bytes());
    }
    Some(hex(digest.finalize().as_slice()))
}

/// An id in the shape of a UUID.
pub(crate) fn message_id(random: &mut fastrand::Rng) -> String {
    let (high, low) = (random.u64(..), random.u64(..));
    let (first, second) = (high >> 32, (high >> 16) & 0xffff);
    let (third, fourth) = (0x4000 | (high & 0x0fff), 0x8000 | ((low >> 48) & 0x3fff));
    format!("{first:08x}-{second:04x}-{third:04x}-{fourth:04x}-{:012x}", low & 0xffff_ffff_ffff)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_are_the_documented_ones() {
        assert_eq!(
            Content::new("hello".into(), Attributes::new()).body_md5,
            "5d41402abc4b2a76b9719d911017c592"
        );
        let greeting = Attribute { data_type: "String".into(), value: AttributeValue::Text("hallo".into()) };
        let blob = Attribute { data_type: "Binary".into(), value: AttributeValue::Binary(vec![1, 2, 3]) };
        let attributes = Attributes::from([("greeting".into(), greeting), ("blob".into(), blob)]);
        assert_eq!(attributes_md5(&attributes).as_deref(), Some("ca4dd4b951fe88e4a2e687e0f14c33ea"));
        assert_eq!(attributes_md5(&Attributes::new()), None);
    }

    #[test]
    fn a_character_that_xml_lacks_is_refused() {
        let with = |body: &str| Content::new(body.into(), Attributes::new()).is_writable();
        assert!(with("plain\ttext\r\nwith \u{1f600} and \u{fffd}"));
        assert!(!with("a\u{0}b") && !with("\u{b}") && !with("\u{ffff}"));
    }
}
