//! A seller with one subscription, a database and a clock that stands at noon.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use secrecy::SecretString;
use serde_json::Value;
use stallkeeper::commands::{metering, subscriptions, usage};
use stallkeeper::config::Config;
use stallkeeper_ledger::Answer;
use stallkeeper_lifecycle::{EventId, Fact, FactKind, SubscriptionKey, Timestamp, Trial};
use stallkeeper_persistence::usage::{AttemptOutcome, AttemptResult, Unsent, finish, look_at, start};
use stallkeeper_persistence::{Content, InboxKey, Incoming, Received, Store, commit};
use stallkeeper_persistence_sqlite::{Options, SqliteStore};
use stallkeeper_runtime::{FakeClock, WallClock};
use tempfile::TempDir;
use time::OffsetDateTime;

pub(crate) const KEY: &str = "aws/prod1/customer/X01";

const CONFIG: &str = r#"signature.policy = "off"
[[marketplace]]
name = "aws"
kind = "aws"
queue_url = "http://127.0.0.1:5000/123456789012/stall"
topic_arns = ["arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-prod1"]
[[product]]
key = "search"
[[product.listing]]
marketplace = "aws"
code = "prod1"
zero_records = "skip"
[[product.dimension]]
name = "requests"
scale = 2
api_names = { aws = "Requests" }
"#;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(subcommand)]
    Subscriptions(subscriptions::SubscriptionsCommand),
    #[command(subcommand)]
    Usage(usage::UsageCommand),
    #[command(subcommand)]
    Metering(metering::MeteringCommand),
}

pub(crate) struct Stall {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) config: Config,
    pub(crate) clock: FakeClock,
    folder: TempDir,
}

impl Stall {
    /// The tenant acme is subscribed since 10:30 and bound.
    pub(crate) async fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let url = SecretString::from(format!("sqlite://{}", folder.path().join("stall.db").display()));
        let store = SqliteStore::connect(&url, Options::default()).await.unwrap();
        store.migrate().await.unwrap();
        let noon = OffsetDateTime::try_from(at("2026-03-01T12:00:00Z")).unwrap();
        let config = Config::parse(Some(("config.toml", CONFIG)), []).unwrap();
        let stall = Self { store: Arc::new(store), config, clock: FakeClock::new(noon), folder };
        stall.subscribed().await;
        stall.run(&format!("subscriptions rebind {KEY} --tenant acme --by ann")).await;
        stall
    }

    async fn subscribed(&self) {
        let event: EventId = "e1".parse().unwrap();
        let kind = FactKind::SubscribeSuccess { offer: None, trial: Trial::No };
        let content = Content::Received(Received {
            inbox: InboxKey { marketplace: "aws".parse().unwrap(), id: event.clone() },
            key: key(),
            agreement: None,
            fact: Fact::at_time(at("2026-03-01T10:30:00Z"), event, kind),
            body: Vec::new(),
            replays: None,
        });
        let incoming = Incoming { received_at: self.now(), content };
        commit(&*self.store, &[incoming], self.now(), &self.config).await.unwrap();
    }

    /// Runs a command line and answers what it wrote and how it ended.
    pub(crate) async fn try_run(&self, line: &str) -> (String, anyhow::Result<()>) {
        let words = std::iter::once("stallkeeper").chain(line.split_whitespace());
        let mut out = Vec::new();
        let (store, clock): (_, Arc<dyn WallClock>) = (self.store.clone(), Arc::new(self.clock.clone()));
        let ended = match Line::try_parse_from(words).unwrap().command {
            Command::Subscriptions(command) => {
                subscriptions::run(command, &self.config, store, clock, &mut out).await
            }
            Command::Usage(command) => usage::run(command, &self.config, store, clock, &mut out).await,
            Command::Metering(command) => metering::run(command, &self.config, store, clock, &mut out).await,
        };
        (String::from_utf8(out).unwrap(), ended)
    }

    pub(crate) async fn run(&self, line: &str) -> String {
        let (out, ended) = self.try_run(line).await;
        ended.unwrap();
        out
    }

    pub(crate) async fn run_json(&self, line: &str) -> Value {
        serde_json::from_str(&self.run(line).await).unwrap()
    }

    pub(crate) async fn refused(&self, line: &str) -> String {
        self.try_run(line).await.1.unwrap_err().to_string()
    }

    /// A file in the stall's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file with that text, by its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Usage as the app would report it, by CSV: id, quantity and time.
    pub(crate) async fn used(&self, id: &str, quantity: &str, time: &str) {
        let file = self.file("used.csv", &csv(&[(id, quantity, time)]));
        self.run(&format!("usage import {file}")).await;
    }

    /// Moves the clock on to a time, and closes what is over by then.
    pub(crate) async fn closed_at(&self, time: &str) {
        self.clock.advance(at(time).since(self.now()));
        look_at(&*self.store, &[key()], self.now(), Duration::from_mins(10), &self.config).await.unwrap();
    }

    /// Sends everything that is frozen; the marketplace answers so.
    pub(crate) async fn sent(&self, answer: Answer) {
        let query = Unsent {
            marketplaces: vec!["aws".parse().unwrap()],
            but: Vec::new(),
            now: self.now(),
            limit: 100,
        };
        let numbers: Vec<i64> =
            self.store.unsent(&query).await.unwrap().iter().map(|record| record.number).collect();
        let started = start(&*self.store, "lane", vec![numbers.clone()], self.now()).await.unwrap();
        let outcome =
            AttemptOutcome { at: self.now(), request_id: Some("request-1".to_owned()), error: None };
        let answers = numbers.into_iter().map(|number| (number, answer.clone())).collect();
        let result = AttemptResult { attempt: started[0].attempt, outcome, answers };
        finish(&*self.store, &[result], self.now(), false).await.unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from(self.clock.now())
    }
}

/// A file of events of acme's.
pub(crate) fn csv(events: &[(&str, &str, &str)]) -> String {
    let lines =
        events.iter().map(|(id, quantity, time)| format!("{id},acme,search,requests,{quantity},{time}\n"));
    format!("id,tenant,product,dimension,quantity,occurred_at\n{}", lines.collect::<String>())
}

pub(crate) fn accepted() -> Answer {
    Answer::Accepted { record_id: "record-1".to_owned() }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn key() -> SubscriptionKey {
    KEY.parse().unwrap()
}

/// The cells of the row that begins so.
pub(crate) fn row<'a>(text: &'a str, beginning: &str) -> Vec<&'a str> {
    let row = text
        .lines()
        .find(|line| line.starts_with(beginning))
        .unwrap_or_else(|| panic!("{beginning}: {text}"));
    row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}
