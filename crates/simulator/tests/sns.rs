//! SNS as the simulator speaks it, through AWS' own SDK, signatures checked by the openssl command.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot be prepared fails"
)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use aws_sdk_sns::Client;
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use serde_json::{Value, json};
use stallkeeper_simulator::{FaultSettings, Queue, Simulator, SimulatorConfig};
use tempfile::TempDir;

const TOPIC: &str = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-simsearch";

struct Sns {
    simulator: Simulator,
    client: Client,
    sqs: aws_sdk_sqs::Client,
    queue: Arc<Queue>,
}

impl Sns {
    async fn start() -> Self {
        let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
        let credentials = Credentials::new("test", "test", None, None, "tests");
        let client = aws_sdk_sns::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(credentials.clone())
            .retry_config(RetryConfig::disabled())
            .endpoint_url(simulator.url());
        let sqs = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled())
            .endpoint_url(simulator.url());
        let queue = simulator.queue("stallkeeper").unwrap();
        Self {
            client: Client::from_conf(client.build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
            queue,
            simulator,
        }
    }

    /// Publishes to the product's topic and takes what arrives in the queue.
    async fn through(&self, message: &str, subject: Option<&str>) -> Value {
        let publish = self.client.publish().topic_arn(TOPIC).message(message);
        publish.set_subject(subject.map(str::to_owned)).send().await.unwrap();
        serde_json::from_str(&self.take().await).unwrap()
    }

    async fn take(&self) -> String {
        let receive = self.sqs.receive_message().queue_url(self.queue.url()).wait_time_seconds(5);
        let message = receive.send().await.unwrap().messages.expect("nothing arrived").pop().unwrap();
        let receipt = message.receipt_handle.unwrap();
        self.sqs.delete_message().queue_url(self.queue.url()).receipt_handle(receipt).send().await.unwrap();
        message.body.unwrap()
    }

    async fn fetch(&self, path: &str) -> String {
        let answer = reqwest::get(format!("{}{path}", self.simulator.url())).await.unwrap();
        answer.error_for_status().unwrap().text().await.unwrap()
    }

    async fn subscription(&self) -> String {
        let listed = self.client.list_subscriptions_by_topic().topic_arn(TOPIC).send().await.unwrap();
        listed.subscriptions()[0].subscription_arn().unwrap().to_owned()
    }

    async fn attribute(&self, name: &str, value: &str) {
        let set = self.client.set_topic_attributes().topic_arn(TOPIC).attribute_name(name);
        set.attribute_value(value).send().await.unwrap();
    }
}

/// A folder in which openssl judges an envelope.
struct Judge {
    folder: TempDir,
}

