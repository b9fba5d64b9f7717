//! What is wrong with a queue policy, for `doctor`.

use std::fmt;

use serde_json::Value;

use crate::arn::{RuleArn, TopicArn, is_account};
use crate::policy::{EVENTS_PRINCIPAL, Senders, parse, sns_principal, statements_of};

/// Condition keys that tie a sender down; a statement for everyone without one of them is open.
const NARROWING_KEYS: [&str; 8] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceorgid",
    "aws:sourceowner",
    "aws:sourcevpce",
];

/// Of those, the ones whose values are ARNs.
const ARN_KEYS: [&str; 2] = ["aws:principalarn", "aws:sourcearn"];

/// Operators under which a sender has to be one of the values: a negated one names who is kept out, and one that
/// ends in `IfExists` is met by a sender of whom the key is not known.
const NARROWING_OPERATORS: [&str; 4] = ["arnequals", "arnlike", "stringequals", "stringlike"];

/// One thing that is wrong with a queue policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyGap {
    /// The queue has no policy, so nobody but its own account can send to it.
    NoPolicy,
    /// The policy is not a policy document.
    Unreadable,
    /// No statement lets this topic send.
    TopicNotAllowed(TopicArn),
    /// No statement lets this EventBridge rule send.
    RuleNotAllowed(RuleArn),
    /// A statement lets everyone send, or every topic or rule of every account, so messages can be forged.
    AnyoneMaySend {
        /// The statement's `Sid`, if it has one.
        sid: Option<String>,
    },
}

impl fmt::Display for PolicyGap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPolicy => formatter.write_str("the queue has no policy, so no topic can send to it"),
            Self::Unreadable => formatter.write_str("the queue's policy cannot be read"),
            Self::TopicNotAllowed(topic) => write!(formatter, "the queue's policy does not let {topic} send"),
            Self::RuleNotAllowed(rule) => write!(formatter, "the queue's policy does not let {rule} send"),
            Self::AnyoneMaySend { sid: Some(sid) } => {
                write!(formatter, "statement `{sid}` of the queue's policy lets anyone send")
            }
            Self::AnyoneMaySend { sid: None } => {
                formatter.write_str("a statement of the queue's policy lets anyone send")
            }
        }
    }
}

impl PolicyGap {
    /// What a person does about it, as one sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoPolicy | Self::TopicNotAllowed(_) | Self::RuleNotAllowed(_) => "run `stallkeeper setup`",
            Self::Unreadable => "correct or remove the policy, then run `stallkeeper setup`",
            Self::AnyoneMaySend { .. } => {
                "remove the statement, or give it a condition on `aws:SourceArn`, then run `stallkeeper setup`"
            }
        }
    }
}

/// Finds what keeps the wanted senders out of a queue, and what lets unwanted ones in.
///
/// Only `Allow` statements are weighed; a `Deny` that hits SNS is not found here.
pub fn check(policy: Option<&str>, wanted: &Senders<'_>) -> Vec<PolicyGap> {
    if policy.is_none_or(|text| text.trim().is_empty()) {
        return vec![PolicyGap::NoPolicy];
    }
    let Ok(document) = parse(policy) else {
        return vec![PolicyGap::Unreadable];
    };
    let queue = wanted.queue.to_string();
    let statements: Vec<Value> =
        statements_of(&document).into_iter().filter(|statement| allows_sending(statement, &queue)).collect();
    let lets_in = |principal: &str, source: &str| {
        statements.iter().any(|statement| lets_in(statement, principal, source))
    };
    let topics = wanted
        .topics
        .iter()
        .filter(|topic| !lets_in(&sns_principal(topic, wanted.queue), &topic.to_string()))
        .map(|topic| PolicyGap::TopicNotAllowed(topic.clone()));
    let rule = wanted
        .rule
        .filter(|rule| !lets_in(EVENTS_PRINCIPAL, &rule.to_string()))
        .map(|rule| PolicyGap::RuleNotAllowed(rule.clone()));
    let open = statements.iter().filter(|statement| is_open(statement)).map(|statement| {
        PolicyGap::AnyoneMaySend { sid: statement.get("Sid").and_then(Value::as_str).map(str::to_owned) }
    });
    topics.chain(rule).chain(open).collect()
}

fn allows_sending(statement: &Value, queue: &str) -> bool {
    let is_allow = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
    let is_sending = |actions| {
        texts(Some(actions)).iter().any(|action| matches(&action.to_ascii_lowercase(), "sqs:sendmessage"))
    };
    let acts = match (statement.get("Action"), statement.get("NotAction")) {
        (Some(actions), _) => is_sending(actions),
        (None, Some(others)) => !is_sending(others),
        (None, None) => false,
    };
    let on = texts(statement.get("Resource"));
    is_allow && acts && on.iter().any(|resource| matches(resource, queue))
}

