//! The queue policy: who may send to the queue, written without touching what others wrote.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::arn::{QueueArn, RuleArn, TopicArn};
use crate::profile::Partition;

/// The `Sid` of the statement for the rule.
const RULE_SID: &str = "StallkeeperRule";
/// The `Sid` of the statement for the topics; one for an opt-in Region's principal has that Region after it.
const TOPICS_SID: &str = "StallkeeperTopics";
const SEND: &str = "sqs:SendMessage";
const SNS_PRINCIPAL: &str = "sns.amazonaws.com";
pub(crate) const EVENTS_PRINCIPAL: &str = "events.amazonaws.com";
/// The Regions launched before 20 March 2019, the last that accounts have without opting in; the list cannot grow.
/// SNS counts `ap-northeast-3` as opt-in (SNS developer guide, "different Region").
const DEFAULT_REGIONS: [&str; 16] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Everyone who is to send to one queue.
#[derive(Debug, Clone, Copy)]
pub struct Senders<'a> {
    /// The queue that the policy is about.
    pub queue: &'a QueueArn,
    /// Every topic that sends to it.
    pub topics: &'a [TopicArn],
    /// The EventBridge rule that sends to it, if there is one.
    pub rule: Option<&'a RuleArn>,
}

/// Whether a policy has to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyChange {
    /// The policy is already right.
    Unchanged,
    /// The policy differs from what the queue has.
    Changed,
}

/// A queue policy that lets exactly the wanted senders in, and keeps the statements of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The whole policy document, as JSON text.
    pub policy: String,
    /// Whether it differs from the policy that was given.
    pub change: PolicyChange,
}

/// An existing policy that cannot be built upon; it is left as it is.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// Not JSON.
    #[error("the queue's policy is not JSON; correct or remove it, then run set-up again")]
    NotJson(#[source] serde_json::Error),
    /// JSON, but not a policy document.
    #[error("the queue's policy is not a policy document; correct or remove it, then run set-up again")]
    NotAPolicy,
}

/// Adds the wanted senders to a queue's policy, or takes away those no longer wanted.
///
/// Only statements such as it writes are touched: those that allow `sqs:SendMessage` under the `Sid`
/// `StallkeeperRule` or `StallkeeperTopics`, the latter with a Region's letters and digits after it or none.
/// Repeating it on its own result changes nothing, in whatever order the topics come.
///
/// # Errors
/// An existing policy that cannot be read is refused rather than overwritten.
pub fn merge(existing: Option<&str>, wanted: &Senders<'_>) -> Result<Merged, PolicyError> {
    let mut document = parse(existing)?;
    let statements = statements_of(&document);
    let (own, others): (Vec<Value>, Vec<Value>) = statements.into_iter().partition(is_own);
    let wanted = wanted_statements(wanted);
    if own == wanted {
        let policy = existing.map_or_else(|| Value::Object(document).to_string(), str::to_owned);
        return Ok(Merged { policy, change: PolicyChange::Unchanged });
    }
    document.insert("Statement".to_owned(), others.into_iter().chain(wanted).collect());
    Ok(Merged { policy: Value::Object(document).to_string(), change: PolicyChange::Changed })
}

/// A policy as an object; an absent or empty one becomes an empty document.
pub(crate) fn parse(existing: Option<&str>) -> Result<Map<String, Value>, PolicyError> {
    let Some(text) = existing.filter(|text| !text.trim().is_empty()) else {
        return Ok(Map::from_iter([("Version".to_owned(), json!("2012-10-17"))]));
    };
    match serde_json::from_str(text).map_err(PolicyError::NotJson)? {
        Value::Object(document) => Ok(document),
        _ => Err(PolicyError::NotAPolicy),
    }
}

/// The statements of a document; the policy language allows a single one to stand without its list.
pub(crate) fn statements_of(document: &Map<String, Value>) -> Vec<Value> {
    match document.get("Statement") {
        None => Vec::new(),
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement) => vec![statement.clone()],
    }
}

fn is_own(statement: &Value) -> bool {
    let text = |key: &str| statement.get(key).and_then(Value::as_str).unwrap_or_default();
    let is_region = |suffix: &str| suffix.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'));
    let sid = text("Sid");
    (sid == RULE_SID || sid.strip_prefix(TOPICS_SID).is_some_and(is_region))
        && text("Effect") == "Allow"
        && text("Action").eq_ignore_ascii_case(SEND)
}