impl Judge {
    /// Fetches the certificate that the envelope names, and the root.
    async fn of(sns: &Sns, envelope: &Value) -> Self {
        let judge = Self { folder: tempfile::tempdir().unwrap() };
        let url = envelope["SigningCertURL"].as_str().unwrap();
        let path = url.strip_prefix("https://sns.us-east-1.amazonaws.com").expect("SNS' own host");
        judge.write("leaf.pem", &sns.fetch(path).await);
        judge.write("root.pem", &sns.fetch("/root.pem").await);
        judge.write("signature.base64", envelope["Signature"].as_str().unwrap());
        judge.write("words", &words(envelope));
        judge
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn finds_signed_by(&self, hash: &str) -> bool {
        let folder = self.folder.path();
        assert!(openssl(folder, "base64 -d -A -in signature.base64 -out signature"));
        assert!(openssl(folder, "x509 -in leaf.pem -pubkey -noout -out key.pem"));
        openssl(folder, &format!("dgst {hash} -verify key.pem -signature signature words"))
    }

    /// At a moment, in seconds since 1970.
    fn trusts_chain_at(&self, moment: i64) -> bool {
        let asked = "verify -purpose sslserver -verify_hostname sns.amazonaws.com -CAfile root.pem";
        openssl(self.folder.path(), &format!("{asked} -attime {moment} leaf.pem"))
    }
}

fn openssl(folder: &Path, arguments: &str) -> bool {
    let run = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    run.expect("cannot run openssl: install it").status.success()
}

/// What SNS documents that it signs.
fn words(envelope: &Value) -> String {
    let names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
    let given = names.iter().filter_map(|name| Some([name, "\n", envelope[name].as_str()?, "\n"]));
    given.flatten().collect()
}

#[tokio::test]
async fn what_is_published_arrives_in_a_signed_envelope() {
    let sns = Sns::start().await;
    let envelope = sns.through("{\"action\": \"subscribe-success\"}\n\"<&>\" ü", None).await;
    assert_eq!(envelope["Message"], "{\"action\": \"subscribe-success\"}\n\"<&>\" ü");
    assert_eq!(envelope["Type"], "Notification");
    assert_eq!(envelope["TopicArn"], TOPIC);
    assert_eq!(envelope["SignatureVersion"], "2");
    assert!(envelope.get("Subject").is_none() && envelope.get("MessageAttributes").is_none());
    let judge = Judge::of(&sns, &envelope).await;
    assert!(judge.finds_signed_by("-sha256"));
    judge.write("words", &words(&envelope).replace("success", "fail"));
    assert!(!judge.finds_signed_by("-sha256"), "other words are not signed");
}

#[tokio::test]
async fn a_subject_is_signed_with_the_rest() {
    let sns = Sns::start().await;
    let envelope = sns.through("text", Some("A subject")).await;
    assert_eq!(envelope["Subject"], "A subject");
    let judge = Judge::of(&sns, &envelope).await;
    assert!(judge.finds_signed_by("-sha256"));
    judge.write("words", &words(&envelope).replace("Subject\nA subject\n", ""));
    assert!(!judge.finds_signed_by("-sha256"));
}

#[tokio::test]
async fn a_topic_of_the_first_version_signs_with_sha1() {
    let sns = Sns::start().await;
    sns.attribute("SignatureVersion", "1").await;
    let envelope = sns.through("text", None).await;
    assert_eq!(envelope["SignatureVersion"], "1");
    assert!(Judge::of(&sns, &envelope).await.finds_signed_by("-sha1"));
}

#[tokio::test]
async fn the_certificate_is_sns_own_under_the_root_wherever_the_clock_is_moved() {
    let sns = Sns::start().await;
    let judge = Judge::of(&sns, &sns.through("text", None).await).await;
    let (year_2020, year_2099, year_2100) = (1_577_923_200, 4_070_908_800, 4_102_531_200);
    assert!(judge.trusts_chain_at(year_2020));
    assert!(judge.trusts_chain_at(year_2099));
    assert!(!judge.trusts_chain_at(year_2100));
    judge.write("root.pem", &sns_of_another().await);
    assert!(!judge.trusts_chain_at(year_2099), "another simulator has another root");
}

async fn sns_of_another() -> String {
    Simulator::start(SimulatorConfig::default()).await.unwrap().root_pem().to_owned()
}

#[tokio::test]
async fn raw_delivery_puts_the_bare_message_into_the_queue() {
    let sns = Sns::start().await;
    let set = sns.client.set_subscription_attributes().subscription_arn(sns.subscription().await);
    set.attribute_name("RawMessageDelivery").attribute_value("true").send().await.unwrap();
    sns.client.publish().topic_arn(TOPIC).message("{\"bare\": true}").send().await.unwrap();
    assert_eq!(sns.take().await, "{\"bare\": true}");
}

#[tokio::test]
async fn attributes_of_a_message_stand_in_its_envelope() {
    let sns = Sns::start().await;
    let value = MessageAttributeValue::builder().data_type("String.Array").string_value("[\"a\"]");
    let publish = sns.client.publish().topic_arn(TOPIC).message("text");
    publish.message_attributes("tags", value.build().unwrap()).send().await.unwrap();
    let envelope: Value = serde_json::from_str(&sns.take().await).unwrap();
    assert_eq!(
        envelope["MessageAttributes"],
        json!({ "tags": { "Type": "String.Array", "Value": "[\"a\"]" } })
    );
}

#[tokio::test]
async fn an_entry_of_a_batch_that_is_refused_leaves_the_others_alone() {
    let sns = Sns::start().await;
    let entry = |id: &str| PublishBatchRequestEntry::builder().id(id).message(format!("text of {id}"));
    let batch = sns.client.publish_batch().topic_arn(TOPIC);
    let batch = batch
        .publish_batch_request_entries(entry("good").build().unwrap())
        .publish_batch_request_entries(entry("bad").subject("two\nlines").build().unwrap());
    let answer = batch.send().await.unwrap();
    assert_eq!(answer.successful()[0].id(), Some("good"));
    let failed = &answer.failed()[0];
    assert_eq!((failed.id(), failed.code(), failed.sender_fault()), ("bad", "InvalidParameter", true));
    let envelope: Value = serde_json::from_str(&sns.take().await).unwrap();
    assert_eq!(envelope["Message"], "text of good");
    assert_eq!(sns.queue.depth().total(), 0);
}

#[tokio::test]
async fn an_unknown_topic_is_not_found() {
    let sns = Sns::start().await;
    let refused = sns.client.publish().topic_arn(format!("{TOPIC}-2")).message("text").send().await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 404);
    assert_eq!(refused.code(), Some("NotFound"));
    assert!(refused.into_service_error().is_not_found_exception());
}

