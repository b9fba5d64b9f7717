//! What is believed of an envelope under each policy.

use std::sync::Arc;

use serde_json::Value;
use stallkeeper_notification::{
    CheckError, Checked, Envelope, Refusal, SignaturePolicy, Trust, Verifier, read,
};

use crate::certificates::Certificates;
use crate::samples::{at, feed, queue, with, without};

const NOW: &str = "2027-01-01T00:00:00Z";
const CHAIN: &[u8] = include_bytes!("../vectors/leaf-chain.pem");
const VECTORS: [(&str, &[u8]); 4] = [
    ("version 1", include_bytes!("../vectors/v1.json")),
    ("version 1 with subject", include_bytes!("../vectors/v1-subject.json")),
    ("version 2", include_bytes!("../vectors/v2.json")),
    ("version 2 with subject", include_bytes!("../vectors/v2-subject.json")),
];

fn trust() -> Trust {
    Trust::only(include_bytes!("../vectors/root.pem")).unwrap()
}

fn vector(number: usize) -> Value {
    serde_json::from_slice(VECTORS[number].1).unwrap()
}

/// The vectors are younger than the sample queue.
fn envelope(body: &Value) -> Envelope {
    let meta = stallkeeper_notification::QueueMeta { received_at: at(NOW), ..queue() };
    read(body.to_string().as_bytes(), meta, &feed()).unwrap().envelope.unwrap()
}

async fn check(
    policy: SignaturePolicy,
    source: &Arc<Certificates>,
    body: &Value,
) -> Result<Checked, CheckError> {
    let verifier = Verifier::new(policy, source.clone(), trust());
    verifier.check(&envelope(body), at(NOW)).await
}

async fn enforced(body: &Value) -> Result<Checked, CheckError> {
    check(SignaturePolicy::Enforce, &Certificates::with(CHAIN), body).await
}

