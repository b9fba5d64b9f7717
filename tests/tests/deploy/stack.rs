//! The `CloudFormation` template: linted, and held against what `doctor` and `setup` ask of a deployment.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use stallkeeper_tests::{Installation, Moto, run_pinned};

use crate::template::{ACCOUNT, Template};
use crate::{path, read};

const TOPIC: &str = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-abc";

#[test]
fn the_linter_finds_nothing_for_regions_of_both_partitions() {
    let mut args = vec!["--non-zero-exit-code", "informational", "--include-checks", "I", "--regions"];
    args.extend(["us-east-1", "eu-west-1", "cn-north-1", "cn-northwest-1", "--template"]);
    let file = path("cloudformation.yaml");
    let linted = run_pinned("cfn-lint", &[&args[..], &[file.to_str().unwrap()]].concat());
    assert_eq!(linted.expect_success().stdout, "");
}

#[test]
fn nothing_in_the_template_names_a_partition() {
    assert!(!read("cloudformation.yaml").contains("arn:aws"));
}

#[tokio::test]
async fn doctor_is_content_with_a_stack_and_set_up_finds_nothing_to_do() {
    let stall = Stall::deploy(2, "no").await;
    stall.expect_all_right();
}

#[tokio::test]
async fn a_stack_that_hears_events_too_is_as_right() {
    let stall = Stall::deploy(1, "yes").await;
    stall.expect_all_right();
}

#[test]
fn in_an_opt_in_region_the_topics_deliver_under_its_name() {
    let statements =
        |template: &Template| template.resource("QueuePolicy")["PolicyDocument"]["Statement"].clone();
    let stack = Template::new("ap-east-1", &[TOPIC]).with("OptInRegion", "yes");
    let topics = statements(&stack)[1].clone();
    assert_eq!(topics["Sid"], "StallkeeperTopicsapeast1");
    assert_eq!(topics["Principal"], json!({ "Service": "sns.ap-east-1.amazonaws.com" }));
}

#[test]
fn whoever_does_not_encrypt_is_kept_out_of_both_queues() {
    let stack = Template::new("us-east-1", &[TOPIC]);
    for (policy, queue) in [("QueuePolicy", "Queue.Arn"), ("DeadLetterPolicy", "DeadLetters.Arn")] {
        let expected = json!({
            "Sid": "TransportIsEncrypted", "Effect": "Deny", "Principal": "*", "Action": "sqs:*",
            "Resource": stack.name_made(queue), "Condition": { "Bool": { "aws:SecureTransport": "false" } },
        });
        assert_eq!(stack.resource(policy)["PolicyDocument"]["Statement"][0], expected);
    }
}

#[test]
fn a_worker_may_touch_its_own_queue_let_buyers_in_and_report_usage_and_no_more() {
    for region in ["us-east-1", "cn-northwest-1"] {
        let stack = Template::new(region, &[TOPIC]);
        let statements = stack.resource("WorkerPolicy")["PolicyDocument"]["Statement"].clone();
        let queue = json!({
            "Sid": "WorkTheQueue",
            "Effect": "Allow",
            "Action": [
                "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
                "sqs:ReceiveMessage",
            ],
            "Resource": stack.name_made("Queue.Arn"),
        });
        let buyers = json!({
            "Sid": "LetBuyersIn", "Effect": "Allow", "Action": "aws-marketplace:ResolveCustomer", "Resource": "*",
        });
        let contracts = json!({
            "Sid": "AskForEntitlements", "Effect": "Allow", "Action": "aws-marketplace:GetEntitlements",
            "Resource": "*",
        });
        let usage = json!({
            "Sid": "ReportUsage", "Effect": "Allow", "Action": "aws-marketplace:BatchMeterUsage", "Resource": "*",
        });
        assert_eq!(statements, json!([queue, buyers, contracts, usage]));
        let contracts_only = stack.with("Metering", "no");
        let statements = contracts_only.resource("WorkerPolicy")["PolicyDocument"]["Statement"].clone();
        assert_eq!(statements, json!([queue, buyers, contracts]));
    }
}

