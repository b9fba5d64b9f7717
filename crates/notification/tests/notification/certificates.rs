//! How certificates are fetched and kept.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use async_trait::async_trait;
use futures_util::FutureExt;
use stallkeeper_notification::{
    CERTIFICATE_BYTES_MAX, CERTIFICATES_MAX, CertificateSource, CertificateUrl, FetchError,
    HttpsCertificateSource, SignaturePolicy, SourceError, Trust, Verifier, read,
};
use tokio::sync::Semaphore;

use crate::samples::{SUBSCRIPTION, at, feed, queue, topic, with};

/// A source in memory that counts, and that can be held back.
pub(crate) struct Certificates {
    pem: Option<Vec<u8>>,
    fetches: AtomicUsize,
    gate: Semaphore,
}

impl Certificates {
    pub(crate) fn with(pem: &[u8]) -> Arc<Self> {
        Self::new(Some(pem.to_vec()), Semaphore::MAX_PERMITS)
    }

    pub(crate) fn unreachable() -> Arc<Self> {
        Self::new(None, Semaphore::MAX_PERMITS)
    }

    fn new(pem: Option<Vec<u8>>, permits: usize) -> Arc<Self> {
        Arc::new(Self { pem, fetches: AtomicUsize::new(0), gate: Semaphore::new(permits) })
    }

    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl CertificateSource for Certificates {
    async fn fetch(&self, url: &CertificateUrl) -> Result<Vec<u8>, FetchError> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        self.pem.clone().ok_or_else(|| FetchError::Status { url: url.to_string(), status: 503 })
    }
}

fn verifier(source: &Arc<Certificates>) -> Verifier {
    let trust = Trust::only(include_bytes!("../vectors/root.pem")).unwrap();
    Verifier::new(SignaturePolicy::Enforce, source.clone(), trust)
}

/// Whether an envelope with its certificate at that path verifies.
async fn verifies(verifier: &Verifier, path: &str) -> bool {
    verifies_at(verifier, path, "2027-01-01T00:00:00Z").await
}

async fn verifies_at(verifier: &Verifier, path: &str, now: &str) -> bool {
    let body = serde_json::from_slice(include_bytes!("../vectors/v2.json")).unwrap();
    let url = format!("https://sns.us-east-1.amazonaws.com/{path}");
    let body = with(body, "SigningCertURL", url).to_string();
    let meta = stallkeeper_notification::QueueMeta { received_at: at(now), ..queue() };
    let envelope = read(body.as_bytes(), meta, &feed()).unwrap().envelope.unwrap();
    verifier.check(&envelope, meta.received_at).await.is_ok()
}

const CHAIN: &[u8] = include_bytes!("../vectors/leaf-chain.pem");

#[tokio::test]
async fn the_cache_is_bounded_and_drops_the_oldest() {
    let source = Certificates::with(CHAIN);
    let verifier = verifier(&source);
    for number in 0..=CERTIFICATES_MAX {
        assert!(verifies(&verifier, &format!("{number}.pem")).await);
    }
    assert_eq!(source.fetches(), CERTIFICATES_MAX + 1);
    assert!(verifies(&verifier, "1.pem").await);
    assert_eq!(source.fetches(), CERTIFICATES_MAX + 1, "the second oldest is still there");
    assert!(verifies(&verifier, "0.pem").await);
    assert_eq!(source.fetches(), CERTIFICATES_MAX + 2, "the oldest made room");
}

/// Answers with the good chain for `a.pem`, and with a page for all else.
struct OneGood;

#[async_trait]
impl CertificateSource for OneGood {
    async fn fetch(&self, url: &CertificateUrl) -> Result<Vec<u8>, FetchError> {
        let is_good = url.path() == "/a.pem" && GOOD_FETCHES.fetch_add(1, Ordering::SeqCst) < 1;
        Ok(if is_good { CHAIN.to_vec() } else { b"<html>".to_vec() })
    }
}

static GOOD_FETCHES: AtomicUsize = AtomicUsize::new(0);

#[tokio::test]
async fn forged_addresses_do_not_push_the_true_certificate_out() {
    let trust = Trust::only(include_bytes!("../vectors/root.pem")).unwrap();
    let verifier = Verifier::new(SignaturePolicy::Enforce, Arc::new(OneGood), trust);
    assert!(verifies(&verifier, "a.pem").await);
    for number in 0..3 * CERTIFICATES_MAX {
        assert!(!verifies(&verifier, &format!("{number}.pem")).await);
    }
    assert!(verifies(&verifier, "a.pem").await, "it was fetched again");
}

#[test]
fn only_a_file_that_is_wrong_itself_is_to_blame() {
    let status = |status| FetchError::Status { url: String::new(), status };
    for blamed in [status(403), status(404), FetchError::NotACertificate { url: String::new() }] {
        assert!(blamed.is_about_this_file(), "{blamed}");
    }
    for passing in [status(408), status(429), status(500), status(503)] {
        assert!(!passing.is_about_this_file(), "{passing}");
    }
}

