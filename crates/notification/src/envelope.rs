use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use crate::action;
use crate::feed::Feed;
use crate::fields::{Fields, wrong_type};
use crate::notification::{Notification, Read, Source};
use crate::read::parse_json;
use crate::refusal::{Refusal, excerpt};
use crate::topic::Topic;

/// The parts of an SNS envelope that its signature covers, exactly as they came, and the signature.
///
/// A part that is absent or not text is found missing by the check only: without a check it is not needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub(crate) topic: Arc<Topic>,
    pub(crate) message: Option<String>,
    pub(crate) message_id: String,
    pub(crate) subject: Option<String>,
    pub(crate) timestamp: String,
    pub(crate) signature: Option<String>,
    pub(crate) signature_version: Option<String>,
    pub(crate) certificate_url: Option<String>,
}

impl Envelope {
    fn of(fields: Fields<'_>, topic: &Arc<Topic>) -> Result<Self, Refusal> {
        let verbatim = |field| fields.value(field).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            topic: Arc::clone(topic),
            message: verbatim("Message"),
            message_id: fields.text("MessageId")?.to_owned(),
            subject: verbatim("Subject"),
            timestamp: fields.text("Timestamp")?.to_owned(),
            signature: verbatim("Signature"),
            signature_version: verbatim("SignatureVersion"),
            certificate_url: verbatim("SigningCertURL"),
        })
    }

    /// The topic that the message came by; it stands in the feed's list.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }
}

/// Reads what stands in an SNS envelope.
pub(crate) fn read(fields: Fields<'_>, feed: &Feed) -> Result<Read, Refusal> {
    notifies(fields.text("Type")?)?;
    let arn = fields.text("TopicArn")?;
    let topic = feed.topic(arn).ok_or_else(|| Refusal::WrongTopic { arn: excerpt(arn) })?;
    let id = fields.id("MessageId")?;
    let time = fields.time("Timestamp")?;
    let message = message(fields)?;
    let said = action::read(
        Fields::of(&message).ok_or_else(|| wrong_type("Message", "an object", &message))?,
        topic,
    )?;
    let envelope = Envelope::of(fields, topic)?;
    let notification = Notification {
        source: Source::Sns,
        topic: Some(Arc::clone(topic)),
        subject: said.subject(feed, topic),
        agreement: None,
        fact: said.fact(time, &id),
        id,
    };
    Ok(Read { notification, envelope: Some(envelope) })
}

fn notifies(kind: &str) -> Result<(), Refusal> {
    match kind {
        "Notification" => Ok(()),
        "SubscriptionConfirmation" => Err(Refusal::Handshake { kind: "SubscriptionConfirmation" }),
        "UnsubscribeConfirmation" => Err(Refusal::Handshake { kind: "UnsubscribeConfirmation" }),
        other => Err(Refusal::UnknownType { kind: excerpt(other) }),
    }
}

/// SNS delivers the message as text; programs that re-send one by hand tend to put the object itself there.
fn message(fields: Fields<'_>) -> Result<Cow<'_, Value>, Refusal> {
    match fields.value("Message") {
        None => Err(Refusal::MissingField { field: "Message" }),
        Some(Value::String(text)) => parse_json("the Message", text).map(Cow::Owned),
        Some(value) => Ok(Cow::Borrowed(value)),
    }
}