#[tokio::test]
async fn only_queues_can_be_subscribed_and_only_without_a_filter() {
    let sns = Sns::start().await;
    let subscribe = |protocol: &str| {
        let endpoint = "arn:aws:sqs:us-east-1:123456789012:other";
        sns.client.subscribe().topic_arn(TOPIC).protocol(protocol).endpoint(endpoint)
    };
    let mail = subscribe("email").send().await.unwrap_err().into_service_error();
    assert!(mail.is_invalid_parameter_exception(), "{mail:?}");
    let filtered = subscribe("sqs").attributes("FilterPolicy", "{}").send().await;
    let filtered = filtered.unwrap_err().into_service_error();
    assert!(filtered.is_filter_policy_limit_exceeded_exception(), "{filtered:?}");
    subscribe("sqs").send().await.unwrap();
}

#[tokio::test]
async fn subscribing_again_finds_the_same_subscription_at_once_confirmed() {
    let sns = Sns::start().await;
    let (arn, queue) = (sns.subscription().await, sns.queue.arn().to_owned());
    let subscribe = || sns.client.subscribe().topic_arn(TOPIC).protocol("sqs").endpoint(&queue);
    let again = subscribe().send().await.unwrap();
    assert_eq!(again.subscription_arn(), Some(arn.as_str()));
    sns.client.unsubscribe().subscription_arn(&arn).send().await.unwrap();
    let new = subscribe().send().await.unwrap().subscription_arn.unwrap();
    assert_ne!(new, arn);
    let attributes = sns.client.get_subscription_attributes().subscription_arn(&new).send().await.unwrap();
    assert_eq!(attributes.attributes.unwrap()["PendingConfirmation"], "false");
    assert_eq!(sns.queue.depth().total(), 0, "no confirmation is sent");
}

#[tokio::test]
async fn listings_go_on_page_by_page_to_their_end() {
    let sns = Sns::start().await;
    for number in 0..250 {
        let endpoint = format!("arn:aws:sqs:us-east-1:123456789012:queue-{number}");
        let subscribe = sns.client.subscribe().topic_arn(TOPIC).protocol("sqs").endpoint(endpoint);
        subscribe.send().await.unwrap();
    }
    let mut pages = sns.client.list_subscriptions_by_topic().topic_arn(TOPIC).into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().subscriptions().len());
    }
    assert_eq!(sizes, [100, 100, 51]);
    let wrong = sns.client.list_topics().next_token("no such page").send().await.unwrap_err();
    assert!(wrong.into_service_error().is_invalid_parameter_exception());
}

#[tokio::test]
async fn what_is_set_on_a_topic_comes_back_as_it_was() {
    let sns = Sns::start().await;
    let text = "Sales \"<&>\"\tü";
    sns.attribute("DisplayName", text).await;
    let attributes = sns.client.get_topic_attributes().topic_arn(TOPIC).send().await.unwrap();
    let attributes = attributes.attributes.unwrap();
    assert_eq!(attributes["DisplayName"], text);
    assert_eq!(attributes["SubscriptionsConfirmed"], "1");
    assert_eq!(attributes["Owner"], "287250355862");
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let sns = Sns::start().await;
        // What is only asked changes nothing.
        sns.client.list_topics().send().await.unwrap();
        let first = sns.through("one", None).await;
        let second = sns.through("two", None).await;
        assert!(first["Timestamp"].as_str() < second["Timestamp"].as_str(), "{first} {second}");
        ids.push([first["MessageId"].clone(), second["MessageId"].clone()]);
        sns.client.list_subscriptions().send().await.unwrap();
    }
    assert_ne!(ids[0][0], ids[0][1]);
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn faults_lose_a_published_message_by_its_action() {
    let sns = Sns::start().await;
    let lose = [("unsubscribe-success".to_owned(), 1.0)].into();
    sns.simulator.faults().set(FaultSettings { lose, ..FaultSettings::default() }).unwrap();
    for action in ["unsubscribe-success", "unsubscribe-pending"] {
        let message = json!({ "action": action }).to_string();
        sns.client.publish().topic_arn(TOPIC).message(message).send().await.unwrap();
    }
    let envelope: Value = serde_json::from_str(&sns.take().await).unwrap();
    assert_eq!(envelope["Message"], r#"{"action":"unsubscribe-pending"}"#);
    assert_eq!(sns.queue.depth().total(), 0);
}
