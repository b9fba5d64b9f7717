use std::collections::BTreeMap;

use serde::Serialize;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::error::SnsError;
use super::message::{Attribute, Message};
use super::signer::{SignatureVersion, Signer};

/// What a queue gets of a message, up to the part that is its subscription's own.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    message: &'a Message,
    message_id: &'a str,
    topic_arn: &'a str,
    timestamp: String,
    version: SignatureVersion,
    signature: String,
    certificate_url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    r#type: &'a str,
    message_id: &'a str,
    topic_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    message: &'a str,
    timestamp: &'a str,
    signature_version: &'a str,
    signature: &'a str,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: &'a str,
    #[serde(rename = "UnsubscribeURL")]
    unsubscribe_url: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: &'a BTreeMap<String, Attribute>,
}

impl<'a> Signed<'a> {
    /// Signs a message once for all subscribers.
    pub(super) fn new(
        signer: &Signer,
        version: SignatureVersion,
        topic_arn: &'a str,
        message_id: &'a str,
        message: &'a Message,
        at: OffsetDateTime,
    ) -> Result<Self, SnsError> {
        let timestamp = timestamp(at);
        let words = string_to_sign(message, message_id, &timestamp, topic_arn);
        let signature = signer.sign(&words, version).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "a message could not be signed");
            SnsError::InternalError
        })?;
        let certificate_url = signer.certificate_url();
        Ok(Self { message, message_id, topic_arn, timestamp, version, signature, certificate_url })
    }

    /// The body for one subscription.
    pub(super) fn body(&self, subscription_arn: &str) -> Result<String, SnsError> {
        let unsubscribe_url = format!(
            "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={subscription_arn}"
        );
        let envelope = Envelope {
            r#type: "Notification",
            message_id: self.message_id,
            topic_arn: self.topic_arn,
            subject: self.message.subject.as_deref(),
            message: &self.message.text,
            timestamp: &self.timestamp,
            signature_version: self.version.as_str(),
            signature: &self.signature,
            signing_cert_url: &self.certificate_url,
            unsubscribe_url: &unsubscribe_url,
            message_attributes: &self.message.attributes,
        };
        serde_json::to_string(&envelope).map_err(|_| SnsError::InternalError)
    }
}

/// The words that SNS signs: names and values, a line each, in the order of the names.
fn string_to_sign(message: &Message, message_id: &str, timestamp: &str, topic_arn: &str) -> String {
    let fields = [
        ("Message", Some(message.text.as_str())),
        ("MessageId", Some(message_id)),
        ("Subject", message.subject.as_deref()),
        ("Timestamp", Some(timestamp)),
        ("TopicArn", Some(topic_arn)),
        ("Type", Some("Notification")),
    ];
    let given = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
    given.flat_map(|(name, value)| [name, "\n", value, "\n"]).collect()
}

fn timestamp(at: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at.to_offset(UtcOffset::UTC).format(form).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const AT: OffsetDateTime = datetime!(2026-11-22 22:14:03.0079 +2);

    #[test]
    fn the_time_is_in_utc_with_three_places_also_where_they_are_zero() {
        assert_eq!(timestamp(AT), "2026-11-22T20:14:03.007Z");
        assert_eq!(timestamp(datetime!(2026-01-02 03:04:05 UTC)), "2026-01-02T03:04:05.000Z");
    }

    #[test]
    fn the_words_to_sign_have_a_subject_only_where_the_message_has_one() {
        let mut message = Message::new("line one\nline two");
        let rest = "Timestamp\nnow\nTopicArn\narn\nType\nNotification\n";
        let plain = format!("Message\nline one\nline two\nMessageId\nid\n{rest}");
        assert_eq!(string_to_sign(&message, "id", "now", "arn"), plain);
        message.subject = Some("hello".to_owned());
        let with_subject = plain.replace(rest, &format!("Subject\nhello\n{rest}"));
        assert_eq!(string_to_sign(&message, "id", "now", "arn"), with_subject);
    }
}
