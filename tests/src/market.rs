//! The simulator as a process of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use reqwest::{Client, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::environment;

/// A jump of the clock is answered only when all has followed and fallen due.
const TIMEOUT: Duration = Duration::from_mins(1);
const PAGE: usize = 1_000;

/// The simulator as a process of its own, used by its control API; killed when dropped.
#[derive(Debug)]
pub struct Market {
    process: Child,
    // Nobody reads on, but a pipe without a reader would end who writes to it.
    _stdout: ChildStdout,
    folder: TempDir,
    url: String,
    http: Client,
}

/// What the two queues hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queues {
    /// What notifications come to.
    pub notifications: Depth,
    /// What was received too often.
    pub dead_letters: Depth,
}

/// What a queue holds, and what was ever done with it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Depth {
    /// Messages that can be received.
    pub visible: u64,
    /// Messages that somebody has received.
    pub in_flight: u64,
    /// Messages that are held back.
    pub delayed: u64,
    /// How many were ever put into it.
    pub put: u64,
    /// How often messages were ever received.
    pub received: u64,
}

/// Buyers who act at random until so many notifications were published.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Crowd {
    /// How many notifications it has made.
    pub published: u64,
    /// Whether it has acted.
    pub done: bool,
}

/// A subscription as the marketplace holds it.
#[derive(Clone, Debug, Deserialize)]
pub struct BookEntry {
    /// Its id, such as `simsearch/customer/…`.
    pub id: String,
    /// Where it stands.
    pub standing: String,
    /// When the last hour is over, while it runs.
    pub deadline: Option<String>,
}

/// What was published.
#[derive(Clone, Debug, Deserialize)]
pub struct Published {
    number: u64,
    /// The notification's id.
    pub id: String,
    /// What it says, such as `subscribe-success`.
    pub what: String,
    /// About which subscription.
    pub subscription: String,
    /// When.
    pub at: String,
    /// How often it was delivered.
    pub copies: u64,
}

