//! What is done about signatures: moto signs for real, and its key is certified anew under a test root.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "a broken set-up fails the test; counts are whole"
)]

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use stallkeeper_tests::{
    Authority, CertificateServer, Database, Digest, Envelope, Installation, Queue, SigningKey, Stall, Worker,
    eventually,
};
use xtask::postgres::free_port;

const PATIENCE: Duration = Duration::from_mins(1);
const HOST: &str = "sns.amazonaws.com";

#[tokio::test]
async fn what_moto_signed_is_taken_in_under_enforce() {
    let mut scene = Scene::open("enforce").await;
    scene.serve_certificates().await;
    let worker = scene.installation.start_ready().await;
    for buyer in ["anna", "ben", "carla"] {
        scene.publish(buyer).await;
    }
    scene.stall.wait_until_taken_in(&scene.database, 3, PATIENCE).await;
    assert_eq!(scene.database.count("subscriptions WHERE word = 'unclaimed'").await, 3);
    assert_eq!(scene.database.count("quarantine").await, 0);
    assert_eq!(verified(&worker).await, 3.0);
}

#[tokio::test]
async fn an_envelope_that_was_tampered_with_goes_to_quarantine_and_the_true_one_still_counts() {
    let mut scene = Scene::open("enforce").await;
    scene.serve_certificates().await;
    let _worker = scene.installation.start_ready().await;
    scene.publish("anna").await;
    scene.stall.wait_until_taken_in(&scene.database, 1, PATIENCE).await;
    let mut envelope: Value =
        serde_json::from_str(&scene.stall.moto.take(&scene.tap.url, 1).await[0]).unwrap();
    let true_one = envelope.to_string();
    let product = &scene.stall.products[0];
    envelope["Message"] = product.body("unsubscribe-success", "anna").to_string().into();
    scene.stall.send(&[envelope.to_string(), true_one]).await;
    wait_for_quarantine(&scene, &[("bad-signature", "the signature does not match the message")]).await;
    assert_eq!(scene.database.count("subscriptions WHERE word = 'unclaimed'").await, 1);
    assert_eq!(scene.database.count("inbox").await, 1);
}

#[tokio::test]
async fn both_versions_are_verified_and_a_certificate_of_another_root_is_not_trusted() {
    let mut scene = Scene::open("enforce").await;
    scene.serve_certificates().await;
    let server = scene.server.as_ref().unwrap();
    let stranger = Authority::new();
    let (ours, foreign) = (scene.authority.signing_key(HOST), stranger.signing_key(HOST));
    let _worker = scene.installation.start_ready().await;
    let product = &scene.stall.products[0];
    let signed = |key: &SigningKey, digest, buyer| {
        signed(&product.envelope("subscribe-success", buyer), key, &server.publish(key), digest)
    };
    let unsigned = product.envelope("subscribe-success", "dora").text();
    scene
        .stall
        .send(&[
            signed(&ours, Digest::Sha1, "anna"),
            signed(&ours, Digest::Sha256, "ben"),
            signed(&foreign, Digest::Sha256, "carla"),
            unsigned,
        ])
        .await;
    let expected = [("unsigned", "is missing"), ("untrusted-certificate", "is not trusted")];
    wait_for_quarantine(&scene, &expected).await;
    scene.stall.wait_until_taken_in(&scene.database, 2, PATIENCE).await;
}

#[tokio::test]
async fn while_certificates_cannot_be_fetched_messages_wait_and_then_all_are_applied() {
    let mut scene = Scene::open("enforce").await;
    let worker = scene.installation.start_ready().await;
    for buyer in ["anna", "ben", "carla"] {
        scene.publish(buyer).await;
    }
    eventually("each message was tried and waits", PATIENCE, async || {
        let failures = worker.metric("stallkeeper_certificate_failures_total").await;
        failures >= 6.0 && worker.metric("stallkeeper_queue_in_flight").await == 3.0
    })
    .await;
    assert!(worker.logs().contains("their signing certificate cannot be fetched"));
    assert_eq!(scene.stall.moto.depth(&scene.stall.queue.url).await.total(), 3, "a message was acknowledged");
    assert_eq!(scene.database.count("inbox").await, 0);
    assert_eq!(scene.database.count("quarantine").await, 0);

    scene.serve_certificates().await;
    scene.stall.wait_until_taken_in(&scene.database, 3, PATIENCE).await;
    assert_eq!(scene.database.count("quarantine").await, 0);
    assert_eq!(verified(&worker).await, 3.0);
}

