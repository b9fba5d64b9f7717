//! The parts that the other tests stand on.
#![expect(clippy::unwrap_used, reason = "a broken set-up fails the test")]

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use stallkeeper_tests::{
    Authority, CertificateServer, Digest, Moto, PrivatePostgres, Queue, TestDatabase, action_body, eventually,
};

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_test_database_is_dropped_with_its_scope_though_someone_is_connected() {
    let kept = TestDatabase::empty().await;
    let dropped = TestDatabase::empty().await;
    let _connected = dropped.connect().await;
    let name = dropped.url().rsplit_once('/').unwrap().1.to_owned();
    drop(dropped);
    let query = "SELECT count(*) FROM pg_database WHERE datname = $1";
    let left: i64 = sqlx::query_scalar(query).bind(name).fetch_one(&mut kept.connect().await).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_clone_of_the_template_has_every_migration() {
    let database = TestDatabase::clone_template().await;
    let query = "SELECT count(*) FROM _sqlx_migrations WHERE success";
    let applied: i64 = sqlx::query_scalar(query).fetch_one(&mut database.connect().await).await.unwrap();
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/postgres")).unwrap();
    assert_eq!(usize::try_from(applied).unwrap(), files.count());
}

#[tokio::test]
async fn a_private_postgres_keeps_its_rows_and_its_port_over_a_stop() {
    let mut postgres = PrivatePostgres::start();
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    sqlx::query("CREATE TABLE kept AS SELECT 7 AS number").execute(&mut connection).await.unwrap();
    postgres.stop();
    assert!(PgConnection::connect(&postgres.url()).await.is_err());
    postgres.start_again();
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    let number: i32 = sqlx::query_scalar("SELECT number FROM kept").fetch_one(&mut connection).await.unwrap();
    assert_eq!(number, 7);
}

#[tokio::test]
async fn a_published_action_reaches_the_queue_and_is_counted_until_it_is_deleted() {
    let (moto, queue, _) = published().await;
    let depth = moto.depth(&queue.url).await;
    assert_eq!((depth.visible, depth.in_flight), (1, 0));
    let received = receive(&moto, &queue).await;
    assert_eq!(moto.depth(&queue.url).await.in_flight, 1);
    let delete = moto.sqs().delete_message().queue_url(&queue.url).receipt_handle(received.1);
    delete.send().await.unwrap();
    moto.wait_until_empty(&queue.url, PATIENCE).await;
}

#[tokio::test]
async fn moto_s_signature_verifies_with_its_key_certified_by_the_test_root() {
    let (moto, queue, body) = published().await;
    let authority = Arc::new(Authority::new());
    let server = CertificateServer::start(Arc::clone(&authority), &moto).await;
    let envelope: Value = serde_json::from_str(&receive(&moto, &queue).await.0).unwrap();
    assert_eq!(envelope["Message"], body.to_string());

    let file = text(&envelope, "SigningCertURL").rsplit_once('/').unwrap().1;
    let answer = reqwest::get(format!("{}/{file}", server.url())).await.unwrap();
    let certificate = answer.error_for_status().unwrap().text().await.unwrap();
    let signature = BASE64_STANDARD.decode(text(&envelope, "Signature")).unwrap();
    assert!(is_signed(&certificate, &signed_text(&envelope), &signature, "-sha256"));
    assert!(!is_signed(&certificate, "another text", &signature, "-sha256"));
    assert!(is_issued_by(&authority, &certificate));
}

#[tokio::test]
async fn an_own_key_signs_as_version_1_does_and_its_certificate_is_served() {
    let authority = Arc::new(Authority::new());
    let server = CertificateServer::start(Arc::clone(&authority), &Moto::connect().await).await;
    let key = authority.signing_key("sns.amazonaws.com");
    let signature = key.sign("Message\nhello\n", Digest::Sha1);

    let url = server.publish(&key);
    let file = url.rsplit_once('/').unwrap().1;
    let answer = reqwest::get(format!("{}/{file}", server.url())).await.unwrap();
    let certificate = answer.text().await.unwrap();
    assert!(is_signed(&certificate, "Message\nhello\n", &signature, "-sha1"));
    assert!(is_issued_by(&authority, &certificate));
    let unknown = reqwest::get(format!("{}/SimpleNotificationService-no.pem", server.url())).await.unwrap();
    assert_eq!(unknown.status(), 404);
}

/// A queue that has received one action.
async fn published() -> (Moto, Queue, Value) {
    let moto = Moto::connect().await;
    let code = moto.unique_code();
    let topics = moto.create_topics(&code).await;
    let queue = moto.create_queue(Duration::from_secs(30)).await;
    moto.subscribe(&topics.subscription, &queue).await;
    let body = action_body("subscribe-success", "customer-1", &code);
    moto.publish(&topics.subscription, &body).await;
    eventually("the action is in the queue", PATIENCE, async || moto.depth(&queue.url).await.visible == 1)
        .await;
    (moto, queue, body)
}

/// The body and the receipt handle of the queue's one message.
async fn receive(moto: &Moto, queue: &Queue) -> (String, String) {
    let answer =
        moto.sqs().receive_message().queue_url(&queue.url).wait_time_seconds(5).send().await.unwrap();
    let message = answer.messages.unwrap().remove(0);
    (message.body.unwrap(), message.receipt_handle.unwrap())
}

fn text<'value>(envelope: &'value Value, field: &str) -> &'value str {
    envelope[field].as_str().unwrap()
}

/// What SNS signs of a notification without a subject.
fn signed_text(envelope: &Value) -> String {
    let fields = ["Message", "MessageId", "Timestamp", "TopicArn", "Type"];
    fields.map(|field| format!("{field}\n{}\n", text(envelope, field))).concat()
}

fn is_signed(certificate: &str, text: &str, signature: &[u8], digest: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("certificate"), certificate).unwrap();
    fs::write(path("text"), text).unwrap();
    fs::write(path("signature"), signature).unwrap();
    let mut key = Command::new("openssl");
    key.args(["x509", "-noout", "-pubkey", "-in"]).arg(path("certificate"));
    fs::write(path("key"), key.output().unwrap().stdout).unwrap();
    let mut verify = Command::new("openssl");
    verify.args(["dgst", digest, "-verify"]).arg(path("key")).arg("-signature").arg(path("signature"));
    verify.arg(path("text")).output().unwrap().status.success()
}

fn is_issued_by(authority: &Authority, certificate: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("certificate");
    fs::write(&file, certificate).unwrap();
    let mut verify = Command::new("openssl");
    verify.args(["verify", "-x509_strict", "-CAfile"]).arg(authority.root_path());
    verify.arg("-untrusted").arg(authority.intermediate_path()).arg(file);
    verify.output().unwrap().status.success()
}