impl Depth {
    /// All messages.
    pub fn total(self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

impl Market {
    /// Starts it; the seed makes its ids and its faults.
    pub fn start(seed: u64) -> Self {
        Self::start_with(seed, &[])
    }

    /// The same with further arguments of `simulate`, such as `--contract`.
    pub fn start_with(seed: u64, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("cannot make a folder for the simulator");
        let log =
            File::create(folder.path().join("simulator.log")).expect("cannot write the simulator's log");
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig=KILL").arg(environment("STALLKEEPER_TEST_BINARY"));
        command.args(["simulate", "--listen", "127.0.0.1:0", "--json", "--seed", &seed.to_string()]);
        command.arg("--write-config").arg(folder.path()).args(args);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        let mut process =
            command.stdout(Stdio::piped()).stderr(log).spawn().expect("cannot start the simulator");
        let mut stdout = BufReader::new(process.stdout.take().expect("its output is a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("cannot read what the simulator says");
        let url = serde_json::from_str::<Value>(&line)
            .ok()
            .and_then(|told| told.get("url")?.as_str().map(str::to_owned))
            .unwrap_or_else(|| {
                panic!("the simulator does not say where it is, but {line:?}:\n{}", log_of(&folder))
            });
        let http = Client::builder().timeout(TIMEOUT).no_proxy().build().expect("cannot make a client");
        Self { process, _stdout: stdout.into_inner(), folder, url, http }
    }

    /// Where it answers, without a closing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The configuration that it wrote for workers.
    pub fn config(&self) -> String {
        fs::read_to_string(self.folder.path().join("stallkeeper.toml"))
            .expect("the simulator wrote no configuration")
    }

    /// What the notifications' queue and its dead letters hold.
    pub async fn queues(&self) -> Queues {
        #[derive(Deserialize)]
        struct Named {
            name: String,
            #[serde(flatten)]
            depth: Depth,
        }
        let queues: Vec<Named> = self.get("queues").await;
        let depth = |name: &str| {
            let queue = queues.iter().find(|queue| queue.name == name);
            queue.unwrap_or_else(|| panic!("the simulator has no queue {name}")).depth
        };
        Queues { notifications: depth("stallkeeper"), dead_letters: depth("stallkeeper-dead-letters") }
    }

    /// Lets a crowd come that makes so many notifications.
    pub async fn start_crowd(&self, notifications: u64, seed: u64, span: Option<Duration>) {
        let span_secs = span.map(|span| span.as_secs());
        let plan = json!({ "notifications": notifications, "seed": seed, "span_secs": span_secs });
        self.call::<Value>(Method::POST, "crowd", Some(plan)).await;
    }

    /// How far the crowd is.
    pub async fn crowd(&self) -> Crowd {
        self.get("crowd").await
    }

    /// Lets things go wrong from now on.
    pub async fn set_faults(&self, faults: Value) {
        self.call::<Value>(Method::PUT, "faults", Some(faults)).await;
    }

    /// Lets a buyer act, and gives the id of the subscription in the books.
    pub async fn act(&self, act: &str, buyer: &str, product: &str) -> String {
        let body = json!({ "act": act, "buyer": buyer, "product": product });
        let done = self.call::<Value>(Method::POST, "acts", Some(body)).await;
        let id = done.get("subscription").and_then(|entry| entry.get("id")).and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("an act names its subscription: {done}")).to_owned()
    }

    /// Changes all that a contract entitles to, by dimension.
    pub async fn change_entitlements(&self, buyer: &str, product: &str, quantities: Value) {
        let act = json!({
            "act": "change-entitlements", "buyer": buyer, "product": product, "quantities": quantities,
        });
        self.call::<Value>(Method::POST, "acts", Some(act)).await;
    }

    /// Lets questions about entitlements go wrong from now on.
    pub async fn set_entitlement_faults(&self, faults: Value) {
        self.call::<Value>(Method::PUT, "faults/entitlements", Some(faults)).await;
    }

    /// What a buyer's browser would bring to the seller's registration page.
    pub async fn token(&self, buyer: &str, product: &str) -> String {
        #[derive(Deserialize)]
        struct Issued {
            token: String,
        }
        let whose = json!({ "buyer": buyer, "product": product });
        self.call::<Issued>(Method::POST, "tokens", Some(whose)).await.token
    }

    /// Lets the resolving of tokens go wrong from now on.
    pub async fn set_registration_faults(&self, faults: Value) {
        self.call::<Value>(Method::PUT, "faults/registration", Some(faults)).await;
    }

    /// Puts the clock to a moment, in RFC 3339.
    pub async fn set_clock(&self, to: &str) {
        self.call::<Value>(Method::POST, "clock", Some(json!({ "set": to }))).await;
    }

    /// Moves the clock on; what falls due meanwhile has been published when this returns.
    pub async fn advance(&self, by: Duration) {
        self.call::<Value>(Method::POST, "clock", Some(json!({ "advance_secs": by.as_secs() }))).await;
    }

    /// The marketplace's time, in RFC 3339.
    pub async fn now(&self) -> String {
        #[derive(Deserialize)]
        struct Reading {
            now: String,
        }
        self.get::<Reading>("clock").await.now
    }

    /// Every subscription as the marketplace holds it.
    pub async fn books(&self) -> Vec<BookEntry> {
        #[derive(Deserialize)]
        struct Page {
            subscriptions: Vec<BookEntry>,
            next: Option<String>,
        }
        let (mut books, mut after) = (Vec::new(), String::new());
        loop {
            let page: Page = self.get(&format!("books?limit={PAGE}{after}")).await;
            books.extend(page.subscriptions);
            let Some(next) = page.next else { return books };
            after = format!("&after={next}");
        }
    }

    /// All that was published.
    pub async fn published(&self) -> Vec<Published> {
        #[derive(Deserialize)]
        struct Page {
            notifications: Vec<Published>,
        }
        let mut published: Vec<Published> = Vec::new();
        loop {
            let after = published.last().map_or(0, |last| last.number);
            let page: Page = self.get(&format!("notifications?limit={PAGE}&after={after}")).await;
            if page.notifications.is_empty() {
                return published;
            }
            published.extend(page.notifications);
        }
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> T {
        let url = format!("{}/control/{path}", self.url);
        let mut call = self.http.request(method, &url);
        if let Some(body) = body {
            call = call.json(&body);
        }
        let answer = call.send().await;
        let answer = answer
            .unwrap_or_else(|error| panic!("{url} does not answer ({error:?}):\n{}", log_of(&self.folder)));
        let (status, text) = (answer.status(), answer.text().await.expect("the answer breaks off"));
        assert!(status.is_success(), "{url} answers {status}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url}: {error} in {text}"))
    }
}

impl Drop for Market {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn log_of(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("simulator.log")).unwrap_or_default()
}