#[tokio::test]
async fn under_warn_a_forged_envelope_is_taken_in_and_counted() {
    let mut scene = Scene::open("warn").await;
    scene.serve_certificates().await;
    let worker = scene.installation.start_ready().await;
    scene.publish("anna").await;
    let forged = scene.stall.products[0].envelope("subscribe-success", "ben").text();
    scene.stall.send(&[forged]).await;
    scene.stall.wait_until_taken_in(&scene.database, 2, PATIENCE).await;
    assert_eq!(scene.database.count("subscriptions WHERE word = 'unclaimed'").await, 2);
    assert_eq!(scene.database.count("quarantine").await, 0);
    assert_eq!(worker.metric(r#"stallkeeper_signatures_total{result="unverified""#).await, 1.0);
    assert_eq!(verified(&worker).await, 1.0);
    assert!(worker.logs().contains("the signature of a notification does not verify"));
}

/// A stall whose worker trusts the test's root and fetches certificates from a port where nobody answers yet.
struct Scene {
    stall: Stall,
    /// Gets a copy of all that is published.
    tap: Queue,
    database: Database,
    installation: Installation,
    authority: Arc<Authority>,
    port: u16,
    server: Option<CertificateServer>,
}

impl Scene {
    async fn open(policy: &str) -> Self {
        let (stall, database) = (Stall::open(1).await, Database::postgres().await);
        let authority = Arc::new(Authority::new());
        let port = free_port().unwrap();
        let settings = format!(
            "[signature]\npolicy = \"{policy}\"\ncertificate_base_url = \"http://127.0.0.1:{port}\"\n\
             trusted_roots = \"{}\"\nintermediates = \"{}\"\n[queue]\nwait_secs = 1\n",
            authority.root_path().display(),
            authority.intermediate_path().display(),
        );
        let installation = Installation::new(&stall.config(&settings), &database.url());
        installation.run(&["setup"]).expect_success();
        let tap = stall.moto.create_queue(Duration::from_secs(30)).await;
        stall.moto.subscribe(&stall.products[0].topics.subscription, &tap).await;
        Self { stall, tap, database, installation, authority, port, server: None }
    }

    async fn serve_certificates(&mut self) {
        let authority = Arc::clone(&self.authority);
        self.server = Some(CertificateServer::start_on(self.port, authority, &self.stall.moto).await);
    }

    async fn publish(&self, buyer: &str) {
        let product = &self.stall.products[0];
        self.stall
            .moto
            .publish(&product.topics.subscription, &product.body("subscribe-success", buyer))
            .await;
    }
}

/// The envelope with a signature as SNS makes it.
fn signed(envelope: &Envelope, key: &SigningKey, certificate_url: &str, digest: Digest) -> String {
    let Envelope { message_id, topic, timestamp, message } = envelope;
    let text = format!(
        "Message\n{message}\nMessageId\n{message_id}\nTimestamp\n{timestamp}\nTopicArn\n{topic}\nType\nNotification\n"
    );
    let version = if digest == Digest::Sha1 { "1" } else { "2" };
    let mut json = envelope.json();
    json["Signature"] = json!(BASE64_STANDARD.encode(key.sign(&text, digest)));
    json["SignatureVersion"] = json!(version);
    json["SigningCertURL"] = json!(certificate_url);
    json.to_string()
}

/// Waits until these are held, each with words that say why, and the queue is empty.
async fn wait_for_quarantine(scene: &Scene, expected: &[(&str, &str)]) {
    eventually("the messages are in quarantine", PATIENCE, async || {
        scene.database.count("quarantine").await == expected.len()
    })
    .await;
    let held = scene.database.rows("SELECT reason, detail FROM quarantine ORDER BY reason").await;
    for (line, (reason, words)) in held.iter().zip(expected) {
        assert_eq!(line[0], *reason);
        assert!(line[1].contains(words), "{line:?}");
    }
    scene.stall.moto.wait_until_empty(&scene.stall.queue.url, PATIENCE).await;
}

async fn verified(worker: &Worker) -> f64 {
    worker.metric(r#"stallkeeper_signatures_total{result="verified""#).await
}
