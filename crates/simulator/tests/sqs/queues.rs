//! Queues and their attributes.

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::QueueAttributeName;
use stallkeeper_simulator::Depth;

use crate::Sqs;

#[tokio::test]
async fn attributes_are_set_and_given_back() {
    let sqs = Sqs::start().await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Sid":"topics","Effect":"Allow"}]}"#;
    let set = sqs.client.set_queue_attributes().queue_url(&sqs.url);
    let set = set.attributes(QueueAttributeName::VisibilityTimeout, "5");
    set.attributes(QueueAttributeName::Policy, policy).send().await.unwrap();
    assert_eq!(sqs.attribute(QueueAttributeName::VisibilityTimeout).await.as_deref(), Some("5"));
    assert_eq!(sqs.attribute(QueueAttributeName::Policy).await.as_deref(), Some(policy));
    assert_eq!(sqs.attribute(QueueAttributeName::RedrivePolicy).await, None);
    let arn = sqs.attribute(QueueAttributeName::QueueArn).await;
    assert_eq!(arn.as_deref(), Some("arn:aws:sqs:us-east-1:123456789012:stall"));
}

#[tokio::test]
async fn one_bad_attribute_leaves_all_as_they_were() {
    let sqs = Sqs::start().await;
    let set = sqs.client.set_queue_attributes().queue_url(&sqs.url);
    let set = set.attributes(QueueAttributeName::DelaySeconds, "5");
    let error = set.attributes(QueueAttributeName::VisibilityTimeout, "43201").send().await.unwrap_err();
    assert!(error.into_service_error().is_invalid_attribute_value());
    assert_eq!(sqs.attribute(QueueAttributeName::DelaySeconds).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_redrive_policy_must_name_a_queue_that_is_there() {
    let sqs = Sqs::start().await;
    let own = sqs.queue().arn().to_owned();
    for target in ["arn:aws:sqs:us-east-1:123456789012:not", own.as_str()] {
        let policy = format!(r#"{{"deadLetterTargetArn":"{target}","maxReceiveCount":"3"}}"#);
        let set = sqs.client.set_queue_attributes().queue_url(&sqs.url);
        let error = set.attributes(QueueAttributeName::RedrivePolicy, policy).send().await.unwrap_err();
        assert_eq!(error.code(), Some("InvalidParameterValue"));
    }
    sqs.queues.create_with_dead_letters("stall", 3);
    let policy = sqs.attribute(QueueAttributeName::RedrivePolicy).await.unwrap();
    let target = "arn:aws:sqs:us-east-1:123456789012:stall-dead-letters";
    assert_eq!(policy, format!(r#"{{"deadLetterTargetArn":"{target}","maxReceiveCount":3}}"#));
}

#[tokio::test]
async fn making_a_queue_again_answers_the_same_unless_it_would_differ() {
    let sqs = Sqs::start().await;
    let create = |secs: &str| {
        let call = sqs.client.create_queue().queue_name("stall");
        call.attributes(QueueAttributeName::VisibilityTimeout, secs).send()
    };
    assert_eq!(create("30").await.unwrap().queue_url(), Some(sqs.url.as_str()));
    assert!(create("31").await.unwrap_err().into_service_error().is_queue_name_exists());
    let error = sqs.client.create_queue().queue_name("no spaces").send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn queues_are_listed_page_by_page() {
    let sqs = Sqs::start().await;
    for name in ["b-1", "b-2", "b-3", "c"] {
        sqs.client.create_queue().queue_name(name).send().await.unwrap();
    }
    let pages = sqs.client.list_queues().queue_name_prefix("b-").max_results(2).into_paginator().send();
    let pages = pages.try_collect().await.unwrap();
    let lengths: Vec<_> = pages.iter().map(|page| page.queue_urls().len()).collect();
    assert_eq!(lengths, [2, 1]);
    assert!(pages[1].queue_urls()[0].ends_with("/123456789012/b-3"));
}

#[tokio::test]
async fn a_queue_is_purged_once_a_minute() {
    let sqs = Sqs::start().await;
    sqs.send("a").await;
    sqs.client.purge_queue().queue_url(&sqs.url).send().await.unwrap();
    assert_eq!(sqs.queue().depth(), Depth::default());
    let error = sqs.client.purge_queue().queue_url(&sqs.url).send().await.unwrap_err();
    assert!(error.into_service_error().is_purge_queue_in_progress());
}
