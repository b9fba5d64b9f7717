//! Set-up and look-ups against moto, an independent implementation of SQS and SNS.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be prepared fails")]

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use stallkeeper_aws::{
    Account, AwsError, ClockFinding, CredentialsSource, Endpoints, Inspection, PolicyAct, PolicyGap,
    RawDelivery, SubscriptionAct, SubscriptionFinding, TopicArn, Wanted, inspect, setup, sns_client,
    sqs_client,
};
use time::OffsetDateTime;

/// A queue and a topic of one test's own.
struct Stall {
    sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    topic: TopicArn,
    wanted: Wanted,
}

impl Stall {
    /// The name keeps tests apart, and the process number keeps runs apart.
    async fn open(test: &str) -> Self {
        let (sqs, sns) = clients();
        let name = format!("{test}-{}", std::process::id());
        let queue_url = sqs.create_queue().queue_name(&name).send().await.unwrap().queue_url.unwrap();
        let topic = sns.create_topic().name(&name).send().await.unwrap().topic_arn.unwrap();
        let topic: TopicArn = topic.parse().unwrap();
        let wanted =
            Wanted { queue_url: queue_url.parse().unwrap(), topics: vec![topic.clone()], rule: None };
        Self { sqs, sns, topic, wanted }
    }

    async fn inspect(&self) -> Inspection {
        inspect(&self.sqs, &self.sns, &self.wanted, machine_time).await
    }

    async fn bodies(&self) -> Vec<String> {
        let url = self.wanted.queue_url.as_str();
        let answer = self.sqs.receive_message().queue_url(url).wait_time_seconds(5).send().await.unwrap();
        answer.messages.unwrap_or_default().into_iter().filter_map(|message| message.body).collect()
    }
}

fn clients() -> (aws_sdk_sqs::Client, aws_sdk_sns::Client) {
    let url =
        std::env::var("STALLKEEPER_TEST_MOTO_URL").expect("no moto to test against: run `cargo xtask test`");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "id", "secret", None, None, "test",
        )))
        .build();
    let account = Account {
        region: "us-east-1".to_owned(),
        credentials: CredentialsSource::StandardChain,
        endpoints: Endpoints { sqs: Some(url.clone()), sns: Some(url), ..Endpoints::default() },
    };
    (sqs_client(&config, &account), sns_client(&config, &account))
}

#[expect(
    clippy::disallowed_methods,
    reason = "moto runs on this machine's clock, and that is what is compared"
)]
fn machine_time() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[tokio::test]
async fn the_first_set_up_opens_the_way_and_the_second_changes_nothing() {
    let stall = Stall::open("twice").await;

    let first = setup(&stall.sqs, &stall.sns, &stall.wanted).await.unwrap();
    assert_eq!(first.policy, PolicyAct::Written);
    let SubscriptionAct::Created { arn } = &first.topics[0].subscription else {
        panic!("{first:?}");
    };

    let second = setup(&stall.sqs, &stall.sns, &stall.wanted).await.unwrap();
    assert!(second.changed_nothing(), "{second:?}");
    assert_eq!(second.topics[0].subscription, SubscriptionAct::AlreadyRight { arn: arn.clone() });

    let topic = stall.topic.to_string();
    stall.sns.publish().topic_arn(&topic).message("hello").send().await.unwrap();
    let bodies = stall.bodies().await;
    let [body] = bodies.as_slice() else {
        panic!("{bodies:?}");
    };
    let envelope: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((&envelope["Message"], &envelope["TopicArn"]), (&"hello".into(), &topic.as_str().into()));
}

#[tokio::test]
async fn after_set_up_the_look_ups_find_nothing_wrong_but_the_missing_dead_letter_queue() {
    let stall = Stall::open("right").await;
    setup(&stall.sqs, &stall.sns, &stall.wanted).await.unwrap();
    let found = stall.inspect().await;
    assert_eq!(found.clock, ClockFinding::Right);
    let queue = found.queue.unwrap();
    assert_eq!(queue.policy_gaps, []);
    assert_eq!(queue.warnings, [stallkeeper_aws::QueueWarning::NoDeadLetterQueue]);
    let finding = &found.topics[0].subscription;
    assert!(
        matches!(finding, SubscriptionFinding::Present { raw_delivery: RawDelivery::Off, .. }),
        "{finding:?}"
    );
}

