use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Weak;
use std::time::Duration;

use super::{Queue, QueueError};

/// The largest message, and the largest batch, that SQS takes.
pub(crate) const MESSAGE_BYTES_MAX: u32 = 1_048_576;

/// The longest that a message can be kept: 14 days.
const RETENTION_SECS_MAX: u32 = 1_209_600;
/// Attributes that are kept and given back, and that change nothing here.
const KEPT: [&str; 4] = ["KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "Policy", "RedriveAllowPolicy"];

/// A queue's attributes that can be set; those that are not are SQS' defaults.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    visibility_timeout_secs: u32,
    delay_secs: u32,
    message_bytes_max: u32,
    retention_secs: u32,
    receive_wait_secs: u32,
    sse_managed: bool,
    redrive: Option<Redrive>,
    kept: BTreeMap<&'static str, String>,
}

/// Where messages go that were received too often.
#[derive(Clone, Debug)]
pub(crate) struct Redrive {
    pub(crate) target: Weak<Queue>,
    pub(crate) target_arn: String,
    pub(crate) receives_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            visibility_timeout_secs: 30,
            delay_secs: 0,
            message_bytes_max: MESSAGE_BYTES_MAX,
            retention_secs: 345_600,
            receive_wait_secs: 0,
            sse_managed: true,
            redrive: None,
            kept: BTreeMap::new(),
        }
    }
}

impl Settings {
    pub(crate) fn visibility_timeout(&self) -> Duration {
        Duration::from_secs(self.visibility_timeout_secs.into())
    }

    pub(crate) fn delay(&self) -> Duration {
        Duration::from_secs(self.delay_secs.into())
    }

    pub(crate) fn receive_wait(&self) -> Duration {
        Duration::from_secs(self.receive_wait_secs.into())
    }

    pub(crate) fn message_bytes_max(&self) -> usize {
        usize::try_from(self.message_bytes_max).unwrap_or(usize::MAX)
    }

    pub(crate) fn redrive(&self) -> Option<&Redrive> {
        self.redrive.as_ref()
    }

    pub(crate) fn redrive_to(&mut self, redrive: Option<Redrive>) {
        self.redrive = redrive;
    }

    pub(crate) fn retain_longest(&mut self) {
        self.retention_secs = RETENTION_SECS_MAX;
    }

    pub(crate) fn allow(&mut self, policy: &str) {
        self.kept.insert("Policy", policy.to_owned());
    }

    /// Sets one attribute; `find` looks a dead-letter queue up by its ARN.
    pub(crate) fn set(
        &mut self,
        name: &str,
        value: &str,
        find: impl FnOnce(&str) -> Option<Weak<Queue>>,
    ) -> Result<(), QueueError> {
        let bad = || QueueError::BadAttribute { name: name.to_owned(), value: value.to_owned() };
        if let Some((number, range)) = self.number(name) {
            *number = value.parse().ok().filter(|value| range.contains(value)).ok_or_else(bad)?;
        } else if let Some(kept) = KEPT.iter().find(|kept| **kept == name) {
            if value.is_empty() {
                self.kept.remove(kept)
            } else {
                self.kept.insert(kept, value.to_owned())
            };
        } else {
            match name {
                "SqsManagedSseEnabled" => self.sse_managed = value.parse().map_err(|_| bad())?,
                "RedrivePolicy" => self.redrive = read_redrive(value, find)?,
                _ => return Err(QueueError::UnknownAttribute { name: name.to_owned() }),
            }
        }
        Ok(())
    }

    /// What every attribute is, as SQS writes it.
    pub(crate) fn written(&self) -> BTreeMap<&'static str, String> {
        let mut written = self.kept.clone();
        let redrive = self.redrive.as_ref().map(|Redrive { target_arn, receives_max, .. }| {
            format!(r#"{{"deadLetterTargetArn":"{target_arn}","maxReceiveCount":{receives_max}}}"#)
        });
        written.extend(redrive.map(|policy| ("RedrivePolicy", policy)));
        written.extend([
            ("VisibilityTimeout", self.visibility_timeout_secs.to_string()),
            ("DelaySeconds", self.delay_secs.to_string()),
            ("MaximumMessageSize", self.message_bytes_max.to_string()),
            ("MessageRetentionPeriod", self.retention_secs.to_string()),
            ("ReceiveMessageWaitTimeSeconds", self.receive_wait_secs.to_string()),
            ("SqsManagedSseEnabled", self.sse_managed.to_string()),
        ]);
        written
    }

    /// The numbers, each with the range that `SetQueueAttributes` documents.
    fn number(&mut self, name: &str) -> Option<(&mut u32, RangeInclusive<u32>)> {
        Some(match name {
            "VisibilityTimeout" => (&mut self.visibility_timeout_secs, 0..=43_200),
            "DelaySeconds" => (&mut self.delay_secs, 0..=900),
            "MaximumMessageSize" => (&mut self.message_bytes_max, 1_024..=MESSAGE_BYTES_MAX),
            "MessageRetentionPeriod" => (&mut self.retention_secs, 60..=RETENTION_SECS_MAX),
            "ReceiveMessageWaitTimeSeconds" => (&mut self.receive_wait_secs, 0..=20),
            _ => return None,
        })
    }
}

fn read_redrive(
    value: &str,
    find: impl FnOnce(&str) -> Option<Weak<Queue>>,
) -> Result<Option<Redrive>, QueueError> {
    if value.is_empty() {
        return Ok(None);
    }
    let bad = |reason: &str| QueueError::BadParameter {
        name: "RedrivePolicy",
        value: value.to_owned(),
        reason: reason.to_owned(),
    };
    let policy: serde_json::Value =
        serde_json::from_str(value).map_err(|_| bad("Redrive policy is not a valid JSON map."))?;
    let target_arn = policy.get("deadLetterTargetArn").and_then(serde_json::Value::as_str);
    let target_arn = target_arn
        .ok_or_else(|| bad("Redrive policy does not contain mandatory attribute: deadLetterTargetArn."))?;
    let receives_max = policy
        .get("maxReceiveCount")
        .ok_or_else(|| bad("Redrive policy does not contain mandatory attribute: maxReceiveCount."))?;
    let receives_max = match receives_max {
        serde_json::Value::String(text) => text.parse().ok(),
        number => number.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    let receives_max = receives_max
        .filter(|count| (1..=1_000).contains(count))
        .ok_or_else(|| bad("Invalid value for maxReceiveCount, must be between 1 and 1000."))?;
    let target = find(target_arn).ok_or_else(|| bad("Dead letter target does not exist."))?;
    Ok(Some(Redrive { target, target_arn: target_arn.to_owned(), receives_max }))
}