fn lets_in(statement: &Value, principal: &str, source: &str) -> bool {
    let is_principal = is_everyone(statement) || services(statement).contains(&principal);
    let sources = source_arns(statement);
    is_principal && (sources.is_empty() || sources.iter().any(|pattern| matches(pattern, source)))
}

/// Everyone, everyone but a few, or a whole service: any account can make a topic or rule and point it at the queue.
fn is_open(statement: &Value) -> bool {
    let is_whole_service = services(statement).iter().any(|service| {
        *service == EVENTS_PRINCIPAL || (service.starts_with("sns.") && service.ends_with(".amazonaws.com"))
    });
    let is_all_but_some = statement.get("NotPrincipal").is_some();
    (is_everyone(statement) || is_all_but_some || is_whole_service) && !is_narrowed(statement)
}

fn is_narrowed(statement: &Value) -> bool {
    conditions(statement).any(|(operator, key, values)| {
        let key = key.to_ascii_lowercase();
        let ties_down = |value: &&str| {
            if ARN_KEYS.contains(&key.as_str()) {
                value.split(':').nth(4).is_some_and(is_account)
            } else {
                !value.contains(['*', '?'])
            }
        };
        let values = texts(Some(values));
        NARROWING_OPERATORS.contains(&operator.to_ascii_lowercase().as_str())
            && NARROWING_KEYS.contains(&key.as_str())
            && !values.is_empty()
            && values.iter().all(ties_down)
    })
}

fn is_everyone(statement: &Value) -> bool {
    match statement.get("Principal") {
        Some(Value::Object(kinds)) => texts(kinds.get("AWS")).contains(&"*"),
        principal => texts(principal).contains(&"*"),
    }
}

fn services(statement: &Value) -> Vec<&str> {
    texts(statement.get("Principal").and_then(|principal| principal.get("Service")))
}

fn source_arns(statement: &Value) -> Vec<&str> {
    conditions(statement)
        .filter(|(_, key, _)| key.eq_ignore_ascii_case("aws:SourceArn"))
        .flat_map(|(_, _, values)| texts(Some(values)))
        .collect()
}

/// All conditions: an operator, a key and its values.
fn conditions(statement: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let operators = statement.get("Condition").and_then(Value::as_object);
    operators.into_iter().flatten().flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, values)| (operator, key, values))
    })
}