#[test]
fn each_of_the_first_four_topics_is_subscribed_in_its_own_region() {
    let topics: Vec<String> =
        (1..=5).map(|n| format!("arn:aws-cn:sns:cn-northwest-1:{ACCOUNT}:t{n}")).collect();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    for count in 1..=5 {
        let stack = Template::new("cn-north-1", &topics[..count]);
        let mut subscriptions = stack.resources("AWS::SNS::Subscription");
        subscriptions.sort_by_key(|subscription| subscription["TopicArn"].to_string());
        let of = |topic: &&str| {
            let queue = stack.name_made("Queue.Arn");
            json!({ "Protocol": "sqs", "Endpoint": queue, "TopicArn": topic, "Region": "cn-northwest-1" })
        };
        assert_eq!(subscriptions, topics[..count.min(4)].iter().map(of).collect::<Vec<_>>());
    }
}

#[test]
fn a_stack_in_another_account_subscribes_nothing() {
    let stack = Template::new("us-east-1", &[TOPIC]).with("SubscribeTopics", "no");
    assert_eq!(stack.resources("AWS::SNS::Subscription"), Vec::<Value>::new());
}

/// The template's resources on moto, with a worker's configuration for them.
struct Stall {
    installation: Installation,
}

impl Stall {
    async fn deploy(topics: usize, eventbridge: &str) -> Self {
        let moto = Moto::connect().await;
        let code = moto.unique_code();
        let made = moto.create_topics(&code).await;
        // The entitlement topic comes first in the alphabet.
        let topics = [made.entitlement.as_str(), &made.subscription][2 - topics..].to_vec();
        let queue = moto.create_queue(Duration::from_secs(5)).await;
        let stack = Template::new("us-east-1", &topics)
            .with("EventBridge", eventbridge)
            .made("Queue.Arn", &queue.arn)
            .made("DeadLetters.Arn", &format!("{}-dead", queue.arn));
        write_attributes(&moto, &queue.url, &stack).await;
        for subscription in stack.resources("AWS::SNS::Subscription") {
            let text = |name: &str| subscription[name].as_str().unwrap();
            let subscribe = moto.sns().subscribe().topic_arn(text("TopicArn")).protocol(text("Protocol"));
            subscribe.endpoint(text("Endpoint")).send().await.unwrap();
        }
        let rule = match eventbridge {
            "yes" => format!("eventbridge = {{ rule_arn = \"{}\" }}", stack.name_made("Rule.Arn")),
            _ => String::new(),
        };
        let (url, queue) = (moto.url(), &queue.url);
        let config = format!(
            "[[marketplace]]\nname = \"aws\"\nkind = \"aws\"\nqueue_url = \"{queue}\"\ntopic_arns = {topics:?}\n\
             {rule}\nendpoint_url = {{ sqs = \"{url}\", sns = \"{url}\" }}\n\
             [[product]]\nkey = \"search\"\n[[product.listing]]\nmarketplace = \"aws\"\ncode = \"{code}\"\n"
        );
        let installation = Installation::new(&config, "sqlite://stallkeeper.db");
        installation.run(&["migrate"]).expect_success();
        Self { installation }
    }

    fn expect_all_right(&self) {
        let report = self.installation.run(&["doctor", "--json"]).json();
        let checks = report["checks"].as_array().unwrap();
        assert!(checks.iter().all(|check| check["status"] == "ok"), "{report:#}");
        let settings = self.installation.run(&["setup", "--json"]).json();
        assert_eq!(settings["marketplaces"][0]["policy"], "already_right", "{settings:#}");
    }
}

/// Each property of the queue is an attribute by the same name, of text or JSON.
async fn write_attributes(moto: &Moto, queue_url: &str, stack: &Template) {
    let Value::Object(properties) = stack.resource("Queue") else { panic!("the queue has no properties") };
    let policy = stack.resource("QueuePolicy")["PolicyDocument"].clone();
    let mut set = moto.sqs().set_queue_attributes().queue_url(queue_url);
    for (name, value) in properties.into_iter().chain([("Policy".to_owned(), policy)]) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        set = set.attributes(QueueAttributeName::from(name.as_str()), text);
    }
    set.send().await.unwrap();
}
