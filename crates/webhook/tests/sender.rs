//! What happens between a sender and an endpoint, over real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use stallkeeper_webhook::{
    DeliveryError, Endpoint, EndpointSettings, Event, Lookup, Message, MessageId, RESPONSE_BYTES_MAX, Reach,
    RefusedRange, Sender, SigningSecret, signature_header,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const AT: i64 = 1_790_000_000;
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1));

/// Answers its lists one after the other, and the last one for good.
struct Listed {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Listed {
    fn new(answers: &[&[IpAddr]]) -> Arc<Self> {
        let answers = answers.iter().map(|list| list.to_vec()).collect();
        Arc::new(Self { answers, asked: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Lookup for Listed {
    async fn addresses(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
        Ok(self.answers[turn].clone())
    }
}

/// A request as it came.
struct Received {
    headers: BTreeMap<String, String>,
    body: String,
}

async fn read(stream: &mut TcpStream) -> Received {
    let mut bytes = Vec::new();
    let head = loop {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request ended early");
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let headers: BTreeMap<_, _> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().unwrap();
    while bytes.len() < head + 4 + length {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the body ended early");
    }
    Received { headers, body: String::from_utf8(bytes[head + 4..].to_vec()).unwrap() }
}

/// Takes one request and answers it with those bytes.
async fn receiver(answer: String) -> (u16, JoinSet<Received>) {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let received = read(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        received
    });
    (port, tasks)
}

/// Whether no connection waits: the kernel queues one before its client knows of it.
fn nobody_connected(listener: &std::net::TcpListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    listener.accept().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn settings(port: u16) -> EndpointSettings {
    EndpointSettings {
        name: "app".to_owned(),
        url: format!("http://app.test:{port}/hooks"),
        secrets: vec![OLD.to_owned().into()],
        events: vec!["*".to_owned()],
        timeout: Duration::from_secs(20),
        reach: Reach::Anywhere,
        allow_http: true,
        ca_pem: None,
    }
}

fn sender(settings: &EndpointSettings, lookup: Arc<Listed>) -> Sender {
    Sender::new(Endpoint::new(settings).unwrap(), lookup).unwrap()
}

fn message() -> Message {
    let event = Event::SubscriptionEnding;
    Message {
        id: MessageId::of("aws/p/customer/a", 3, event, "app"),
        event,
        body: r#"{"sequence":3}"#.to_owned(),
    }
}

async fn failure(answer: String) -> DeliveryError {
    let (port, mut tasks) = receiver(answer).await;
    let sent = sender(&settings(port), Listed::new(&[&[LOOPBACK]])).send(&message(), AT).await;
    tasks.join_next().await.unwrap().unwrap();
    sent.expect_err("not accepted")
}

#[tokio::test]
async fn what_arrives_is_signed_by_every_secret_of_the_endpoint() {
    let (port, mut tasks) = receiver(answer("204 No Content", "")).await;
    let both =
        EndpointSettings { secrets: vec![NEW.to_owned().into(), OLD.to_owned().into()], ..settings(port) };
    let accepted = sender(&both, Listed::new(&[&[LOOPBACK]])).send(&message(), AT).await.unwrap();
    let received = tasks.join_next().await.unwrap().unwrap();

    assert_eq!(accepted.status, 204);
    assert_eq!(received.body, message().body);
    assert_eq!(received.headers["content-type"], "application/json");
    assert_eq!(received.headers["webhook-id"], message().id.as_str());
    assert_eq!(received.headers["webhook-timestamp"], AT.to_string());
    let signatures: Vec<_> = received.headers["webhook-signature"].split(' ').collect();
    for (secret, signature) in [NEW, OLD].into_iter().zip(signatures) {
        let secret = SigningSecret::parse(&secret.to_owned().into()).unwrap();
        assert_eq!(signature_header([&secret], &message().id, AT, received.body.as_bytes()), signature);
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_the_beginning_of_what_was_said() {
    let long = "x".repeat(RESPONSE_BYTES_MAX * 4);
    let error = failure(answer("500 Internal Server Error", &long)).await;
    let DeliveryError::Status { status, body } = error else { panic!("{error:?}") };
    assert_eq!((status, body.len()), (500, RESPONSE_BYTES_MAX));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = std::net::TcpListener::bind((LOOPBACK, 0)).unwrap();
    let target = elsewhere.local_addr().unwrap();
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{target}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let error = failure(redirect).await;
    assert!(matches!(error, DeliveryError::Redirect { status: 307 }), "{error:?}");
    assert!(nobody_connected(&elsewhere), "the redirect was followed");
}

#[tokio::test]
async fn a_connection_that_is_closed_without_an_answer_is_a_failure() {
    let error = failure(String::new()).await;
    assert!(matches!(error, DeliveryError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_given_up_in_time() {
    // It is connected to, and never accepts.
    let silent = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let hurried = EndpointSettings { timeout: Duration::from_millis(50), ..settings(port) };
    let error = sender(&hurried, Listed::new(&[&[LOOPBACK]])).send(&message(), AT).await.unwrap_err();
    assert!(matches!(error, DeliveryError::TimedOut), "{error:?}");
}

#[tokio::test]
async fn a_name_that_resolves_inside_is_refused_and_not_connected_to() {
    let inside = std::net::TcpListener::bind((LOOPBACK, 0)).unwrap();
    let port = inside.local_addr().unwrap().port();
    let public = EndpointSettings { reach: Reach::Public, ..settings(port) };
    for answers in [&[LOOPBACK][..], &[PUBLIC, LOOPBACK]] {
        let error = sender(&public, Listed::new(&[answers])).send(&message(), AT).await.unwrap_err();
        let DeliveryError::Address(refused) = error else { panic!("{error:?}") };
        assert_eq!((refused.address, refused.range), (LOOPBACK, RefusedRange::Loopback));
    }
    assert!(nobody_connected(&inside), "an inner address was connected to");
}

#[tokio::test]
async fn a_name_is_looked_up_once_for_a_connection_so_that_a_second_answer_gains_nothing() {
    let (port, mut tasks) = receiver(answer("200 OK", "")).await;
    let rebinding = Listed::new(&[&[LOOPBACK], &[PUBLIC]]);
    sender(&settings(port), Arc::clone(&rebinding)).send(&message(), AT).await.unwrap();
    tasks.join_next().await.unwrap().unwrap();
    assert_eq!(rebinding.asked.load(Ordering::SeqCst), 1, "judged and connected by the same answer");
}
