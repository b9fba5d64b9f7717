//! What AWS answers, as found on the wire, and what it becomes.
#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared fails")]

#[expect(dead_code, reason = "the answers of other services are for other tests")]
mod fake_service;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use fake_service::{Answer, DATE_UNIX_SECS, FakeService};
use stallkeeper_aws::{
    Account, AwsError, ClockFinding, CredentialsSource, Endpoints, Inspection, QueueWarning, SetupError,
    SubscriptionAct, SubscriptionFinding, Wanted, credentials, inspect, setup, sns_client, sqs_client,
};
use time::OffsetDateTime;

const QUEUE_URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/stall";
const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:stall";
const TOPIC: &str = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-abc";
const SUBSCRIPTION: &str = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-abc:1b2c";

fn wanted() -> Wanted {
    Wanted { queue_url: QUEUE_URL.parse().unwrap(), topics: vec![TOPIC.parse().unwrap()], rule: None }
}

fn config(provider: SharedCredentialsProvider) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .retry_config(RetryConfig::disabled())
        .credentials_provider(provider)
        .build()
}

fn some_credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test"))
}

fn account(sqs: &str, sns: &str) -> Account {
    Account {
        region: "us-east-1".to_owned(),
        credentials: CredentialsSource::StandardChain,
        endpoints: Endpoints { sqs: Some(sqs.to_owned()), sns: Some(sns.to_owned()), ..Endpoints::default() },
    }
}

async fn inspect_at(sqs: &str, sns: &str) -> Inspection {
    let (config, account) = (config(some_credentials()), account(sqs, sns));
    let now = || OffsetDateTime::from_unix_timestamp(DATE_UNIX_SECS).unwrap();
    inspect(&sqs_client(&config, &account), &sns_client(&config, &account), &wanted(), now).await
}

/// The error that the queue's look-up becomes when SQS gives this answer.
async fn queue_error(answer: Answer) -> AwsError {
    let sqs = FakeService::start(vec![answer]);
    inspect_at(&sqs.url, "http://127.0.0.1:1").await.queue.unwrap_err()
}

fn queue_answer(more: &str) -> Answer {
    let attributes = format!(
        r#"{{"Attributes":{{"QueueArn":"{QUEUE}","VisibilityTimeout":"60","MessageRetentionPeriod":"1209600",
        "ApproximateNumberOfMessages":"7","ApproximateNumberOfMessagesNotVisible":"2"{more}}}}}"#
    );
    Answer::json(200, &attributes)
}

fn subscription_member(endpoint: &str) -> String {
    format!(
        "<member><TopicArn>{TOPIC}</TopicArn><Protocol>sqs</Protocol><SubscriptionArn>{SUBSCRIPTION}\
         </SubscriptionArn><Owner>123456789012</Owner><Endpoint>{endpoint}</Endpoint></member>"
    )
}

async fn setup_at(sqs: &FakeService, sns: &FakeService) -> Result<SubscriptionAct, SetupError> {
    let (config, account) = (config(some_credentials()), account(&sqs.url, &sns.url));
    let report = setup(&sqs_client(&config, &account), &sns_client(&config, &account), &wanted()).await?;
    Ok(report.topics.into_iter().next().unwrap().subscription)
}

#[tokio::test]
async fn a_missing_queue_is_named_with_what_to_do() {
    let error = queue_error(Answer::sqs_error(
        400,
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue;Sender",
    ))
    .await;
    assert!(matches!(&error, AwsError::NotFound { resource, .. } if resource == QUEUE_URL), "{error:?}");
    assert_eq!(error.to_string(), format!("{QUEUE_URL} does not exist"));
    assert!(error.remedy().contains("Region"));
}

#[tokio::test]
async fn a_denied_call_names_the_action_to_allow() {
    let error = queue_error(Answer::sqs_error(403, "AccessDeniedException", "AccessDenied;Sender")).await;
    assert!(matches!(error, AwsError::AccessDenied { action: "sqs:GetQueueAttributes", .. }), "{error:?}");
    assert!(error.remedy().contains("allow `sqs:GetQueueAttributes`"));
}