/// The policy language allows one text wherever it allows a list.
fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The policy language's wildcards: `*` stands for any run of characters, `?` for one.
fn matches(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // `reached[i]` says that the pattern so far can match the first `i` characters.
    let mut reached: Vec<bool> = (0..=text.len()).map(|length| length == 0).collect();
    for wanted in pattern.chars() {
        reached = match wanted {
            '*' => reached
                .iter()
                .scan(false, |any, here| {
                    *any |= here;
                    Some(*any)
                })
                .collect(),
            _ => std::iter::once(false)
                .chain(
                    text.iter()
                        .zip(&reached)
                        .map(|(found, here)| *here && (wanted == '?' || wanted == *found)),
                )
                .collect(),
        };
    }
    reached.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::arn::QueueArn;
    use crate::policy::merge;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:stall";
    const TOPIC: &str = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-abc";
    const RULE: &str = "arn:aws:events:us-east-1:123456789012:rule/marketplace";

    fn gaps(policy: Option<&str>) -> Vec<PolicyGap> {
        let queue: QueueArn = QUEUE.parse().unwrap();
        let topics = [TOPIC.parse().unwrap()];
        check(policy, &Senders { queue: &queue, topics: &topics, rule: None })
    }

    fn gaps_of(statement: &Value) -> Vec<PolicyGap> {
        gaps(Some(&json!({ "Statement": [statement] }).to_string()))
    }

    fn statement(principal: &Value, condition: &Value) -> Value {
        json!({
            "Sid": "s", "Effect": "Allow", "Principal": principal, "Action": "SQS:SendMessage",
            "Resource": QUEUE, "Condition": condition,
        })
    }

    fn not_allowed() -> PolicyGap {
        PolicyGap::TopicNotAllowed(TOPIC.parse().unwrap())
    }

    fn open() -> PolicyGap {
        PolicyGap::AnyoneMaySend { sid: Some("s".to_owned()) }
    }

    #[test]
    fn what_set_up_writes_has_no_gaps() {
        let queue: QueueArn = QUEUE.parse().unwrap();
        let topics = [TOPIC.parse().unwrap()];
        let rule = RULE.parse().unwrap();
        let wanted = Senders { queue: &queue, topics: &topics, rule: Some(&rule) };
        let policy = merge(None, &wanted).unwrap().policy;
        assert_eq!(check(Some(&policy), &wanted), []);
    }

    #[test]
    fn no_policy_and_an_unreadable_one_are_told_apart() {
        assert_eq!(gaps(None), [PolicyGap::NoPolicy]);
        assert_eq!(gaps(Some(" ")), [PolicyGap::NoPolicy]);
        assert_eq!(gaps(Some("{")), [PolicyGap::Unreadable]);
    }

    #[test]
    fn a_policy_for_another_topic_another_queue_or_another_action_does_not_let_ours_in() {
        let sns = json!({ "Service": "sns.amazonaws.com" });
        let ours = statement(&sns, &json!({ "ArnEquals": { "aws:SourceArn": TOPIC } }));
        assert_eq!(gaps_of(&ours), []);
        let other_topic = statement(
            &sns,
            &json!({ "ArnEquals": { "aws:SourceArn": "arn:aws:sns:us-east-1:123456789012:other" } }),
        );
        let with = |key: &str, value: &str| {
            let mut statement = ours.clone();
            statement[key] = json!(value);
            statement
        };
        let other_queue = with("Resource", "arn:aws:sqs:us-east-1:123456789012:other");
        for statement in
            [other_topic, other_queue, with("Action", "sqs:ReceiveMessage"), with("Effect", "Deny")]
        {
            assert_eq!(gaps_of(&statement), [not_allowed()], "{statement}");
        }
    }

    #[test]
    fn a_rule_that_no_statement_names_is_a_gap() {
        let queue: QueueArn = QUEUE.parse().unwrap();
        let rule: RuleArn = RULE.parse().unwrap();
        let wanted = Senders { queue: &queue, topics: &[], rule: Some(&rule) };
        assert_eq!(check(Some(r#"{"Statement":[]}"#), &wanted), [PolicyGap::RuleNotAllowed(rule.clone())]);
    }

    #[test]
    fn a_source_may_be_written_with_wildcards_as_other_tools_do() {
        let condition = json!({ "ArnLike": { "AWS:SourceArn": ["arn:aws:sns:*:287250355862:aws-mp-*"] } });
        assert_eq!(gaps_of(&statement(&json!({ "AWS": "*" }), &condition)), []);
    }

    #[test]
    fn everyone_without_a_source_is_open() {
        for principal in [json!("*"), json!({ "AWS": ["*"] })] {
            assert_eq!(gaps_of(&statement(&principal, &json!({}))), [open()], "{principal}");
        }
    }

    #[test]
    fn any_topic_of_any_account_is_open_too() {
        assert_eq!(gaps_of(&statement(&json!({ "Service": "sns.amazonaws.com" }), &json!({}))), [open()]);
        let any = json!({ "ArnLike": { "aws:SourceArn": "*" } });
        assert_eq!(gaps_of(&statement(&json!({ "Service": "sns.amazonaws.com" }), &any)), [open()]);
    }

    #[test]
    fn a_source_of_any_account_is_open_however_it_is_spelled() {
        for source in
            [json!("arn:aws:sns:*:*:*"), json!([TOPIC, "arn:aws:sns:us-east-1:28725035586?:*"]), json!([])]
        {
            let condition = json!({ "ArnLike": { "aws:SourceArn": source } });
            assert!(gaps_of(&statement(&json!("*"), &condition)).contains(&open()), "{source}");
        }
        let any_account = json!({ "StringLike": { "aws:SourceAccount": "1*" } });
        assert_eq!(gaps_of(&statement(&json!("*"), &any_account)), [open()]);
    }

    #[test]
    fn a_condition_that_a_stranger_can_meet_leaves_it_open() {
        for operator in ["ArnNotEquals", "ArnLikeIfExists", "StringNotLike", "ForAllValues:StringEquals"] {
            let condition = json!({ operator: { "aws:SourceArn": TOPIC } });
            assert_eq!(gaps_of(&statement(&json!("*"), &condition)), [open()], "{operator}");
        }
    }

    #[test]
    fn all_but_some_principals_or_actions_are_open() {
        let turned = |key: &str, value: Value| {
            let mut statement = statement(&json!("*"), &json!({}));
            statement.as_object_mut().unwrap().remove(key.strip_prefix("Not").unwrap());
            statement[key] = value;
            gaps_of(&statement)
        };
        assert!(turned("NotPrincipal", json!({ "AWS": "123456789012" })).contains(&open()));
        assert_eq!(turned("NotAction", json!("sqs:PurgeQueue")), [open()]);
        assert_eq!(turned("NotAction", json!(["sqs:Send*"])), [not_allowed()]);
    }

    #[test]
    fn a_condition_that_says_nothing_about_the_sender_leaves_it_open() {
        let condition = json!({ "Bool": { "aws:SecureTransport": "true" } });
        assert_eq!(gaps_of(&statement(&json!("*"), &condition)), [open()]);
    }

    #[test]
    fn wildcards_match_runs_and_single_characters() {
        for (pattern, text) in
            [("*", ""), ("a*c", "abbc"), ("a?c", "abc"), ("a*b*c", "axbxbxc"), ("abc", "abc")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a?c", "ac"), ("a*c", "abcd"), ("ab", "abc")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
