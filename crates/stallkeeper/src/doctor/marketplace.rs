use stallkeeper_aws::{
    AwsError, ClockFinding, PolicyGap, QueueFacts, QueueWarning, RawDelivery, SubscriptionFinding, TopicArn,
    Wanted,
};
use stallkeeper_notification::Delivery;
use stallkeeper_runtime::error_chain;

use super::check::Check;
use super::finding::{MarketplaceFinding, Unseen};
use super::words;

const CREDENTIALS: &str = "credentials";
const CLOCK: &str = "clock";
const QUEUE: &str = "queue";
const POLICY: &str = "policy";

const AGAIN: &str = "check the network, DNS, proxy and `endpoint_url`, then try again";
const SET_CLOCK: &str = "set the clock of this machine by NTP";

pub(super) fn checks(finding: &MarketplaceFinding) -> Vec<Check> {
    let subject = Subject(finding);
    let mut checks = vec![subject.credentials(), subject.clock(), subject.queue()];
    match finding.inspection.as_ref().map(|inspection| (&inspection.queue, &inspection.topics)) {
        Ok((Ok(facts), topics)) => {
            checks.push(subject.policy(&facts.policy_gaps));
            checks.extend(SETTINGS.map(|setting| subject.setting(setting, facts)));
            let subscriptions =
                topics.iter().map(|found| subject.subscription(&found.topic, &found.subscription));
            checks.extend(subscriptions);
        }
        _ => checks.extend(subject.behind_the_queue()),
    }
    checks
}

/// A setting of the queue with what is right about it.
type Setting = (&'static str, QueueWarning, fn(&QueueFacts) -> String);

const SETTINGS: [Setting; 4] = [
    ("dead-letter queue", QueueWarning::NoDeadLetterQueue, |facts| match &facts.dead_letter_queue {
        Some(arn) => arn.clone(),
        None => "there is none".to_owned(),
    }),
    ("retention", QueueWarning::ShortRetention, |facts| {
        format!("notifications are kept for {}", words::span(facts.retention))
    }),
    ("visibility", QueueWarning::ShortVisibility, |facts| {
        format!("received notifications are hidden for {}", words::span(facts.visibility_timeout))
    }),
    ("encryption", QueueWarning::UndeliverableEncryption, |_| "it does not keep SNS out".to_owned()),
];

/// What was found about one marketplace, whose name each check bears.
struct Subject<'a>(&'a MarketplaceFinding);