/// One statement for each principal, so that the topics of a queue share one as a rule.
fn wanted_statements(senders: &Senders<'_>) -> Vec<Value> {
    let mut sources: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for topic in senders.topics {
        let principal = sns_principal(topic, senders.queue);
        let sid = format!("{TOPICS_SID}{}", sid_suffix(&principal));
        sources.entry((sid, principal)).or_default().push(topic.to_string());
    }
    if let Some(rule) = senders.rule {
        let key = (RULE_SID.to_owned(), EVENTS_PRINCIPAL.to_owned());
        sources.entry(key).or_default().push(rule.to_string());
    }
    sources
        .into_iter()
        .map(|((sid, principal), mut sources)| {
            sources.sort_unstable();
            sources.dedup();
            statement(&sid, &principal, senders.queue, &sources)
        })
        .collect()
}

fn statement(sid: &str, principal: &str, queue: &QueueArn, sources: &[String]) -> Value {
    json!({
        "Sid": sid,
        "Effect": "Allow",
        "Principal": { "Service": principal },
        "Action": SEND,
        "Resource": queue.to_string(),
        "Condition": { "ArnEquals": { "aws:SourceArn": sources } },
    })
}

/// The name under which SNS delivers from a topic to a queue.
///
/// It is the same in both partitions.
/// Across Regions it is that of the opt-in Region, if one of the two is opt-in
/// (SNS developer guide, "Sending messages to an Amazon SQS queue in a different Region").
pub(crate) fn sns_principal(topic: &TopicArn, queue: &QueueArn) -> String {
    let is_opt_in = |region: &str| topic.partition() == Partition::Aws && !DEFAULT_REGIONS.contains(&region);
    let opt_in = [queue.region(), topic.region()].into_iter().find(|region| is_opt_in(region));
    match opt_in {
        Some(region) if topic.region() != queue.region() => format!("sns.{region}.amazonaws.com"),
        _ => SNS_PRINCIPAL.to_owned(),
    }
}