#[tokio::test]
async fn before_set_up_the_look_ups_find_no_policy_and_no_subscription() {
    let stall = Stall::open("bare").await;
    let found = stall.inspect().await;
    assert_eq!(found.queue.unwrap().policy_gaps, [PolicyGap::NoPolicy]);
    assert!(matches!(found.topics[0].subscription, SubscriptionFinding::Absent));
}

#[tokio::test]
async fn another_queues_subscription_does_not_pass_for_ours() {
    let stall = Stall::open("ours").await;
    let mut other = Stall::open("theirs").await;
    other.wanted.topics = vec![stall.topic.clone()];
    setup(&other.sqs, &other.sns, &other.wanted).await.unwrap();
    assert!(matches!(stall.inspect().await.topics[0].subscription, SubscriptionFinding::Absent));
}

#[tokio::test]
async fn a_missing_queue_is_found_out() {
    let mut stall = Stall::open("missing").await;
    stall.wanted.queue_url = format!("{}-not", stall.wanted.queue_url).parse().unwrap();
    let error = stall.inspect().await.queue.unwrap_err();
    assert!(matches!(error, AwsError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn a_missing_topic_is_unknown_with_its_reason() {
    let mut stall = Stall::open("no-topic").await;
    stall.wanted.topics = vec![format!("{}-not", stall.topic).parse().unwrap()];
    let found = stall.inspect().await;
    let finding = &found.topics[0].subscription;
    assert!(matches!(finding, SubscriptionFinding::Unknown(AwsError::NotFound { .. })), "{finding:?}");
    let error = setup(&stall.sqs, &stall.sns, &stall.wanted).await.unwrap_err();
    assert!(error.to_string().contains("cannot subscribe to"), "{error}");
}

#[tokio::test]
async fn raw_delivery_is_found_out_and_set_up_leaves_it_alone() {
    let stall = Stall::open("raw").await;
    let report = setup(&stall.sqs, &stall.sns, &stall.wanted).await.unwrap();
    let SubscriptionAct::Created { arn } = &report.topics[0].subscription else {
        panic!("{report:?}");
    };
    let set = stall.sns.set_subscription_attributes().subscription_arn(arn);
    set.attribute_name("RawMessageDelivery").attribute_value("true").send().await.unwrap();
    assert!(setup(&stall.sqs, &stall.sns, &stall.wanted).await.unwrap().changed_nothing());
    let found = stall.inspect().await;
    let finding = &found.topics[0].subscription;
    assert!(
        matches!(finding, SubscriptionFinding::Present { raw_delivery: RawDelivery::On, .. }),
        "{finding:?}"
    );
}

#[tokio::test]
async fn set_up_keeps_a_statement_that_someone_else_wrote() {
    let stall = Stall::open("foreign").await;
    let url = stall.wanted.queue_url.as_str();
    let foreign = r#"{"Version":"2012-10-17","Statement":[{"Sid":"theirs","Effect":"Deny","Principal":"*","Action":"sqs:PurgeQueue","Resource":"*"}]}"#;
    let set = stall.sqs.set_queue_attributes().queue_url(url);
    set.attributes(aws_sdk_sqs::types::QueueAttributeName::Policy, foreign).send().await.unwrap();
    setup(&stall.sqs, &stall.sns, &stall.wanted).await.unwrap();
    let get = stall.sqs.get_queue_attributes().queue_url(url);
    let get = get.attribute_names(aws_sdk_sqs::types::QueueAttributeName::Policy);
    let attributes = get.send().await.unwrap().attributes.unwrap();
    let policy = &attributes[&aws_sdk_sqs::types::QueueAttributeName::Policy];
    assert!(policy.contains("theirs") && policy.contains("StallkeeperTopics"), "{policy}");
}
