//! Between a worker and the simulator.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use reqwest::Client;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

const METERING: &str = "AWSMPMeteringService.BatchMeterUsage";
const BODY_BYTES_MAX: usize = 1 << 21;

/// What a worker's `simulator_url` may name in place of the simulator: it hands every call on, remembers the
/// metering calls, and can hold the answer of one back. Stops when dropped.
///
/// It has a thread of its own, as the commands that go through it keep the test's waiting.
///
/// The simulator does not wait for a worker behind it when its clock is moved, as that one may be dead.
#[derive(Debug)]
pub struct Tap {
    url: String,
    shared: Arc<Shared>,
    held: tokio::sync::Mutex<mpsc::UnboundedReceiver<HeldAnswer>>,
    _stop: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    target: String,
    http: Client,
    state: Mutex<Watching>,
    holding: mpsc::UnboundedSender<HeldAnswer>,
}

#[derive(Debug, Default)]
struct Watching {
    /// How many answers are let through before one is held; none is where this is nothing.
    hold_after: Option<usize>,
    calls: Vec<Value>,
}

/// The marketplace has answered a metering call, and the worker has not heard it; it goes on when dropped.
#[derive(Debug)]
pub struct HeldAnswer {
    /// The marketplace's answer.
    pub answer: Value,
    _release: oneshot::Sender<()>,
}

impl Tap {
    /// In front of whatever answers at a URL.
    pub async fn start(target: &str) -> Self {
        let (holding, held) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            http: Client::builder().no_proxy().build().expect("cannot make a client"),
            state: Mutex::default(),
            holding,
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("no loopback port is free");
        let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
        let listener = listener.into_std().expect("a listener can be handed over");
        let (stop, stopped) = oneshot::channel();
        let router = Router::new().fallback(hand_on).with_state(Arc::clone(&shared));
        std::thread::spawn(move || serve(listener, router, stopped));
        Self { url, shared, held: tokio::sync::Mutex::new(held), _stop: stop }
    }

    /// Where it answers, without a closing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Holds the answer of one metering call back that the marketplace has done, after letting so many through.
    pub fn hold_after(&self, answers: usize) {
        self.shared.watching().hold_after = Some(answers);
    }

    /// Waits for the answer that is held.
    pub async fn held(&self) -> HeldAnswer {
        self.held.lock().await.recv().await.expect("the tap holds the sender")
    }

    /// The metering calls until now, as they were sent.
    pub fn calls(&self) -> Vec<Value> {
        self.shared.watching().calls.clone()
    }

    /// The records of all metering calls until now, each as one text.
    pub fn records(&self) -> Vec<String> {
        let of = |call: &Value| call.get("UsageRecords").and_then(Value::as_array).cloned();
        self.calls().iter().filter_map(of).flatten().map(|record| record.to_string()).collect()
    }
}

impl Shared {
    fn watching(&self) -> MutexGuard<'_, Watching> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the simulator finds the same, by a worker that it waits for at no move of the clock.
    fn url_of(&self, uri: &Uri) -> String {
        let query = uri.query().unwrap_or_default().split('&').filter(|part| !part.starts_with("follower="));
        format!("{}{}?{}", self.target, uri.path(), query.collect::<Vec<_>>().join("&"))
    }

    /// Waits where this is the answer to hold, until the test lets it go.
    async fn pass(&self, answer: &[u8]) {
        let is_the_one = {
            let mut watching = self.watching();
            let left = watching.hold_after;
            watching.hold_after = left.and_then(|left| left.checked_sub(1));
            left == Some(0)
        };
        if is_the_one {
            let (release, released) = oneshot::channel();
            let answer = serde_json::from_slice(answer).unwrap_or_default();
            // Without a test that takes it there is nothing to wait for.
            let _gone = self.holding.send(HeldAnswer { answer, _release: release });
            let _released = released.await;
        }
    }

    async fn forward(&self, method: Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Option<Response> {
        let mut headers = headers;
        for own in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            headers.remove(own);
        }
        let call = self.http.request(method, self.url_of(uri)).headers(headers).body(body);
        let answer = call.send().await.ok()?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        headers.remove(header::TRANSFER_ENCODING);
        let body = answer.bytes().await.ok()?;
        Some((status, headers, Body::from(body)).into_response())
    }
}

/// Serves until the other end of `stopped` is gone.
fn serve(listener: std::net::TcpListener, router: Router, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("cannot make a runtime").block_on(async {
        let listener = TcpListener::from_std(listener).expect("a listener can be taken over");
        tokio::select! {
            served = axum::serve(listener, router) => served.expect("the tap broke"),
            _gone = stopped => {}
        }
    });
}

async fn hand_on(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let is_metering = parts.headers.get("x-amz-target").is_some_and(|target| target == METERING);
    if is_metering {
        let call = serde_json::from_slice(&body).unwrap_or_default();
        shared.watching().calls.push(call);
    }
    // As a connection that broke is to the worker: it does not learn what became of its call.
    let Some(answer) = shared.forward(parts.method, &parts.uri, parts.headers, body).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    if !is_metering || answer.status() != StatusCode::OK {
        return answer;
    }
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
    shared.pass(&body).await;
    (parts, body).into_response()
}