#[tokio::test]
async fn refused_credentials_a_wrong_clock_and_throttling_are_told_apart() {
    let error =
        queue_error(Answer::sqs_error(403, "InvalidClientTokenId", "InvalidClientTokenId;Sender")).await;
    assert!(matches!(error, AwsError::RefusedCredentials { .. }), "{error:?}");
    let error =
        queue_error(Answer::sqs_error(403, "RequestTimeTooSkewed", "RequestTimeTooSkewed;Sender")).await;
    assert!(matches!(error, AwsError::ClockSkewed { .. }), "{error:?}");
    let error = queue_error(Answer::sqs_error(400, "ThrottlingException", "RequestThrottled;Sender")).await;
    assert!(matches!(error, AwsError::Throttled { .. }) && error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn another_refusal_keeps_its_code() {
    let error = queue_error(Answer::sqs_error(400, "InvalidAddress", "InvalidAddress;Sender")).await;
    assert!(matches!(&error, AwsError::Refused { code, .. } if code == "InvalidAddress"), "{error:?}");
}

#[tokio::test]
async fn a_failing_and_an_unreachable_service_are_transient() {
    let error = queue_error(Answer::json(503, "")).await;
    assert!(matches!(error, AwsError::Unavailable { .. }) && error.is_transient(), "{error:?}");
    let error = inspect_at("http://127.0.0.1:1", "http://127.0.0.1:1").await.queue.unwrap_err();
    assert!(matches!(error, AwsError::Unavailable { .. }), "{error:?}");
}

#[derive(Debug)]
struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("none here")))
    }
}

#[tokio::test]
async fn no_credentials_are_named_before_anything_is_asked() {
    let config = config(SharedCredentialsProvider::new(NoCredentials));
    let account = account("http://127.0.0.1:1", "http://127.0.0.1:1");
    assert!(matches!(credentials(&config).await, Err(AwsError::MissingCredentials { .. })));
    let now = || OffsetDateTime::UNIX_EPOCH;
    let found = inspect(&sqs_client(&config, &account), &sns_client(&config, &account), &wanted(), now).await;
    assert!(matches!(found.queue, Err(AwsError::MissingCredentials { .. })), "{found:?}");
    assert_eq!(found.clock, ClockFinding::Unknown);
}

#[tokio::test]
async fn a_wrong_clock_shows_even_when_the_call_is_denied() {
    let sqs =
        FakeService::start(vec![Answer::sqs_error(403, "AccessDeniedException", "AccessDenied;Sender")]);
    let (config, account) = (config(some_credentials()), account(&sqs.url, &sqs.url));
    let now = || OffsetDateTime::from_unix_timestamp(DATE_UNIX_SECS + 600).unwrap();
    let found = inspect(&sqs_client(&config, &account), &sns_client(&config, &account), &wanted(), now).await;
    assert_eq!(found.clock, ClockFinding::Ahead(Duration::from_mins(10)));
}

