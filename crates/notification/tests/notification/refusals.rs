//! Every way in which a message can be refused, by its code.

use serde_json::{Value, json};
use stallkeeper_notification::{Feed, FeedConfig, MAX_BODY_BYTES, QueueMeta, Refusal, read};

use crate::samples::{
    SUBSCRIPTION, config, envelope, envelope_of, event, feed, license_event, message, queue, raw_config,
    refused, refused_by, refused_bytes, with, without,
};

fn code(body: &Value) -> &'static str {
    refused(body).code()
}

#[test]
fn too_large() {
    let body = envelope_of(&with(message("subscribe-fail"), "padding", "x".repeat(MAX_BODY_BYTES)));
    assert!(matches!(refused(&body), Refusal::TooLarge { bytes } if bytes > MAX_BODY_BYTES));
}

#[test]
fn not_utf8() {
    assert_eq!(refused_bytes(&feed(), b"{\"Type\":\"\xff\"}"), Refusal::NotUtf8 { valid_up_to: 9 });
}

#[test]
fn not_json() {
    for body in ["", "hello", "{", "{\"action\":\"subscribe-fail\",}", "[1 2]"] {
        assert_eq!(refused_bytes(&feed(), body.as_bytes()).code(), "not-json", "{body}");
    }
}

#[test]
fn nested_too_deep_is_not_json() {
    let body = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(refused_bytes(&feed(), body.as_bytes()).code(), "not-json");
}

#[test]
fn nul_as_a_byte_and_as_an_escape_at_any_depth() {
    assert_eq!(refused_bytes(&feed(), b"{\"Type\":\"a\0b\"}"), Refusal::Nul);
    let bodies = [
        with(envelope("subscribe-fail"), "MessageId", "a\0b"),
        with(envelope("subscribe-fail"), "Extra", json!({ "deep": ["\0"] })),
        with(envelope("subscribe-fail"), "Extra", json!({ "na\0me": 1 })),
        envelope_of(&with(message("subscribe-fail"), "customer-identifier", "X\0")),
        envelope_of(&with(message("subscribe-fail"), "unknown", "\0")),
    ];
    for body in bodies {
        assert_eq!(refused(&body), Refusal::Nul, "{body}");
    }
}

#[test]
fn unknown_shape() {
    assert_eq!(refused(&json!({ "hello": "world" })), Refusal::UnknownShape);
}

#[test]
fn wrong_type() {
    assert_eq!(code(&json!(["not", "an", "object"])), "wrong-type");
    assert_eq!(code(&with(envelope("subscribe-fail"), "MessageId", 7)), "wrong-type");
    assert_eq!(code(&with(envelope("subscribe-fail"), "Timestamp", "yesterday")), "wrong-type");
    assert_eq!(code(&with(envelope("subscribe-fail"), "Message", "[]")), "wrong-type");
    assert_eq!(code(&with(event("Vet Failed", &json!({})), "detail", "text")), "wrong-type");
}

#[test]
fn missing_field() {
    for field in ["MessageId", "TopicArn", "Message", "Timestamp"] {
        assert_eq!(refused(&without(envelope("subscribe-fail"), field)), Refusal::MissingField { field });
        assert_eq!(
            refused(&with(envelope("subscribe-fail"), field, Value::Null)),
            Refusal::MissingField { field }
        );
    }
    for field in ["action", "customer-identifier", "product-code"] {
        let body = envelope_of(&without(message("subscribe-fail"), field));
        assert_eq!(refused(&body), Refusal::MissingField { field });
        let body = envelope_of(&with(message("subscribe-fail"), field, "  "));
        assert_eq!(refused(&body), Refusal::MissingField { field });
    }
    for field in ["id", "source", "account", "time", "detail"] {
        assert_eq!(
            refused(&without(event("Vet Failed", &json!({})), field)),
            Refusal::MissingField { field }
        );
    }
}

#[test]
fn bad_id() {
    let long = "x".repeat(300);
    assert_eq!(code(&with(envelope("subscribe-fail"), "MessageId", "a\u{7}b")), "bad-id");
    assert_eq!(code(&envelope_of(&with(message("subscribe-fail"), "customer-identifier", long))), "bad-id");
    assert_eq!(code(&envelope_of(&with(message("subscribe-fail"), "product-code", "a/b"))), "bad-id");
    assert_eq!(code(&envelope_of(&with(message("subscribe-success"), "offer-identifier", "a\nb"))), "bad-id");
}

