//! SNS's envelope, made by hand.

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::unique;

/// What a topic delivers to a queue, unsigned: its id and its time are the test's.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// `MessageId`, by which a duplicate is known.
    pub message_id: String,
    /// `TopicArn`.
    pub topic: String,
    /// `Timestamp`, which places the fact.
    pub timestamp: String,
    /// `Message`.
    pub message: String,
}

impl Envelope {
    /// A new message of a topic, from now.
    pub fn new(topic: &str, body: &Value) -> Self {
        Self {
            message_id: unique("message-"),
            topic: topic.to_owned(),
            timestamp: rfc3339(now()),
            message: body.to_string(),
        }
    }

    /// The same, from so long ago.
    #[must_use]
    pub fn ago(self, ago: Duration) -> Self {
        Self { timestamp: rfc3339(now() - ago), ..self }
    }

    /// The same with a time as text.
    #[must_use]
    pub fn at(self, timestamp: &str) -> Self {
        Self { timestamp: timestamp.to_owned(), ..self }
    }

    /// As JSON, for a test that changes it.
    pub fn json(&self) -> Value {
        json!({
            "Type": "Notification",
            "MessageId": self.message_id,
            "TopicArn": self.topic,
            "Message": self.message,
            "Timestamp": self.timestamp,
        })
    }

    /// As it lies in the queue.
    pub fn text(&self) -> String {
        self.json().to_string()
    }
}

#[expect(clippy::disallowed_methods, reason = "what a marketplace sends carries the real time")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn rfc3339(time: OffsetDateTime) -> String {
    let time = time.replace_nanosecond(time.millisecond().into()).unwrap_or(time);
    time.format(&Rfc3339).expect("a time of this century can be written")
}
