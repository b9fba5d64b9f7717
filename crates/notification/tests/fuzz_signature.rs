//! Whatever an envelope says of its signature, nothing passes that the key did not sign.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::sync::Arc;

use async_trait::async_trait;
use bolero::{TypeGenerator, check};
use futures_util::FutureExt;
use serde_json::{Value, json};
use stallkeeper_notification::{
    CertificateSource, CertificateUrl, Checked, Delivery, Feed, FeedConfig, FetchError, Partition, QueueMeta,
    SignaturePolicy, Topic, Trust, Verifier, read,
};

const TOPIC: &str = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-prod1";

/// The good chain, whatever is asked for.
struct Good;

#[async_trait]
impl CertificateSource for Good {
    async fn fetch(&self, _: &CertificateUrl) -> Result<Vec<u8>, FetchError> {
        Ok(include_bytes!("vectors/leaf-chain.pem").to_vec())
    }
}

/// What an outsider puts into the fields of the signature.
#[derive(Debug, TypeGenerator)]
struct Forgery {
    version: Option<String>,
    is_version_1: bool,
    signature: Vec<u8>,
    signature_text: Option<String>,
    subject: Option<String>,
    path: String,
    body: String,
}

impl Forgery {
    fn envelope(&self) -> Value {
        let known = if self.is_version_1 { "1" } else { "2" };
        let bytes = self.signature.iter().map(|byte| char::from(b'A' + byte % 26)).collect::<String>();
        json!({
            "Type": "Notification",
            "MessageId": "00000000-0000-0000-0000-000000000001",
            "TopicArn": TOPIC,
            "Subject": self.subject,
            "Message": json!({
                "action": "subscribe-success", "customer-identifier": "buyer", "product-code": "prod1", "x": self.body,
            }).to_string(),
            "Timestamp": "2027-01-01T00:00:00.000Z",
            "SignatureVersion": self.version.as_deref().unwrap_or(known),
            "Signature": self.signature_text.as_deref().unwrap_or(&bytes),
            "SigningCertURL": format!("https://sns.us-east-1.amazonaws.com/{}.pem", self.path),
        })
    }
}

fn feed() -> Feed {
    Feed::new(FeedConfig {
        marketplace: "aws".parse().unwrap(),
        partition: Partition::Aws,
        topics: vec![Topic::parse(TOPIC).unwrap()],
        delivery: Delivery::Enveloped,
        events: None,
        products: [].into(),
        signatures: SignaturePolicy::Enforce,
    })
    .unwrap()
}

#[test]
fn fuzz_signature() {
    let feed = feed();
    let now = "2027-01-01T00:00:01Z".parse().unwrap();
    let trust = Trust::only(include_bytes!("vectors/root.pem")).unwrap();
    check!().with_type::<Forgery>().for_each(|forgery| {
        let body = forgery.envelope().to_string();
        let meta = QueueMeta { message_id: "m-1", sent_at: None, received_at: now };
        let Ok(understood) = read(body.as_bytes(), meta, &feed) else { return };
        let envelope = understood.envelope.unwrap();
        let verifier = Verifier::new(SignaturePolicy::Enforce, Arc::new(Good), trust.clone());
        let checked = verifier.check(&envelope, now).now_or_never().unwrap();
        assert!(
            !matches!(checked, Ok(Checked::Verified | Checked::Skipped | Checked::Unverified(_))),
            "{body}"
        );
    });
}