#[tokio::test]
async fn settings_of_the_queue_that_will_hurt_are_listed() {
    let more = r#","KmsMasterKeyId":"alias/aws/sqs""#;
    let answer =
        queue_answer(more).map_body(|body| body.replace("1209600", "86400").replace(r#""60""#, r#""5""#));
    let sqs = FakeService::start(vec![answer]);
    let facts = inspect_at(&sqs.url, "http://127.0.0.1:1").await.queue.unwrap();
    let all = [
        QueueWarning::ShortRetention,
        QueueWarning::NoDeadLetterQueue,
        QueueWarning::ShortVisibility,
        QueueWarning::UndeliverableEncryption,
    ];
    assert_eq!(facts.warnings, all);
    assert_eq!((facts.waiting, facts.in_flight), (7, 2));
}

#[tokio::test]
async fn a_well_made_queue_has_no_warnings() {
    let more = r#","RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:123456789012:dead\"}""#;
    let sqs = FakeService::start(vec![queue_answer(more)]);
    let facts = inspect_at(&sqs.url, "http://127.0.0.1:1").await.queue.unwrap();
    assert_eq!(facts.warnings, []);
    assert_eq!(facts.dead_letter_queue.as_deref(), Some("arn:aws:sqs:us-east-1:123456789012:dead"));
}

#[tokio::test]
async fn an_answer_that_lacks_a_promised_attribute_is_an_error_and_no_panic() {
    let error = queue_error(Answer::json(200, "{}")).await;
    assert!(matches!(error, AwsError::IncompleteAnswer { field: "QueueArn", .. }), "{error:?}");
}

#[tokio::test]
async fn where_the_topics_owner_alone_may_list_the_accounts_own_subscriptions_are_searched() {
    let sqs = FakeService::start(vec![queue_answer("")]);
    let first_page =
        format!("<Subscriptions>{}</Subscriptions><NextToken>2</NextToken>", subscription_member("x"));
    let second_page = format!("<Subscriptions>{}</Subscriptions>", subscription_member(QUEUE));
    let attributes =
        "<Attributes><entry><key>RawMessageDelivery</key><value>false</value></entry></Attributes>";
    let sns = FakeService::start(vec![
        Answer::sns_error(403, "AuthorizationError"),
        Answer::sns("ListSubscriptions", &first_page),
        Answer::sns("ListSubscriptions", &second_page),
        Answer::sns("GetSubscriptionAttributes", attributes),
    ]);
    let found = inspect_at(&sqs.url, &sns.url).await;
    let SubscriptionFinding::Present { arn, .. } = &found.topics[0].subscription else {
        panic!("{found:?}");
    };
    assert_eq!(arn, SUBSCRIPTION);
}

#[tokio::test]
async fn a_subscription_that_nobody_may_see_is_unknown_and_not_absent() {
    let sqs = FakeService::start(vec![queue_answer("")]);
    let denied = || Answer::sns_error(403, "AuthorizationError");
    let sns = FakeService::start(vec![denied(), denied()]);
    let found = inspect_at(&sqs.url, &sns.url).await;
    let finding = &found.topics[0].subscription;
    assert!(matches!(finding, SubscriptionFinding::Unknown(AwsError::AccessDenied { .. })), "{finding:?}");
}

#[tokio::test]
async fn a_subscription_that_waits_for_confirmation_is_pending() {
    let sqs = FakeService::start(vec![queue_answer("")]);
    let member = subscription_member(QUEUE).replace(SUBSCRIPTION, "PendingConfirmation");
    let page = format!("<Subscriptions>{member}</Subscriptions>");
    let sns = FakeService::start(vec![Answer::sns("ListSubscriptionsByTopic", &page)]);
    let found = inspect_at(&sqs.url, &sns.url).await;
    assert!(matches!(found.topics[0].subscription, SubscriptionFinding::Pending), "{found:?}");
}

#[tokio::test]
async fn set_up_subscribes_without_looking_where_looking_is_denied() {
    let sqs = FakeService::start(vec![queue_answer(""), Answer::json(200, "{}")]);
    let denied = || Answer::sns_error(403, "AuthorizationError");
    let result = format!("<SubscriptionArn>{SUBSCRIPTION}</SubscriptionArn>");
    let sns = FakeService::start(vec![denied(), denied(), Answer::sns("Subscribe", &result)]);
    let act = setup_at(&sqs, &sns).await.unwrap();
    assert_eq!(act, SubscriptionAct::Ensured { arn: SUBSCRIPTION.to_owned() });
    let subscribe = sns.requests().pop().unwrap();
    assert!(subscribe.contains("Action=Subscribe") && subscribe.contains("Protocol=sqs"), "{subscribe}");
    assert!(!subscribe.contains("RawMessageDelivery"), "{subscribe}");
}

#[tokio::test]
async fn set_up_calls_sns_in_the_topics_own_region() {
    let sqs = FakeService::start(vec![queue_answer(""), Answer::json(200, "{}")]);
    let page = format!("<Subscriptions>{}</Subscriptions>", subscription_member(QUEUE));
    let sns = FakeService::start(vec![Answer::sns("ListSubscriptionsByTopic", &page)]);
    let config = config(some_credentials()).into_builder().region(Region::new("eu-west-1")).build();
    let account = account(&sqs.url, &sns.url);
    let sns_client = sns_client(&config, &account);
    setup(&sqs_client(&config, &account), &sns_client, &wanted()).await.unwrap();
    assert!(sqs.requests()[0].contains("/eu-west-1/sqs/aws4_request"));
    assert!(sns.requests()[0].contains("/us-east-1/sns/aws4_request"));
}

#[tokio::test]
async fn set_up_names_the_topic_that_it_may_not_subscribe_to() {
    let sqs = FakeService::start(vec![queue_answer(""), Answer::json(200, "{}")]);
    let denied = || Answer::sns_error(403, "AuthorizationError");
    let sns = FakeService::start(vec![denied(), denied(), denied()]);
    let error = setup_at(&sqs, &sns).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot subscribe to {TOPIC}"));
    assert!(error.remedy().contains("allow `sns:Subscribe`"), "{}", error.remedy());
}

#[tokio::test]
async fn set_up_leaves_a_policy_alone_that_it_cannot_read() {
    let sqs = FakeService::start(vec![queue_answer(r#","Policy":"{""#)]);
    let sns = FakeService::start(vec![]);
    let error = setup_at(&sqs, &sns).await.unwrap_err();
    assert!(matches!(error, SetupError::Policy { .. }), "{error:?}");
    assert_eq!(sqs.requests().len(), 1);
}
