//! What SQS says, and what we make of it. A connector answers in place of the network.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_credential_types::provider::{error::CredentialsError, future};
use aws_sdk_sqs::{
    Client, Config,
    config::{
        BehaviorVersion, Credentials, ProvideCredentials, Region, SharedHttpClient,
        http::{HttpRequest, HttpResponse},
        retry::RetryConfig,
    },
    error::ConnectorError,
};
use aws_smithy_runtime_api::{
    client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    http::StatusCode,
};
use stallkeeper_poller::{
    EntryFailure, Queue, QueueError, QueueErrorKind, ReceiptHandle, SqsQueue, VisibilityChange,
};

const URL: &str = "https://sqs.eu-central-1.amazonaws.com/111122223333/stall";
const LONG_POLL: Duration = Duration::from_secs(20);
const MINUTE: Duration = Duration::from_mins(1);

#[derive(Clone, Copy)]
enum Answer {
    Json { status: u16, body: &'static str },
    NoConnection,
    Silence,
}

#[derive(Clone)]
struct Network {
    answer: Answer,
    requests: Arc<Mutex<Vec<String>>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().unwrap_or_default();
        self.requests.lock().unwrap().push(String::from_utf8_lossy(body).into_owned());
        let answer = self.answer;
        HttpConnectorFuture::new(async move {
            match answer {
                Answer::Json { status, body } => {
                    Ok(HttpResponse::new(StatusCode::try_from(status).unwrap(), body.into()))
                }
                Answer::NoConnection => Err(ConnectorError::io("connection refused".into())),
                Answer::Silence => std::future::pending().await,
            }
        })
    }
}

fn config(network: &Network) -> aws_sdk_sqs::config::Builder {
    let connector = SharedHttpConnector::new(network.clone());
    let http: SharedHttpClient = http_client_fn(move |_, _| connector.clone());
    Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .retry_config(RetryConfig::disabled())
        .http_client(http)
}

fn queue(answer: Answer) -> (SqsQueue, Network) {
    let network = Network { answer, requests: Arc::default() };
    let credentials = Credentials::new("key", "secret", None, None, "test");
    let client = Client::from_conf(config(&network).credentials_provider(credentials).build());
    (SqsQueue::new(&client, URL), network)
}

async fn receive_error(answer: Answer) -> QueueError {
    queue(answer).0.receive(10, LONG_POLL, MINUTE).await.unwrap_err()
}

#[tokio::test]
async fn a_message_carries_what_sqs_knows_about_it() {
    let body = r#"{"Messages": [{"MessageId": "m-1", "ReceiptHandle": "r-1", "Body": "hello", "Attributes":
        {"ApproximateReceiveCount": "3", "SentTimestamp": "1700000000123",
         "ApproximateFirstReceiveTimestamp": "1700000001000"}}]}"#;
    let (queue, network) = queue(Answer::Json { status: 200, body });
    let messages = queue.receive(7, LONG_POLL, MINUTE).await.unwrap();
    let message = &messages[0];
    assert_eq!((message.id.as_str(), message.receipt.as_str()), ("m-1", "r-1"));
    assert_eq!((message.body.as_str(), message.receive_count), ("hello", 3));
    assert_eq!(message.sent_at.unwrap().unix_timestamp_nanos(), 1_700_000_000_123_000_000);
    assert_eq!(message.first_received_at.unwrap().unix_timestamp(), 1_700_000_001);
    let asked = network.requests.lock().unwrap().join("");
    for part in [r#""MaxNumberOfMessages":7"#, r#""WaitTimeSeconds":20"#, r#""VisibilityTimeout":60"#] {
        assert!(asked.contains(part), "{part} is not in {asked}");
    }
}

#[tokio::test]
async fn an_empty_queue_is_an_empty_answer() {
    let (queue, _) = queue(Answer::Json { status: 200, body: "{}" });
    assert!(queue.receive(10, LONG_POLL, MINUTE).await.unwrap().is_empty());
}