#[test]
fn handshake_by_name() {
    for kind in ["SubscriptionConfirmation", "UnsubscribeConfirmation"] {
        assert_eq!(refused(&with(envelope("subscribe-fail"), "Type", kind)), Refusal::Handshake { kind });
    }
}

#[test]
fn unknown_type() {
    let refusal = refused(&with(envelope("subscribe-fail"), "Type", "Postcard"));
    assert_eq!(refusal, Refusal::UnknownType { kind: "Postcard".to_owned() });
}

#[test]
fn raw_undeclared() {
    assert_eq!(refused(&message("subscribe-success")), Refusal::RawUndeclared);
}

#[test]
fn events_undeclared() {
    let feed = Feed::new(FeedConfig { events: None, ..config() }).unwrap();
    let body = event("Vet Failed", &json!({}));
    assert_eq!(refused_by(&feed, &body), Refusal::EventsUndeclared);
}

#[test]
fn wrong_topic() {
    let arn = SUBSCRIPTION.replace("287250355862", "666666666666");
    let refusal = refused(&with(envelope("subscribe-success"), "TopicArn", arn.clone()));
    assert_eq!(refusal, Refusal::WrongTopic { arn });
}

#[test]
fn product_not_of_topic_even_if_it_is_a_listing() {
    let body = with(message("subscribe-success"), "product-code", "prod2");
    assert_eq!(code(&envelope_of(&body)), "product-not-of-topic");
    assert_eq!(refused_by(&Feed::new(raw_config()).unwrap(), &body).code(), "product-not-of-topic");
}

#[test]
fn unknown_product() {
    let body = license_event("License Updated - Manufacturer", "l-1");
    let refusal = refused(&with(body, "detail.product.code", "prod9"));
    assert_eq!(refusal, Refusal::UnknownProduct { product: "prod9".parse().unwrap() });
}

#[test]
fn unknown_action_by_name() {
    let refusal = refused(&envelope("subscribe-maybe"));
    assert_eq!(refusal, Refusal::UnknownAction { action: "subscribe-maybe".to_owned() });
    assert!(refusal.to_string().contains("subscribe-maybe"));
}

#[test]
fn wrong_source() {
    assert_eq!(code(&with(event("Vet Failed", &json!({})), "source", "aws.ec2")), "wrong-source");
}

#[test]
fn wrong_account() {
    assert_eq!(code(&with(event("Vet Failed", &json!({})), "account", "999999999999")), "wrong-account");
}

#[test]
fn unknown_event_by_name() {
    let refusal = refused(&event("Purchase Agreement Celebrated - Proposer", &json!({})));
    let detail_type = "Purchase Agreement Celebrated - Proposer".to_owned();
    assert_eq!(refusal, Refusal::UnknownEvent { detail_type });
}

#[test]
fn bad_license_arn() {
    assert_eq!(
        code(&license_event("License Updated - Manufacturer", "arn:aws:license-manager")),
        "bad-license-arn"
    );
}

#[test]
fn future_time_by_each_way_of_delivery() {
    let late = "2026-11-22T10:05:02.000001Z";
    assert_eq!(code(&with(envelope("subscribe-success"), "Timestamp", late)), "future-time");
    assert_eq!(
        code(&with(license_event("License Updated", "l-1"), "time", "2030-01-01T00:00:00Z")),
        "future-time"
    );
    let raw = Feed::new(raw_config()).unwrap();
    let body = message("subscribe-success").to_string();
    let meta = QueueMeta { sent_at: Some(late.parse().unwrap()), ..queue() };
    assert_eq!(read(body.as_bytes(), meta, &raw).unwrap_err().code(), "future-time");
}

#[test]
fn what_is_quoted_of_a_message_is_short_and_on_one_line() {
    let action = format!("evil\n\u{1b}[31m{}", "x".repeat(10_000));
    let words = refused(&envelope(&action)).to_string();
    assert!(words.len() < 300 && !words.contains(char::is_control), "{words:?}");
}
