use serde_json::Value;
use stallkeeper_lifecycle::{MAX_CLOCK_LEAD, Timestamp};

use crate::feed::Feed;
use crate::fields::{Fields, wrong_type};
use crate::notification::{QueueMeta, Read};
use crate::refusal::{Refusal, excerpt};
use crate::{action, envelope, event};

/// The longest message that is read, in bytes: as long as SQS took for years, and a hundred times what
/// a marketplace sends.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// Reads one message of a queue.
///
/// Pure: the same bytes give the same answer, so that what was refused can be replayed once the feed's
/// configuration, or this crate, is put right.
///
/// # Errors
/// The reason for which the message is to be quarantined.
pub fn read(body: &[u8], queue: QueueMeta<'_>, feed: &Feed) -> Result<Read, Refusal> {
    let value = parse(body)?;
    let fields = Fields::of(&value).ok_or_else(|| wrong_type("body", "an object", &value))?;
    let read = if fields.has("Type") {
        envelope::read(fields, feed)?
    } else if fields.has("detail-type") {
        event::read(fields, feed)?
    } else if fields.has("action") {
        action::read_raw(fields, queue, feed)?
    } else {
        return Err(Refusal::UnknownShape);
    };
    not_ahead(read.notification.fact.time(), queue.received_at)?;
    Ok(read)
}

/// Whether a message came without anything that names it: neither an envelope nor an event, so that two
/// notifications may have the same bytes.
pub fn is_bare(body: &[u8]) -> bool {
    let fields = parse(body).ok();
    fields
        .as_ref()
        .and_then(Fields::of)
        .is_some_and(|fields| fields.has("action") && !fields.has("Type") && !fields.has("detail-type"))
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    if body.len() > MAX_BODY_BYTES {
        return Err(Refusal::TooLarge { bytes: body.len() });
    }
    let text =
        std::str::from_utf8(body).map_err(|error| Refusal::NotUtf8 { valid_up_to: error.valid_up_to() })?;
    parse_json("the body", text)
}

/// JSON without a NUL in it. Depth is bounded by the parser.
pub(crate) fn parse_json(what: &'static str, text: &str) -> Result<Value, Refusal> {
    if text.contains('\0') {
        return Err(Refusal::Nul);
    }
    let value = serde_json::from_str(text)
        .map_err(|error| Refusal::NotJson { what, detail: excerpt(&error.to_string()) })?;
    if has_nul(&value) {
        return Err(Refusal::Nul);
    }
    Ok(value)
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
    }
}

fn not_ahead(time: Timestamp, received_at: Timestamp) -> Result<(), Refusal> {
    if time > received_at.plus(MAX_CLOCK_LEAD) {
        return Err(Refusal::FutureTime { time, received_at });
    }
    Ok(())
}
