//! Signatures, checked by the openssl command.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use url::Url;

/// moto knows by the signature which service is asked, and asks no more of it.
const FOR_SNS: &str = "AWS4-HMAC-SHA256 Credential=id/20200101/us-east-1/sns/aws4_request, \
                       SignedHeaders=host, Signature=none";

/// Whether an envelope is signed, over the words that SNS documents, by the certificate that it names.
pub(crate) async fn is_right(base_url: &str, envelope: &Value) -> bool {
    let text = |field: &str| envelope.get(field).and_then(Value::as_str).unwrap();
    let certificate = fetch(base_url, text("SigningCertURL")).await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    write("certificate.pem", &certificate);
    write("words", &words(envelope));
    write("signature.base64", text("Signature"));
    let hash = if text("SignatureVersion") == "1" { "-sha1" } else { "-sha256" };
    assert!(openssl(folder.path(), &["base64", "-d", "-A", "-in", "signature.base64", "-out", "signature"]));
    let key = ["x509", "-in", "certificate.pem", "-pubkey", "-noout", "-out", "key.pem"];
    assert!(openssl(folder.path(), &key));
    openssl(folder.path(), &["dgst", hash, "-verify", "key.pem", "-signature", "signature", "words"])
}

/// The certificate, from the server instead of the host that the envelope names.
async fn fetch(base_url: &str, certificate_url: &str) -> String {
    let url = Url::parse(certificate_url).unwrap();
    let asked = reqwest::Client::new().get(format!("{base_url}{}", url.path()));
    let answer = asked.header("authorization", FOR_SNS).send().await.unwrap();
    answer.error_for_status().unwrap().text().await.unwrap()
}

fn words(envelope: &Value) -> String {
    let names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
    let given = names.iter().filter_map(|name| Some([name, "\n", envelope.get(name)?.as_str()?, "\n"]));
    given.flatten().collect()
}

fn openssl(folder: &Path, arguments: &[&str]) -> bool {
    let run = Command::new("openssl").args(arguments).current_dir(folder).output();
    run.expect("cannot run openssl: install it").status.success()
}
