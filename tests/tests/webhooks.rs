//! How the app is told of changes: what arrives, whatever its receiver does.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken set-up fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use stallkeeper_tests::{Database, Installation, Stall, eventually, run_pinned};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_mins(1);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// Verifies what was received with the published library, under each secret, and that a changed body fails.
const VERIFY: &str = r"
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
received = json.load(open(sys.argv[1]))
for message in received:
    for secret in sys.argv[2:]:
        webhook = Webhook(secret)
        webhook.verify(message['body'], message['headers'])
        try:
            webhook.verify(message['body'] + ' ', message['headers'])
        except WebhookVerificationError:
            continue
        raise SystemExit('a changed body was taken for a signed one')
print(len(received))
";

/// One request as it came.
#[derive(Clone, Debug)]
struct Received {
    endpoint: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Received {
    fn body(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The app's receiver, which has a fault for each of its paths.
#[derive(Clone, Default)]
struct Receiver {
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// It serves for as long as the set is kept.
    async fn start() -> (Self, SocketAddr, JoinSet<()>) {
        let receiver = Self::default();
        let routes = Router::new().route("/{endpoint}", post(receive)).with_state(receiver.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        (receiver, address, serving)
    }

    /// What came to an endpoint, in order.
    fn at(&self, endpoint: &str) -> Vec<Received> {
        let received = self.received.lock().unwrap();
        received.iter().filter(|one| one.endpoint == endpoint).cloned().collect()
    }

    /// The events that came to an endpoint, in order.
    fn events(&self, endpoint: &str) -> Vec<String> {
        self.at(endpoint).iter().map(|one| one.body()["type"].as_str().unwrap().to_owned()).collect()
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    Path(endpoint): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let texts = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let one = Received { endpoint: endpoint.clone(), headers: texts.collect(), body };
    let is_first = receiver.at(&endpoint).is_empty();
    let event = one.body()["type"].clone();
    receiver.received.lock().unwrap().push(one);
    match endpoint.as_str() {
        "slow" if is_first => std::future::pending().await,
        "broken" if is_first => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "moved" if is_first => (StatusCode::FOUND, [(header::LOCATION, "/elsewhere")]).into_response(),
        "hanging" => std::future::pending().await,
        "stuck" if event != "subscription.ending" => std::future::pending().await,
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

/// Closes its first connection without an answer, and hands all others on; it gives its own address.
async fn closing_first(to: SocketAddr, serving: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serving.spawn(async move {
        let mut handed_on = JoinSet::new();
        drop(listener.accept().await.unwrap());
        loop {
            let (mut inward, _) = listener.accept().await.unwrap();
            let mut outward = TcpStream::connect(to).await.unwrap();
            handed_on.spawn(async move { tokio::io::copy_bidirectional(&mut inward, &mut outward).await });
        }
    });
    address
}

fn endpoint(name: &str, url: &str, events: &str) -> String {
    format!(
        "[[webhook]]\nname = \"{name}\"\nurl = \"{url}\"\nsecrets = [\"{SECRET}\", \"{OLD_SECRET}\"]\n\
         events = [\"{events}\"]\ntimeout_secs = 1\nallow_private = true\n"
    )
}

fn installation(stall: &Stall, database: &Database, endpoints: &[String]) -> Installation {
    let installation =
        Installation::new(&format!("{}{}", stall.config(""), endpoints.concat()), &database.url());
    installation.run(&["config", "check"]).expect_success();
    installation.run(&["migrate"]).expect_success();
    installation
}

fn attempts(installation: &Installation, endpoint: &str) -> Vec<Value> {
    let listed = installation.run(&["webhooks", "list", "--endpoint", endpoint, "--json"]).json();
    listed["attempts"].as_array().unwrap().clone()
}

/// What the log says of the attempts at an endpoint, the oldest first: the status, or why there is none.
fn outcomes(installation: &Installation, endpoint: &str) -> Vec<String> {
    let outcome = |attempt: &Value| match attempt["status"].as_u64() {
        Some(status) => status.to_string(),
        None => attempt["error"].as_str().unwrap().to_owned(),
    };
    attempts(installation, endpoint).iter().rev().map(outcome).collect()
}

async fn deliveries_survive_every_fault_of_a_receiver(database: Database) {
    let (receiver, address, mut serving) = Receiver::start().await;
    let closing = closing_first(address, &mut serving).await;
    let stall = Stall::open(1).await;
    let names = ["slow", "broken", "moved"];
    let mut endpoints = names
        .map(|name| endpoint(name, &format!("http://{address}/{name}"), "subscription.unclaimed"))
        .to_vec();
    endpoints.push(endpoint("closed", &format!("http://{closing}/closed"), "subscription.unclaimed"));
    // A name that leads inside, and nothing says that it may.
    let inner = endpoint("inner", "https://localhost:1/", "*").replace("allow_private = true\n", "");
    endpoints.push(inner);
    let installation = installation(&stall, &database, &endpoints);
    let mut worker = installation.start_ready().await;
    stall.send(&[stall.products[0].envelope("subscribe-success", "ada").text()]).await;

    let all = ["slow", "broken", "moved", "closed"];
    eventually("every endpoint took the message in the end", PATIENCE, async || {
        all.iter().all(|name| outcomes(&installation, name).last().is_some_and(|last| last == "204"))
    })
    .await;
    assert!(!worker.has_ended());
    let first = |name: &str| outcomes(&installation, name)[0].clone();
    assert_eq!(first("slow"), "no answer in time");
    assert_eq!(first("broken"), "answered 500");
    assert!(first("moved").starts_with("answered 302: a redirect"), "{}", first("moved"));
    assert!(first("closed").starts_with("the endpoint could not be reached"), "{}", first("closed"));
    assert!(first("inner").contains("this machine"), "{}", first("inner"));
    assert_eq!(receiver.at("elsewhere").len(), 0, "a redirect was followed");
    for name in names {
        let ids: BTreeSet<_> =
            receiver.at(name).iter().map(|one| one.headers["webhook-id"].clone()).collect();
        let bodies: BTreeSet<_> = receiver.at(name).iter().map(|one| one.body.clone()).collect();
        assert_eq!((ids.len(), bodies.len()), (1, 1), "the attempts at {name} are one message");
    }
    verify(&installation, &receiver);
}

/// By the library that is published for Python.
fn verify(installation: &Installation, receiver: &Receiver) {
    let requests = receiver.received.lock().unwrap();
    let list: Vec<_> =
        requests.iter().map(|one| json!({ "headers": one.headers, "body": one.body })).collect();
    assert!(list.len() > 3, "{list:?}");
    let file = installation.write("received.json", &json!(list).to_string());
    let verified = run_pinned("python", &["-c", VERIFY, file.to_str().unwrap(), SECRET, OLD_SECRET]);
    assert_eq!(verified.expect_success().stdout.trim(), list.len().to_string());
}

async fn an_ending_reaches_the_app_while_an_older_delivery_keeps_failing(database: Database) {
    let (receiver, address, _serving) = Receiver::start().await;
    let stall = Stall::open(1).await;
    let app = endpoint("app", &format!("http://{address}/stuck"), "subscription.*");
    let installation = installation(&stall, &database, &[app]);
    let _worker = installation.start_ready().await;
    let product = &stall.products[0];
    stall.send(&[product.envelope("subscribe-success", "ada").text()]).await;
    eventually("an older delivery fails", PATIENCE, async || !attempts(&installation, "app").is_empty())
        .await;
    stall.send(&[product.envelope("unsubscribe-pending", "ada").text()]).await;
    eventually("the app is told that the window is open", PATIENCE, async || {
        receiver.events("stuck").iter().any(|event| event == "subscription.ending")
    })
    .await;
    let ending = receiver.at("stuck").into_iter().find(|one| one.body()["type"] == "subscription.ending");
    let data = ending.unwrap().body()["data"].clone();
    assert_eq!((&data["state"], &data["access"]), (&json!("ending"), &json!("limited")));
    assert!(data["deadline"].is_string(), "{data}");
    let older = "jobs WHERE kind = 'deliver' AND state = 'due'";
    assert_eq!(database.count(older).await, 1, "the older delivery is still tried");
    let taken: Vec<_> =
        attempts(&installation, "app").into_iter().filter(|attempt| attempt["status"] == 204).collect();
    assert_eq!(taken.iter().map(|attempt| &attempt["event"]).collect::<Vec<_>>(), ["subscription.ending"]);
}

async fn an_endpoint_that_hangs_keeps_no_ending_from_another(database: Database) {
    let (receiver, address, _serving) = Receiver::start().await;
    let stall = Stall::open(1).await;
    let [hanging, app] = ["hanging", "app"]
        .map(|name| endpoint(name, &format!("http://{address}/{name}"), "subscription.ending"));
    let hanging = hanging.replace("timeout_secs = 1\n", "timeout_secs = 30\n");
    let installation = installation(&stall, &database, &[hanging, app]);
    let _worker = installation.start_ready().await;
    // More than one lane attempts at once.
    let buyers: Vec<String> = (0..80).map(|number| format!("buyer-{number}")).collect();
    for action in ["subscribe-success", "unsubscribe-pending"] {
        let text = |buyer: &String| stall.products[0].envelope(action, buyer).text();
        stall.send(&buyers.iter().map(text).collect::<Vec<_>>()).await;
    }
    eventually("the app is told of every window", PATIENCE, async || {
        receiver.events("app").len() == buyers.len()
    })
    .await;
    assert!(attempts(&installation, "hanging").is_empty(), "nobody waited for an attempt to time out");
}

async fn a_test_and_a_replay_reach_the_app(database: Database) {
    let (receiver, address, _serving) = Receiver::start().await;
    let stall = Stall::open(1).await;
    let app = endpoint("app", &format!("http://{address}/app"), "subscription.*");
    let installation = installation(&stall, &database, &[app]);
    installation.run(&["webhooks", "test", "app"]).expect_success();
    assert_eq!(receiver.events("app"), ["test"]);
    assert_eq!(installation.run(&["webhooks", "test", "crm"]).status, Some(1));

    let _worker = installation.start_ready().await;
    stall.send(&[stall.products[0].envelope("subscribe-success", "ada").text()]).await;
    eventually("it is delivered", PATIENCE, async || {
        outcomes(&installation, "app") == ["204"] && database.count("jobs WHERE kind = 'deliver'").await == 0
    })
    .await;
    let id = attempts(&installation, "app")[0]["message"].as_str().unwrap().to_owned();
    installation.run(&["webhooks", "replay", &id, "--by", "mia"]).expect_success();
    eventually("it is delivered again", PATIENCE, async || receiver.at("app").len() == 3).await;
    let sent = receiver.at("app");
    assert_eq!(sent[1].headers["webhook-id"], sent[2].headers["webhook-id"]);
    assert_eq!(sent[1].body, sent[2].body);
    assert_eq!(installation.run(&["webhooks", "replay", "msg_0", "--by", "mia"]).status, Some(1));
    assert_eq!(
        database.count("history WHERE what = 'delivery-replayed' AND actor = 'operator:mia'").await,
        1
    );
}

async fn the_same_is_published_to_a_topic(database: Database) {
    let stall = Stall::open(1).await;
    let topic = stall.moto.create_topic(&format!("events-{}", stall.products[0].code)).await;
    let queue = stall.moto.create_queue(Duration::from_secs(30)).await;
    stall.moto.subscribe(&topic, &queue).await;
    let section = format!(
        "[sns_events]\ntopic_arn = \"{topic}\"\nevents = [\"subscription.*\"]\nendpoint_url = \"{}\"\n",
        stall.moto.url()
    );
    let installation = installation(&stall, &database, &[section]);
    let _worker = installation.start_ready().await;
    stall.send(&[stall.products[0].envelope("subscribe-success", "ada").text()]).await;
    let text = stall.moto.take(&queue.url, 1).await.remove(0);
    let envelope: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(envelope["MessageAttributes"]["type"]["Value"], "subscription.unclaimed");
    let body: Value = serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap();
    assert_eq!(body["data"]["subscription"], stall.products[0].key("ada"));
    eventually("the log has it", PATIENCE, async || outcomes(&installation, "sns") == ["200"]).await;
}

macro_rules! on_both_databases {
    ($($name:ident),* $(,)?) => {
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(stallkeeper_tests::Database::postgres().await).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(stallkeeper_tests::Database::sqlite()).await;
            })*
        }
    };
}

on_both_databases!(
    deliveries_survive_every_fault_of_a_receiver,
    an_ending_reaches_the_app_while_an_older_delivery_keeps_failing,
    an_endpoint_that_hangs_keeps_no_ending_from_another,
    a_test_and_a_replay_reach_the_app,
    the_same_is_published_to_a_topic,
);