async fn refused(body: &Value) -> Refusal {
    match enforced(body).await {
        Err(CheckError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn both_versions_verify_with_and_without_a_subject() {
    for (name, vector) in VECTORS {
        let checked = enforced(&serde_json::from_slice(vector).unwrap()).await;
        assert!(matches!(checked, Ok(Checked::Verified)), "{name}: {checked:?}");
    }
}

#[tokio::test]
async fn whatever_signed_field_is_changed_the_signature_fails() {
    let other_topic = crate::samples::ENTITLEMENT;
    for number in 0..VECTORS.len() {
        let body = vector(number);
        let message = body["Message"].as_str().unwrap().replace("X01EXAMPLEX", "X01EXAMPLEY");
        let forged = [
            with(body.clone(), "Message", message),
            with(body.clone(), "MessageId", "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf325"),
            with(body.clone(), "MessageId", format!("{} ", body["MessageId"].as_str().unwrap())),
            with(body.clone(), "Subject", "Another subject"),
            with(body.clone(), "Timestamp", "2026-11-22T10:00:00.124Z"),
            with(body.clone(), "Timestamp", "2026-11-22T10:00:00.1230Z"),
            with(body.clone(), "Timestamp", "2026-11-22T10:00:00.123Z "),
            with(body.clone(), "TopicArn", other_topic),
        ];
        for body in forged {
            assert_eq!(refused(&body).await, Refusal::BadSignature, "{body}");
        }
    }
    assert_eq!(refused(&without(vector(1), "Subject")).await, Refusal::BadSignature);
}

#[tokio::test]
async fn a_signature_of_one_version_does_not_pass_for_the_other() {
    assert_eq!(refused(&with(vector(0), "SignatureVersion", "2")).await, Refusal::BadSignature);
    assert_eq!(refused(&with(vector(2), "SignatureVersion", "1")).await, Refusal::BadSignature);
}

#[tokio::test]
async fn a_signature_that_is_not_base64_is_a_bad_one() {
    assert_eq!(refused(&with(vector(0), "Signature", "***")).await, Refusal::BadSignature);
    assert_eq!(refused(&with(vector(0), "Signature", "")).await, Refusal::BadSignature);
}

#[tokio::test]
async fn an_unknown_version_is_refused_by_name() {
    let refusal = refused(&with(vector(0), "SignatureVersion", "3")).await;
    assert_eq!(refusal, Refusal::SignatureVersion { version: "3".to_owned() });
}

#[tokio::test]
async fn an_envelope_without_its_signature_is_refused() {
    for field in ["Signature", "SignatureVersion", "SigningCertURL"] {
        assert_eq!(refused(&without(vector(0), field)).await, Refusal::Unsigned { field });
    }
}

#[tokio::test]
async fn a_message_that_is_an_object_cannot_have_been_signed() {
    let message: Value = serde_json::from_str(vector(0)["Message"].as_str().unwrap()).unwrap();
    let refusal = refused(&with(vector(0), "Message", message)).await;
    assert_eq!(refusal, Refusal::Unsigned { field: "Message" });
}

#[tokio::test]
async fn a_certificate_from_elsewhere_is_refused_and_not_even_fetched() {
    let source = Certificates::with(CHAIN);
    let body = with(vector(0), "SigningCertURL", "https://evil.com/SimpleNotificationService-test.pem");
    let checked = check(SignaturePolicy::Enforce, &source, &body).await;
    assert!(matches!(checked, Err(CheckError::Refused(Refusal::CertificateUrl { .. }))), "{checked:?}");
    assert_eq!(source.fetches(), 0);
}

#[tokio::test]
async fn an_untrusted_certificate_is_refused() {
    let source = Certificates::with(include_bytes!("../vectors/leaf.pem"));
    let checked = check(SignaturePolicy::Enforce, &source, &vector(0)).await;
    assert!(matches!(checked, Err(CheckError::Refused(Refusal::UntrustedCertificate { .. }))), "{checked:?}");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_fetched_is_retried_and_never_refused() {
    let checked = check(SignaturePolicy::Enforce, &Certificates::unreachable(), &vector(0)).await;
    assert!(matches!(checked, Err(CheckError::Retry(_))), "{checked:?}");
}

#[tokio::test]
async fn a_warning_accepts_what_does_not_verify_and_says_why() {
    let source = Certificates::with(CHAIN);
    let body = with(vector(0), "Subject", "Another subject");
    let checked = check(SignaturePolicy::Warn, &source, &body).await;
    assert!(
        matches!(checked, Ok(Checked::Unverified(CheckError::Refused(Refusal::BadSignature)))),
        "{checked:?}"
    );
}

#[tokio::test]
async fn a_warning_does_not_wait_for_a_certificate_that_cannot_be_fetched() {
    let checked = check(SignaturePolicy::Warn, &Certificates::unreachable(), &vector(0)).await;
    assert!(matches!(checked, Ok(Checked::Unverified(CheckError::Retry(_)))), "{checked:?}");
}

#[tokio::test]
async fn a_warning_verifies_what_is_signed() {
    let checked = check(SignaturePolicy::Warn, &Certificates::with(CHAIN), &vector(0)).await;
    assert!(matches!(checked, Ok(Checked::Verified)), "{checked:?}");
}

#[tokio::test]
async fn switched_off_nothing_is_fetched() {
    let source = Certificates::unreachable();
    let checked = check(SignaturePolicy::Off, &source, &without(vector(0), "Signature")).await;
    assert!(matches!(checked, Ok(Checked::Skipped)), "{checked:?}");
    assert_eq!(source.fetches(), 0);
}

#[tokio::test]
async fn a_kept_certificate_that_expired_is_fetched_anew() {
    let source = Certificates::with(CHAIN);
    let verifier = Verifier::new(SignaturePolicy::Enforce, source.clone(), trust());
    let envelope = envelope(&vector(0));
    verifier.check(&envelope, at(NOW)).await.unwrap();
    verifier.check(&envelope, at(NOW)).await.unwrap();
    assert_eq!(source.fetches(), 1, "the second check finds it in the cache");
    let expired = verifier.check(&envelope, at("2127-01-01T00:00:00Z")).await;
    assert!(matches!(expired, Err(CheckError::Refused(Refusal::UntrustedCertificate { .. }))), "{expired:?}");
    assert_eq!(source.fetches(), 2);
    verifier.check(&envelope, at(NOW)).await.unwrap();
    assert_eq!(source.fetches(), 3, "what is not trusted is not kept");
}