#[tokio::test]
async fn errors_of_the_service_are_named() {
    use QueueErrorKind::{AccessDenied, InvalidCredentials, QueueNotFound, Refused, Throttled, Unavailable};
    let cases = [
        (400, "com.amazonaws.sqs#QueueDoesNotExist", QueueNotFound),
        (400, "AWS.SimpleQueueService.NonExistentQueue", QueueNotFound),
        (400, "com.amazonaws.sqs#InvalidAddress", QueueNotFound),
        (403, "com.amazon.coral.service#AccessDeniedException", AccessDenied),
        (400, "AccessDenied", AccessDenied),
        (400, "com.amazonaws.sqs#KmsAccessDenied", AccessDenied),
        (400, "KMS.AccessDeniedException", AccessDenied),
        (403, "SomethingNew", AccessDenied),
        (403, "com.amazon.coral.service#UnrecognizedClientException", InvalidCredentials),
        (403, "InvalidClientTokenId", InvalidCredentials),
        (403, "com.amazon.coral.service#InvalidSignatureException", InvalidCredentials),
        (403, "ExpiredToken", InvalidCredentials),
        (400, "com.amazonaws.sqs#RequestThrottled", Throttled),
        (400, "ThrottlingException", Throttled),
        (403, "com.amazonaws.sqs#OverLimit", Throttled),
        (503, "ServiceUnavailable", Unavailable),
        (500, "", Unavailable),
        (400, "com.amazonaws.sqs#UnsupportedOperation", Refused),
    ];
    for (status, code, kind) in cases {
        let body = format!(r#"{{"__type": "{code}", "message": "words"}}"#).leak();
        let error = receive_error(Answer::Json { status, body }).await;
        assert_eq!(error.kind(), kind, "{status} {code}");
        assert!(!error.remedy().is_empty());
    }
}

#[tokio::test]
async fn a_queue_that_cannot_be_reached_is_unavailable() {
    assert_eq!(receive_error(Answer::NoConnection).await.kind(), QueueErrorKind::Unavailable);
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_unavailable() {
    let garbage = Answer::Json { status: 200, body: "<html>a proxy</html>" };
    assert_eq!(receive_error(garbage).await.kind(), QueueErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_receive_waits_longer_than_its_long_poll_and_not_for_ever() {
    let begun = tokio::time::Instant::now();
    assert_eq!(receive_error(Answer::Silence).await.kind(), QueueErrorKind::Unavailable);
    assert!(begun.elapsed() > LONG_POLL && begun.elapsed() <= MINUTE, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_short_call_fails_within_the_margin_of_a_lease() {
    let begun = tokio::time::Instant::now();
    let (queue, _) = queue(Answer::Silence);
    assert!(queue.delete(&[ReceiptHandle::new("r")]).await.is_err());
    assert!(begun.elapsed() <= Duration::from_secs(12), "{:?}", begun.elapsed());
}

#[derive(Debug)]
struct NobodyThere;

impl ProvideCredentials for NobodyThere {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("no provider had any")))
    }
}

#[tokio::test]
async fn missing_credentials_are_named_and_say_what_to_do() {
    let network = Network { answer: Answer::Json { status: 200, body: "{}" }, requests: Arc::default() };
    let client = Client::from_conf(config(&network).credentials_provider(NobodyThere).build());
    let error = SqsQueue::new(&client, URL).receive(10, LONG_POLL, MINUTE).await.unwrap_err();
    assert_eq!(error.kind(), QueueErrorKind::MissingCredentials, "{error:?}");
    assert!(error.remedy().contains("AWS_ACCESS_KEY_ID"));
}

#[tokio::test]
async fn each_entry_of_a_batch_delete_has_its_own_outcome() {
    let body = r#"{"Successful": [{"Id": "1"}], "Failed": [
        {"Id": "0", "Code": "ReceiptHandleIsInvalid", "SenderFault": true},
        {"Id": "2", "Code": "InternalError", "SenderFault": false}]}"#;
    let (queue, _) = queue(Answer::Json { status: 200, body });
    let receipts: Vec<_> = (0..4).map(|number| ReceiptHandle::new(format!("r-{number}"))).collect();
    let outcomes = queue.delete(&receipts).await.unwrap();
    assert_eq!(outcomes[0], Err(EntryFailure::Gone { code: "ReceiptHandleIsInvalid".to_owned() }));
    assert_eq!(outcomes[1], Ok(()));
    assert_eq!(outcomes[2], Err(EntryFailure::Failed { code: "InternalError".to_owned() }));
    assert!(matches!(outcomes[3], Err(EntryFailure::Failed { .. })), "an unmentioned entry is not done");
}

#[tokio::test]
async fn a_delay_is_rounded_up_to_whole_seconds() {
    let body = r#"{"Successful": [{"Id": "0"}, {"Id": "1"}], "Failed": []}"#;
    let (queue, network) = queue(Answer::Json { status: 200, body });
    let change = |millis| VisibilityChange {
        receipt: ReceiptHandle::new("r"),
        hidden_for: Duration::from_millis(millis),
    };
    assert_eq!(queue.set_visibility(&[change(1), change(0)]).await.unwrap(), [Ok(()), Ok(())]);
    let asked = network.requests.lock().unwrap().join("");
    assert!(
        asked.contains(r#""VisibilityTimeout":1"#) && asked.contains(r#""VisibilityTimeout":0"#),
        "{asked}"
    );
}

#[tokio::test]
async fn the_depth_counts_what_is_visible_and_what_is_in_flight() {
    let body = r#"{"Attributes": {"ApproximateNumberOfMessages": "5",
        "ApproximateNumberOfMessagesNotVisible": "2", "ApproximateNumberOfMessagesDelayed": "1"}}"#;
    let (queue, _) = queue(Answer::Json { status: 200, body });
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.visible, depth.in_flight, depth.delayed), (5, 2, 1));
}
