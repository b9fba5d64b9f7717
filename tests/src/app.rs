//! The seller's app, which calls the API.

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::Worker;

/// One system of the seller's, with the token that it calls with.
#[derive(Clone, Debug)]
pub struct App {
    http: Client,
    token: Option<String>,
}

/// What the API answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// The body; null where there is none, or no JSON.
    pub body: Value,
}

impl App {
    /// One that calls with a token, or with none.
    pub fn new(token: Option<&str>) -> Self {
        let http = Client::builder().no_proxy().build().expect("cannot make a client");
        Self { http, token: token.map(str::to_owned) }
    }

    /// Reports usage.
    pub async fn report(&self, worker: &Worker, events: &[Value]) -> Answer {
        self.report_to(&worker.internal_url(), events).await
    }

    /// The same to a worker's internal URL, as from a task that does not hold the worker.
    pub async fn report_to(&self, internal_url: &str, events: &[Value]) -> Answer {
        let body = Value::from(events).to_string();
        self.send_to(Method::POST, &format!("{internal_url}/v1/usage"), Some(body)).await
    }

    /// Reports usage, every event of which has to be counted.
    pub async fn report_all(&self, worker: &Worker, events: &[Value]) {
        let answer = self.report(worker, events).await;
        assert_eq!(answer.statuses(), vec!["counted"; events.len()], "{answer:?}");
    }

    /// Puts a watermark.
    pub async fn put_watermark(&self, worker: &Worker, watermark: &Value) -> Answer {
        self.send(worker, Method::PUT, "/v1/watermarks", Some(watermark.to_string())).await
    }

    /// Reads something, such as `/v1/windows`.
    pub async fn get(&self, worker: &Worker, path: &str) -> Answer {
        self.send(worker, Method::GET, path, None).await
    }

    /// Sends a body as it is; panics where nothing answers.
    pub async fn send(&self, worker: &Worker, method: Method, path: &str, body: Option<String>) -> Answer {
        self.send_to(method, &format!("{}{path}", worker.internal_url()), body).await
    }

    async fn send_to(&self, method: Method, url: &str, body: Option<String>) -> Answer {
        let mut call = self.http.request(method, url);
        if let Some(token) = &self.token {
            call = call.bearer_auth(token);
        }
        if let Some(body) = body {
            call = call.header("content-type", "application/json").body(body);
        }
        let answer = call.send().await.unwrap_or_else(|error| panic!("{url} does not answer: {error:?}"));
        let retry_after =
            answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let status = answer.status();
        let text = answer.text().await.unwrap_or_else(|error| panic!("{url} breaks off: {error:?}"));
        Answer { status: status.as_u16(), retry_after, body: serde_json::from_str(&text).unwrap_or_default() }
    }
}

impl Answer {
    /// The body of an answer that all went well; panics with it otherwise.
    pub fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        self.body
    }

    /// The results of a report, one for each event.
    pub fn results(&self) -> &[Value] {
        let results = self.body.get("results").and_then(Value::as_array);
        results.unwrap_or_else(|| panic!("no results: {self:?}"))
    }

    /// The word of each result: `counted`, `known`, `refused` and the like.
    pub fn statuses(&self) -> Vec<&str> {
        self.texts("status")
    }

    /// The reason of each result; empty where it has none.
    pub fn reasons(&self) -> Vec<&str> {
        self.texts("reason")
    }

    fn texts(&self, field: &str) -> Vec<&str> {
        let text = |result| Value::as_str(Value::get(result, field)?);
        self.results().iter().map(|result| text(result).unwrap_or_default()).collect()
    }
}