impl Subject<'_> {
    fn name(&self, what: &str) -> String {
        format!("{}: {what}", self.0.name)
    }

    fn queue_error(&self) -> Option<&AwsError> {
        self.0.inspection.as_ref().ok().and_then(|inspection| inspection.queue.as_ref().err())
    }

    fn credentials(&self) -> Check {
        let name = self.name(CREDENTIALS);
        match (&self.0.credentials, self.queue_error()) {
            (Err(Unseen::Failed(error)), _) => failed(name, error),
            (Err(why), _) => {
                Check::failure(name, words::unseen(why), "check where the credentials come from")
            }
            (Ok(_), Some(refused @ AwsError::RefusedCredentials { .. })) => failed(name, refused),
            (Ok(found), _) => Check::ok(name, format!("access key {}", found.access_key_id)),
        }
    }

    fn clock(&self) -> Check {
        let name = self.name(CLOCK);
        let off = |by, direction| {
            let found = format!("this machine's clock is {} {direction} AWS's", words::span(by));
            Check::failure(self.name(CLOCK), found, SET_CLOCK)
        };
        match (self.0.inspection.as_ref().map(|inspection| inspection.clock), self.queue_error()) {
            (Ok(ClockFinding::Ahead(by)), _) => off(by, "ahead of"),
            (Ok(ClockFinding::Behind(by)), _) => off(by, "behind"),
            (_, Some(error @ AwsError::ClockSkewed { .. })) => failed(name, error),
            (Ok(ClockFinding::Right), _) => Check::ok(name, "it agrees with AWS's"),
            (Ok(ClockFinding::Unknown) | Err(_), _) => Check::unseen(name, &self.before_the_queue()),
        }
    }

    fn queue(&self) -> Check {
        let name = self.name(QUEUE);
        match self.0.inspection.as_ref().map(|inspection| &inspection.queue) {
            Ok(Ok(facts)) => Check::ok(
                name,
                format!("{}: {} waiting, {} in work", facts.arn, facts.waiting, facts.in_flight),
            ),
            // Counted where it is to be put right.
            Ok(Err(AwsError::MissingCredentials { .. } | AwsError::RefusedCredentials { .. })) => {
                Check::unseen(name, &self.name(CREDENTIALS))
            }
            Ok(Err(AwsError::ClockSkewed { .. })) => Check::unseen(name, &self.name(CLOCK)),
            Ok(Err(error)) => failed(name, error),
            Err(why) => Check::failure(name, words::unseen(why), AGAIN),
        }
    }

    /// What keeps AWS's answers away.
    fn before_the_queue(&self) -> String {
        let missing = matches!(self.queue_error(), Some(AwsError::MissingCredentials { .. }));
        self.name(if missing { CREDENTIALS } else { QUEUE })
    }

    fn policy(&self, gaps: &[PolicyGap]) -> Check {
        let name = self.name(POLICY);
        if gaps.is_empty() {
            return Check::ok(name, may_send(&self.0.wanted));
        }
        let found: Vec<String> = gaps.iter().map(ToString::to_string).collect();
        let mut remedies: Vec<&str> = gaps.iter().map(PolicyGap::remedy).collect();
        remedies.dedup();
        Check::failure(name, found.join("; "), remedies.join("; "))
    }

    fn setting(&self, (what, warning, found): Setting, facts: &QueueFacts) -> Check {
        let name = self.name(what);
        match warning {
            _ if !facts.warnings.contains(&warning) => Check::ok(name, found(facts)),
            QueueWarning::UndeliverableEncryption => Check::failure(
                name,
                "with the key that AWS manages, which SNS may not use: nothing is delivered",
                warning.remedy(),
            ),
            _ => Check::warning(name, found(facts), warning.remedy()),
        }
    }

    fn subscription(&self, topic: &TopicArn, finding: &SubscriptionFinding) -> Check {
        let name = self.subscription_name(topic);
        match finding {
            SubscriptionFinding::Present { arn, raw_delivery } => self.delivery(name, arn, raw_delivery),
            SubscriptionFinding::Pending => Check::failure(
                name,
                format!("the queue's subscription to {topic} waits to be confirmed"),
                "run `stallkeeper setup` with credentials of the queue's own account",
            ),
            SubscriptionFinding::Absent => Check::failure(
                name,
                format!("the queue is not subscribed to {topic}"),
                "run `stallkeeper setup`",
            ),
            SubscriptionFinding::Unknown(error) => unknown(name, error),
        }
    }

    fn delivery(&self, name: String, arn: &str, raw_delivery: &RawDelivery) -> Check {
        match (raw_delivery, self.0.delivery) {
            (RawDelivery::Off, Delivery::Enveloped) => Check::ok(name, "it is there, raw delivery is off"),
            (RawDelivery::On, Delivery::Raw) => {
                Check::ok(name, "it is there, raw delivery is on as configured")
            }
            (RawDelivery::On, Delivery::Enveloped) => Check::failure(
                name,
                format!("raw delivery is on for {arn}, so notifications come without time, id and signature"),
                format!(
                    "turn it off: aws sns set-subscription-attributes --subscription-arn {arn} \
                     --attribute-name RawMessageDelivery --attribute-value false"
                ),
            ),
            (RawDelivery::Off, Delivery::Raw) => Check::failure(
                name,
                format!("raw delivery is off for {arn}, but configured"),
                "remove `raw_delivery` from the marketplace's configuration",
            ),
            (RawDelivery::Unknown(error), _) => unknown(name, error),
        }
    }

    fn subscription_name(&self, topic: &TopicArn) -> String {
        self.name(&format!("subscription {}", topic.name()))
    }

    /// What is known only once the queue is seen.
    fn behind_the_queue(&self) -> Vec<Check> {
        let settings = SETTINGS.iter().map(|(what, ..)| self.name(what));
        let subscriptions = self.0.wanted.topics.iter().map(|topic| self.subscription_name(topic));
        let names = std::iter::once(self.name(POLICY)).chain(settings).chain(subscriptions);
        names.map(|name| Check::unseen(name, &self.name(QUEUE))).collect()
    }
}

fn failed(name: String, error: &AwsError) -> Check {
    Check::failure(name, error_chain(error), error.remedy())
}