/// A `Sid` takes letters and digits only; the usual principal needs no suffix.
fn sid_suffix(principal: &str) -> String {
    if principal == SNS_PRINCIPAL {
        return String::new();
    }
    principal
        .trim_start_matches("sns.")
        .trim_end_matches(".amazonaws.com")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:stall";
    const TOPIC: &str = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-abc";
    const OTHER_TOPIC: &str = "arn:aws:sns:us-east-1:287250355862:aws-mp-entitlement-notification-abc";
    const RULE: &str = "arn:aws:events:us-east-1:123456789012:rule/marketplace";

    fn merge_topics(existing: Option<&str>, topics: &[&str], rule: Option<&str>) -> Merged {
        merge_into(QUEUE, existing, topics, rule)
    }

    fn merge_into(queue: &str, existing: Option<&str>, topics: &[&str], rule: Option<&str>) -> Merged {
        let topics: Vec<TopicArn> = topics.iter().map(|topic| topic.parse().unwrap()).collect();
        let rule: Option<RuleArn> = rule.map(|rule| rule.parse().unwrap());
        let queue = queue.parse().unwrap();
        merge(existing, &Senders { queue: &queue, topics: &topics, rule: rule.as_ref() }).unwrap()
    }

    fn statements(merged: &Merged) -> Vec<Value> {
        serde_json::from_str::<Value>(&merged.policy).unwrap()["Statement"].as_array().unwrap().clone()
    }

    #[test]
    fn a_queue_without_a_policy_gets_one_that_names_exactly_its_senders() {
        let merged = merge_topics(None, &[TOPIC, OTHER_TOPIC], Some(RULE));
        assert_eq!(merged.change, PolicyChange::Changed);
        let expected = json!({
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "StallkeeperRule",
                    "Effect": "Allow",
                    "Principal": { "Service": "events.amazonaws.com" },
                    "Action": "sqs:SendMessage",
                    "Resource": QUEUE,
                    "Condition": { "ArnEquals": { "aws:SourceArn": [RULE] } },
                },
                {
                    "Sid": "StallkeeperTopics",
                    "Effect": "Allow",
                    "Principal": { "Service": "sns.amazonaws.com" },
                    "Action": "sqs:SendMessage",
                    "Resource": QUEUE,
                    "Condition": { "ArnEquals": { "aws:SourceArn": [OTHER_TOPIC, TOPIC] } },
                },
            ],
        });
        assert_eq!(serde_json::from_str::<Value>(&merged.policy).unwrap(), expected);
    }

    #[test]
    fn merging_again_changes_nothing_in_whatever_order_the_topics_come() {
        let first = merge_topics(None, &[TOPIC, OTHER_TOPIC], Some(RULE));
        let again = merge_topics(Some(&first.policy), &[OTHER_TOPIC, TOPIC, TOPIC], Some(RULE));
        assert_eq!(again, Merged { policy: first.policy, change: PolicyChange::Unchanged });
    }

    #[test]
    fn statements_of_others_stay_as_they_are() {
        let foreign =
            json!({ "Sid": "backup", "Effect": "Deny", "Principal": "*", "Action": "sqs:PurgeQueue" });
        let existing = json!({ "Version": "2008-10-17", "Id": "theirs", "Statement": foreign }).to_string();
        let merged = merge_topics(Some(&existing), &[TOPIC], None);
        assert_eq!(statements(&merged).first(), Some(&foreign));
        assert_eq!(statements(&merged).len(), 2);
        let document: Value = serde_json::from_str(&merged.policy).unwrap();
        assert_eq!((&document["Version"], &document["Id"]), (&json!("2008-10-17"), &json!("theirs")));
    }

    #[test]
    fn a_statement_that_only_sounds_like_ours_stays_as_it_is() {
        let deny = json!({
            "Sid": "StallkeeperDenyInsecureTransport", "Effect": "Deny", "Principal": "*", "Action": "sqs:*",
            "Resource": QUEUE, "Condition": { "Bool": { "aws:SecureTransport": "false" } },
        });
        let with = |key: &str, value: &str| {
            let mut foreign = statement(TOPICS_SID, "s3.amazonaws.com", &QUEUE.parse().unwrap(), &[]);
            foreign[key] = json!(value);
            foreign
        };
        for foreign in
            [deny, with("Sid", "StallkeeperTopicsBackup"), with("Effect", "Deny"), with("Action", "sqs:*")]
        {
            let existing = json!({ "Statement": [foreign] }).to_string();
            let merged = merge_topics(Some(&existing), &[TOPIC], None);
            assert_eq!(statements(&merged).first(), Some(&foreign));
        }
    }

    #[test]
    fn a_topic_that_is_no_longer_wanted_loses_its_permission() {
        let both = merge_topics(None, &[TOPIC, OTHER_TOPIC], Some(RULE));
        let one = merge_topics(Some(&both.policy), &[TOPIC], None);
        assert_eq!(one.change, PolicyChange::Changed);
        assert!(!one.policy.contains(OTHER_TOPIC) && !one.policy.contains(RULE));
    }

    #[test]
    fn chinese_topics_come_from_the_same_principal() {
        let topic = "arn:aws-cn:sns:cn-northwest-1:123456789012:t";
        let merged = merge_into("arn:aws-cn:sqs:cn-north-1:123456789012:stall", None, &[topic], None);
        assert_eq!(statements(&merged)[0]["Principal"], json!({ "Service": "sns.amazonaws.com" }));
    }

    #[test]
    fn a_queue_in_an_opt_in_region_hears_the_marketplace_under_its_regions_principal() {
        let merged = merge_into("arn:aws:sqs:ap-east-1:123456789012:stall", None, &[TOPIC], None);
        let statement = &statements(&merged)[0];
        assert_eq!(statement["Principal"], json!({ "Service": "sns.ap-east-1.amazonaws.com" }));
        assert_eq!(statement["Sid"], json!("StallkeeperTopicsapeast1"));
    }

    #[test]
    fn an_opt_in_region_of_both_needs_no_other_principal() {
        let topic = "arn:aws:sns:ap-east-1:123456789012:t";
        let merged = merge_into("arn:aws:sqs:ap-east-1:123456789012:stall", None, &[topic], None);
        assert_eq!(statements(&merged)[0]["Principal"], json!({ "Service": "sns.amazonaws.com" }));
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_refused_and_not_overwritten() {
        let queue = QUEUE.parse().unwrap();
        let wanted = Senders { queue: &queue, topics: &[], rule: None };
        assert!(matches!(merge(Some("{"), &wanted), Err(PolicyError::NotJson(_))));
        assert!(matches!(merge(Some("[]"), &wanted), Err(PolicyError::NotAPolicy)));
    }
}
