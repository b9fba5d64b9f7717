//! The marketplace's two topics, in both forms of delivery.

use serde_json::{Value, json};
use stallkeeper_lifecycle::{FactKind, Trial};
use stallkeeper_notification::{Feed, QueueMeta, Refusal, Source, read};

use crate::samples::{
    ACTIONS, ENTITLEMENT, SUBSCRIPTION, accepted, accepted_by, at, envelope, envelope_of, fact_of, feed,
    kind_of, message, queue, raw_config, refused, with, without,
};

fn expected(action: &str) -> FactKind {
    match action {
        "subscribe-success" => FactKind::SubscribeSuccess {
            offer: Some("offer-abcexample123".parse().unwrap()),
            trial: Trial::Yes,
        },
        "subscribe-fail" => FactKind::SubscribeFail,
        "unsubscribe-pending" => FactKind::UnsubscribePending,
        "unsubscribe-success" => FactKind::UnsubscribeSuccess,
        _ => FactKind::EntitlementUpdated,
    }
}

#[test]
fn every_action_in_an_envelope_becomes_its_fact() {
    for action in ACTIONS {
        assert_eq!(kind_of(&envelope(action)), expected(action), "{action}");
    }
}

#[test]
fn every_action_delivered_raw_becomes_its_fact() {
    let feed = Feed::new(raw_config()).unwrap();
    for action in ACTIONS {
        let read = accepted_by(&feed, &message(action));
        assert_eq!(read.notification.fact.kind(), &expected(action), "{action}");
        assert_eq!(read.notification.source, Source::Raw);
    }
}

#[test]
fn every_action_is_taken_from_either_topic_of_its_product() {
    for action in ACTIONS {
        let body = with(envelope(action), "TopicArn", ENTITLEMENT);
        assert_eq!(kind_of(&body), expected(action), "{action}");
    }
}

#[test]
fn an_enveloped_notification_has_the_id_and_time_of_sns() {
    let notification = accepted(&envelope("unsubscribe-pending")).notification;
    assert_eq!(notification.source, Source::Sns);
    assert_eq!(notification.id.as_str(), "dc1e94d9-56c5-5e96-808d-cc7f68faa162");
    assert_eq!(notification.fact.time(), at("2026-11-22T10:00:00.123Z"));
    assert_eq!(notification.topic.unwrap().arn(), SUBSCRIPTION);
    assert_eq!(notification.subject.to_string(), "aws/prod1/customer/X01EXAMPLEX");
    assert_eq!(notification.agreement, None);
}

#[test]
fn a_raw_notification_has_the_id_and_time_of_sqs() {
    let read = accepted_by(&Feed::new(raw_config()).unwrap(), &message("subscribe-success"));
    assert_eq!(read.notification.id.as_str(), queue().message_id);
    assert_eq!(read.notification.fact.time(), at("2026-11-22T10:00:01Z"));
    assert_eq!(read.notification.topic.unwrap().arn(), SUBSCRIPTION);
    assert_eq!(read.envelope, None);
}

#[test]
fn an_envelope_is_still_read_on_a_queue_that_declares_raw_delivery() {
    let read = accepted_by(&Feed::new(raw_config()).unwrap(), &envelope("subscribe-fail"));
    assert_eq!(read.notification.source, Source::Sns);
}

#[test]
fn a_raw_message_without_the_time_it_was_sent_is_refused() {
    let feed = Feed::new(raw_config()).unwrap();
    let body = message("subscribe-fail").to_string();
    let refusal = read(body.as_bytes(), QueueMeta { sent_at: None, ..queue() }, &feed).unwrap_err();
    assert_eq!(refusal, Refusal::MissingField { field: "SentTimestamp" });
}

#[test]
fn a_message_may_be_an_object_instead_of_text() {
    let body = with(envelope("subscribe-success"), "Message", message("subscribe-success"));
    assert_eq!(kind_of(&body), expected("subscribe-success"));
}

#[test]
fn fields_that_are_not_known_are_passed_over() {
    let said = with(message("subscribe-fail"), "licenseArn", json!({ "new": [1, 2] }));
    let body = with(envelope_of(&said), "Extra", json!([null]));
    assert_eq!(kind_of(&body), FactKind::SubscribeFail);
}

#[test]
fn a_leading_blank_in_the_customer_is_trimmed() {
    let body = envelope_of(&with(message("subscribe-fail"), "customer-identifier", " X01EXAMPLEX"));
    assert_eq!(accepted(&body).notification.subject.to_string(), "aws/prod1/customer/X01EXAMPLEX");
}

#[test]
fn a_trailing_comma_is_refused() {
    let text = r#"{"action":"entitlement-updated","customer-identifier":"X01","product-code":"prod1",}"#;
    let refusal = refused(&with(envelope("entitlement-updated"), "Message", text));
    assert!(matches!(refusal, Refusal::NotJson { what: "the Message", .. }), "{refusal:?}");
}

#[test]
fn an_offer_may_be_absent() {
    for body in [
        without(message("subscribe-success"), "offer-identifier"),
        with(message("subscribe-success"), "offer-identifier", Value::Null),
        with(message("subscribe-success"), "offer-identifier", " "),
    ] {
        let FactKind::SubscribeSuccess { offer, .. } = kind_of(&envelope_of(&body)) else {
            panic!("another fact than subscribe-success")
        };
        assert_eq!(offer, None, "{body}");
    }
}

#[test]
fn the_trial_flag_is_read_as_text_and_as_boolean_and_decides_nothing_else() {
    let cases = [
        (json!("true"), Trial::Yes),
        (json!(" True"), Trial::Yes),
        (json!(true), Trial::Yes),
        (json!("false"), Trial::No),
        (json!(false), Trial::No),
        (json!(null), Trial::Unknown),
        (json!("perhaps"), Trial::Unknown),
        (json!(1), Trial::Unknown),
    ];
    for (flag, expected) in cases {
        let body = envelope_of(&with(message("subscribe-success"), "isFreeTrialTermPresent", flag.clone()));
        let FactKind::SubscribeSuccess { trial, .. } = kind_of(&body) else {
            panic!("another fact than subscribe-success")
        };
        assert_eq!(trial, expected, "{flag}");
    }
    let absent = envelope_of(&without(message("subscribe-success"), "isFreeTrialTermPresent"));
    assert!(matches!(kind_of(&absent), FactKind::SubscribeSuccess { trial: Trial::Unknown, .. }));
}

#[test]
fn a_message_five_minutes_ahead_of_the_clock_is_still_read() {
    let body = with(envelope("subscribe-fail"), "Timestamp", "2026-11-22T10:05:02Z");
    assert_eq!(fact_of(&body).time(), at("2026-11-22T10:05:02Z"));
}

#[test]
fn the_same_bytes_give_the_same_answer() {
    let body = envelope("subscribe-success").to_string();
    let first = read(body.as_bytes(), queue(), &feed());
    assert_eq!(first, read(body.as_bytes(), queue(), &feed()));
}