#[tokio::test]
async fn many_who_need_one_certificate_fetch_it_once() {
    let source = Certificates::new(Some(CHAIN.to_vec()), 0);
    let verifier = verifier(&source);
    let checks = futures_util::future::join_all((0..50).map(|_| verifies(&verifier, "a.pem")));
    let open = async { source.gate.add_permits(1) };
    let (outcomes, ()) = tokio::join!(checks, open);
    assert!(outcomes.into_iter().all(|verified| verified));
    assert_eq!(source.fetches(), 1);
}

#[tokio::test]
async fn a_failure_goes_to_all_who_wait_and_to_those_who_ask_soon_after() {
    let source = Certificates::new(None, 0);
    let verifier = verifier(&source);
    let checks = futures_util::future::join_all((0..50).map(|_| verifies(&verifier, "a.pem")));
    let open = async { source.gate.add_permits(2) };
    let (outcomes, ()) = tokio::join!(checks, open);
    assert!(!outcomes.into_iter().any(|verified| verified));
    assert_eq!(source.fetches(), 1);
    assert!(!verifies_at(&verifier, "a.pem", "2027-01-01T00:00:09Z").await);
    assert_eq!(source.fetches(), 1);
    assert!(!verifies_at(&verifier, "a.pem", "2027-01-01T00:00:10Z").await);
    assert_eq!(source.fetches(), 2);
}

#[tokio::test]
async fn a_check_that_is_given_up_does_not_keep_others_waiting() {
    let source = Certificates::new(Some(CHAIN.to_vec()), 0);
    let verifier = verifier(&source);
    let mut first = Box::pin(verifies(&verifier, "a.pem"));
    assert!(first.as_mut().now_or_never().is_none());
    drop(first);
    source.gate.add_permits(1);
    assert!(verifies(&verifier, "a.pem").await);
}

/// Answers one request on a loopback port, and gives back the path that was asked for.
fn serve(answer: Vec<u8>) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/mirror/", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let length = stream.read(&mut request).unwrap();
        // A client that has read enough hangs up, which is no failure of the server's.
        drop(stream.write_all(&answer));
        let request = String::from_utf8_lossy(&request[..length]).into_owned();
        request.split(' ').nth(1).unwrap().to_owned()
    });
    (base_url, served)
}

fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

async fn fetched(answer: Vec<u8>) -> (Result<Vec<u8>, FetchError>, String) {
    let (base_url, served) = serve(answer);
    let source = HttpsCertificateSource::new(Some(&base_url)).unwrap();
    let url =
        CertificateUrl::parse("https://sns.us-east-1.amazonaws.com/a/b.pem", &topic(SUBSCRIPTION)).unwrap();
    (source.fetch(&url).await, served.join().unwrap())
}

#[tokio::test]
async fn a_mirror_is_asked_for_the_same_path() {
    let (pem, path) = fetched(answer("200 OK", CHAIN)).await;
    assert_eq!(pem.unwrap(), CHAIN);
    assert_eq!(path, "/mirror/a/b.pem");
}

#[tokio::test]
async fn an_answer_other_than_200_is_a_failure_to_fetch() {
    let (pem, _) = fetched(answer("404 Not Found", b"")).await;
    assert!(matches!(pem, Err(FetchError::Status { status: 404, .. })), "{pem:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let redirect =
        b"HTTP/1.1 302 Found\r\nLocation: https://evil.com/a.pem\r\nContent-Length: 0\r\n\r\n".to_vec();
    let (pem, _) = fetched(redirect).await;
    assert!(matches!(pem, Err(FetchError::Status { status: 302, .. })), "{pem:?}");
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_bound() {
    let (pem, _) = fetched(answer("200 OK", &vec![b'x'; CERTIFICATE_BYTES_MAX])).await;
    assert_eq!(pem.unwrap().len(), CERTIFICATE_BYTES_MAX);
    let (pem, _) = fetched(answer("200 OK", &vec![b'x'; CERTIFICATE_BYTES_MAX + 1])).await;
    assert!(matches!(pem, Err(FetchError::TooLarge { .. })), "{pem:?}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_failure_to_fetch() {
    let (pem, _) = fetched(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".to_vec()).await;
    assert!(matches!(pem, Err(FetchError::Transport { .. })), "{pem:?}");
}

#[test]
fn a_mirror_that_is_no_address_is_refused() {
    for base_url in [
        "",
        "mirror.example",
        "ftp://mirror.example",
        "https://mirror.example/?a=b",
        "file:///etc",
        "https://user:word@mirror.example",
    ] {
        let source = HttpsCertificateSource::new(Some(base_url));
        assert!(matches!(source, Err(SourceError::BaseUrl)), "{base_url}");
    }
}