/// What the credentials may not see can still be right.
fn unknown(name: String, error: &AwsError) -> Check {
    match error {
        AwsError::AccessDenied { .. } => Check::warning(name, error_chain(error), error.remedy()),
        _ => failed(name, error),
    }
}

fn may_send(wanted: &Wanted) -> String {
    let topics = words::counted(wanted.topics.len() as u64, "topic");
    match (&wanted.rule, wanted.topics.len()) {
        (None, _) => format!("it lets {topics} send"),
        (Some(_), 0) => "it lets the EventBridge rule send".to_owned(),
        (Some(_), _) => format!("it lets {topics} and the EventBridge rule send"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stallkeeper_aws::{CredentialsFacts, Inspection, TopicInspection};

    use super::*;
    use crate::doctor::Status;

    const TOPIC: &str = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-abc";
    const SUBSCRIPTION: &str = "aws: subscription aws-mp-subscription-notification-abc";

    fn right() -> MarketplaceFinding {
        let topic: TopicArn = TOPIC.parse().unwrap();
        MarketplaceFinding {
            name: "aws".parse().unwrap(),
            wanted: Wanted {
                queue_url: "https://sqs.us-east-1.amazonaws.com/123456789012/stall".parse().unwrap(),
                topics: vec![topic.clone()],
                rule: None,
            },
            delivery: Delivery::Enveloped,
            credentials: Ok(CredentialsFacts { access_key_id: "AKIAEXAMPLE".to_owned() }),
            inspection: Ok(Inspection {
                clock: ClockFinding::Right,
                queue: Ok(right_queue()),
                topics: vec![TopicInspection { topic, subscription: present(RawDelivery::Off) }],
            }),
        }
    }

    fn right_queue() -> QueueFacts {
        QueueFacts {
            arn: "arn:aws:sqs:us-east-1:123456789012:stall".parse().unwrap(),
            visibility_timeout: Duration::from_mins(1),
            retention: Duration::from_hours(14 * 24),
            dead_letter_queue: Some("arn:aws:sqs:us-east-1:123456789012:dead".to_owned()),
            waiting: 3,
            in_flight: 0,
            warnings: Vec::new(),
            policy_gaps: Vec::new(),
        }
    }

    fn present(raw_delivery: RawDelivery) -> SubscriptionFinding {
        SubscriptionFinding::Present { arn: format!("{TOPIC}:1b2c"), raw_delivery }
    }

    /// A right set-up, but for what AWS tells.
    fn inspected(change: impl FnOnce(&mut Inspection)) -> MarketplaceFinding {
        let mut finding = right();
        change(finding.inspection.as_mut().unwrap());
        finding
    }

    fn subscribed(subscription: SubscriptionFinding) -> MarketplaceFinding {
        inspected(|inspection| inspection.topics[0].subscription = subscription)
    }

    fn queue_error(error: AwsError) -> MarketplaceFinding {
        inspected(|inspection| {
            inspection.queue = Err(error);
            inspection.topics.clear();
        })
    }

    fn names(finding: &MarketplaceFinding, status: Status) -> Vec<String> {
        let checks = checks(finding).into_iter().filter(|check| check.status() == status);
        checks.map(|check| check.name().to_owned()).collect()
    }

    /// The only failure of a finding.
    fn failure(finding: &MarketplaceFinding) -> Check {
        let mut failures: Vec<Check> =
            checks(finding).into_iter().filter(|check| check.status() == Status::Failure).collect();
        assert_eq!(failures.len(), 1, "{failures:?}");
        failures.remove(0)
    }

    fn denied() -> AwsError {
        AwsError::AccessDenied { action: "sns:X", resource: "it".to_owned(), source: "no".into() }
    }

    #[test]
    fn a_right_set_up_is_all_right() {
        assert_eq!(names(&right(), Status::Ok).len(), checks(&right()).len());
    }

    #[test]
    fn every_check_has_a_name_of_its_own_that_stays_when_the_queue_is_not_seen() {
        let seen: Vec<String> = checks(&right()).iter().map(|check| check.name().to_owned()).collect();
        let unseen = checks(&queue_error(denied()));
        let unseen: Vec<String> = unseen.iter().map(|check| check.name().to_owned()).collect();
        assert_eq!(seen, unseen);
        let mut distinct = seen.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), seen.len());
    }

    #[test]
    fn missing_credentials_are_the_one_failure_and_the_rest_waits_for_them() {
        let missing = || AwsError::MissingCredentials { source: "none".into() };
        let credentials = Err(Unseen::Failed(missing()));
        let mut finding = MarketplaceFinding { credentials, ..queue_error(missing()) };
        finding.inspection.as_mut().unwrap().clock = ClockFinding::Unknown;
        assert_eq!(failure(&finding).name(), "aws: credentials");
        let queue = checks(&finding).into_iter().find(|check| check.name() == "aws: queue").unwrap();
        assert!(queue.remedy().unwrap().contains("`aws: credentials`"));
    }

    #[test]
    fn credentials_that_aws_refuses_are_told_as_credentials() {
        let code = "InvalidClientTokenId".to_owned();
        let refused = AwsError::RefusedCredentials { action: "sqs:X", code, source: "no".into() };
        assert_eq!(failure(&queue_error(refused)).name(), "aws: credentials");
    }

    #[test]
    fn a_wrong_clock_is_told_with_how_far_it_is_off() {
        for (clock, found) in [
            (
                ClockFinding::Ahead(Duration::from_secs(400)),
                "this machine's clock is 6 minutes ahead of AWS's",
            ),
            (
                ClockFinding::Behind(Duration::from_secs(31)),
                "this machine's clock is 31 seconds behind AWS's",
            ),
        ] {
            let failure = failure(&inspected(|inspection| inspection.clock = clock));
            assert_eq!((failure.name(), failure.found()), ("aws: clock", found));
        }
    }

    #[test]
    fn a_queue_that_is_not_there_or_not_to_be_seen_fails_as_queue() {
        let missing = AwsError::NotFound { resource: "stall".to_owned(), source: "no".into() };
        for error in [missing, denied()] {
            assert_eq!(failure(&queue_error(error)).name(), "aws: queue");
        }
        let silent =
            MarketplaceFinding { inspection: Err(Unseen::TimedOut(Duration::from_mins(1))), ..right() };
        assert_eq!(failure(&silent).found(), "no answer within 1 minute");
    }

    #[test]
    fn all_gaps_of_a_policy_are_one_failure_that_names_each() {
        let gaps = vec![
            PolicyGap::TopicNotAllowed(TOPIC.parse().unwrap()),
            PolicyGap::AnyoneMaySend { sid: Some("open".to_owned()) },
        ];
        let queue = QueueFacts { policy_gaps: gaps, ..right_queue() };
        let failure = failure(&inspected(|inspection| inspection.queue = Ok(queue)));
        assert_eq!(failure.name(), "aws: policy");
        assert!(failure.found().contains(TOPIC) && failure.found().contains("`open`"), "{failure:?}");
    }

    #[test]
    fn a_weak_setting_is_a_warning_and_a_key_that_keeps_sns_out_is_a_failure() {
        for (warning, status, name) in [
            (QueueWarning::NoDeadLetterQueue, Status::Warning, "aws: dead-letter queue"),
            (QueueWarning::ShortRetention, Status::Warning, "aws: retention"),
            (QueueWarning::ShortVisibility, Status::Warning, "aws: visibility"),
            (QueueWarning::UndeliverableEncryption, Status::Failure, "aws: encryption"),
        ] {
            let queue = QueueFacts { warnings: vec![warning], ..right_queue() };
            assert_eq!(names(&inspected(|inspection| inspection.queue = Ok(queue)), status), [name]);
        }
    }

    #[test]
    fn a_subscription_that_is_absent_or_waits_fails_and_one_that_may_not_be_seen_is_a_warning() {
        for broken in [SubscriptionFinding::Absent, SubscriptionFinding::Pending] {
            assert_eq!(failure(&subscribed(broken)).name(), SUBSCRIPTION);
        }
        let hidden = [SubscriptionFinding::Unknown(denied()), present(RawDelivery::Unknown(denied()))];
        for hidden in hidden {
            assert_eq!(names(&subscribed(hidden), Status::Warning), [SUBSCRIPTION]);
        }
    }

    #[test]
    fn raw_delivery_has_to_be_what_is_configured() {
        let configured = |raw, delivery| MarketplaceFinding { delivery, ..subscribed(present(raw)) };
        assert_eq!(failure(&configured(RawDelivery::On, Delivery::Enveloped)).name(), SUBSCRIPTION);
        assert_eq!(failure(&configured(RawDelivery::Off, Delivery::Raw)).name(), SUBSCRIPTION);
        assert!(names(&configured(RawDelivery::On, Delivery::Raw), Status::Failure).is_empty());
    }
}
