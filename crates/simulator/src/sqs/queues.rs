//! The calls about queues as a whole.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, read};
use super::error::{Code, SqsError};
use super::find;
use crate::Queues;

/// Attributes that can be asked for, besides those that a queue has.
const ABSENT: [&str; 5] =
    ["KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "Policy", "RedriveAllowPolicy", "RedrivePolicy"];
const LISTED_MAX: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ByName {
    queue_name: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ByUrl {
    queue_url: Option<String>,
    attributes: Option<BTreeMap<String, String>>,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    queue_name_prefix: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Url<'a> {
    queue_url: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
}

pub(super) fn create(queues: &Queues, body: &[u8]) -> Result<Answer, SqsError> {
    let ByName { queue_name, attributes } = read(body)?;
    let queue = queues.create(&queue_name.ok_or_else(|| SqsError::missing("QueueName"))?, &attributes)?;
    Answer::of(&Url { queue_url: queue.url() })
}

pub(super) fn get_url(queues: &Queues, body: &[u8]) -> Result<Answer, SqsError> {
    let ByName { queue_name, .. } = read(body)?;
    let name = queue_name.ok_or_else(|| SqsError::missing("QueueName"))?;
    let queue = queues.by_name(&name).ok_or(crate::QueueError::Missing)?;
    Answer::of(&Url { queue_url: queue.url() })
}

/// A page ends with a token only where its length was asked for, as documented.
pub(super) fn list(queues: &Queues, body: &[u8]) -> Result<Answer, SqsError> {
    let Listing { queue_name_prefix, max_results, next_token } = read(body)?;
    let max = match max_results {
        None => LISTED_MAX,
        Some(max) => {
            usize::try_from(max).ok().filter(|max| (1..=LISTED_MAX).contains(max)).ok_or_else(|| {
                SqsError::parameter("MaxResults", max, "MaxResults must be an integer between 1 and 1000.")
            })?
        }
    };
    let after = next_token.map(|token| name_in(&token)).transpose()?;
    let prefix = queue_name_prefix.unwrap_or_default();
    let named = queues.all();
    let mut named = named
        .iter()
        .filter(|queue| queue.name().starts_with(&prefix))
        .filter(|queue| after.as_deref().is_none_or(|after| queue.name() > after))
        .peekable();
    let mut last = None;
    let queue_urls = named.by_ref().take(max).inspect(|queue| last = Some(queue.name()));
    let queue_urls = queue_urls.map(|queue| queue.url().to_owned()).collect();
    let next_token = last.filter(|_| max_results.is_some() && named.peek().is_some());
    Answer::of(&Page { queue_urls, next_token: next_token.map(|name| STANDARD.encode(name)) })
}

fn name_in(token: &str) -> Result<String, SqsError> {
    let name = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| SqsError::parameter("NextToken", token, "Invalid or expired next token."))
}

pub(super) fn delete(queues: &Queues, body: &[u8]) -> Result<Answer, SqsError> {
    let ByUrl { queue_url, .. } = read(body)?;
    queues.delete(find(queues, queue_url.as_deref())?.name())?;
    Ok(Answer::empty())
}

pub(super) fn purge(queues: &Queues, body: &[u8]) -> Result<Answer, SqsError> {
    let ByUrl { queue_url, .. } = read(body)?;
    find(queues, queue_url.as_deref())?.purge()?;
    Ok(Answer::empty())
}

pub(super) fn set_attributes(queues: &Queues, body: &[u8]) -> Result<Answer, SqsError> {
    let ByUrl { queue_url, attributes, .. } = read(body)?;
    let queue = find(queues, queue_url.as_deref())?;
    queues.set_attributes(&queue, &attributes.ok_or_else(|| SqsError::missing("Attributes"))?)?;
    Ok(Answer::empty())
}

pub(super) fn get_attributes(queues: &Queues, body: &[u8]) -> Result<Answer, SqsError> {
    let ByUrl { queue_url, attribute_names, .. } = read(body)?;
    let mut attributes = find(queues, queue_url.as_deref())?.attributes();
    let is_known = |name: &&String| {
        let name = name.as_str();
        name == "All" || attributes.contains_key(name) || ABSENT.contains(&name)
    };
    if let Some(name) = attribute_names.iter().find(|name| !is_known(name)) {
        return Err(SqsError::new(Code::InvalidAttributeName, format!("Unknown Attribute {name}.")));
    }
    let all = attribute_names.iter().any(|name| name == "All");
    attributes.retain(|name, _| all || attribute_names.iter().any(|asked| asked == name));
    Answer::of(&Attributes { attributes })
}
