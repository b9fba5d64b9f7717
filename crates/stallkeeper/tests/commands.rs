//! What the commands tell and do, on a SQLite database.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail where it stands")]

use std::sync::Arc;

use clap::{Parser, Subcommand};
use secrecy::SecretString;
use serde_json::{Value, json};
use stallkeeper::commands::{jobs, quarantine, subscriptions};
use stallkeeper::config::Config;
use stallkeeper_lifecycle::{Fact, FactKind, SubscriptionKey, Timestamp, Trial};
use stallkeeper_notification::SignaturePolicy;
use stallkeeper_persistence::{
    Content, InboxKey, Incoming, JobKind, JobStore, QuarantineEntry, QuarantineKey, Received, Refused, Store,
    commit,
};
use stallkeeper_persistence_sqlite::{Options, SqliteStore};
use stallkeeper_runtime::{FakeClock, WallClock};
use tempfile::TempDir;
use time::OffsetDateTime;

const KEY: &str = "aws/prod1/customer/X01";
const TOPIC: &str = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-prod1";

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
    Quarantine(quarantine::QuarantineCommand),
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
}

/// A database, a configuration and a clock that stands at noon.
struct Stall {
    store: Arc<dyn Store>,
    config: Config,
    clock: FakeClock,
    _folder: TempDir,
}

impl Stall {
    async fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let url = SecretString::from(format!("sqlite://{}", folder.path().join("stall.db").display()));
        let store = SqliteStore::connect(&url, Options::default()).await.unwrap();
        store.migrate().await.unwrap();
        let noon = OffsetDateTime::try_from(at("2026-03-01T12:00:00Z")).unwrap();
        Self { store: Arc::new(store), config: config(TOPIC), clock: FakeClock::new(noon), _folder: folder }
    }

    /// Runs a command line and answers what it wrote and how it ended.
    async fn try_run(&self, line: &str) -> (String, anyhow::Result<()>) {
        let words = std::iter::once("stallkeeper").chain(line.split_whitespace());
        let mut out = Vec::new();
        let (store, clock): (_, Arc<dyn WallClock>) = (self.store.clone(), Arc::new(self.clock.clone()));
        let ended = match Line::try_parse_from(words).unwrap().command {
            Command::Subscriptions(command) => {
                subscriptions::run(command, &self.config, store, clock, &mut out).await
            }
            Command::Quarantine(command) => {
                quarantine::run(command, &self.config, store, clock, &mut out).await
            }
            Command::Jobs(command) => jobs::run(command, store, self.now(), &mut out).await,
        };
        (String::from_utf8(out).unwrap(), ended)
    }

    async fn run(&self, line: &str) -> String {
        let (out, ended) = self.try_run(line).await;
        ended.unwrap();
        out
    }

    async fn run_json(&self, line: &str) -> Value {
        serde_json::from_str(&self.run(line).await).unwrap()
    }

    async fn refused(&self, line: &str) -> String {
        self.try_run(line).await.1.unwrap_err().to_string()
    }

    async fn notified(&self, id: &str, time: &str, kind: FactKind) {
        let event: stallkeeper_lifecycle::EventId = id.parse().unwrap();
        let content = Content::Received(Received {
            inbox: InboxKey { marketplace: "aws".parse().unwrap(), id: event.clone() },
            key: key(),
            agreement: None,
            fact: Fact::at_time(at(time), event, kind),
            body: Vec::new(),
            replays: None,
        });
        self.commit(content).await;
    }

    async fn put_aside(&self, body: &str) {
        let content = Content::Refused(Refused {
            entry: QuarantineEntry {
                key: QuarantineKey::of("aws".parse().unwrap(), body.as_bytes()),
                message_id: "message-1".to_owned(),
                reason: "wrong-topic".to_owned(),
                detail: "the topic is not in this queue's list".to_owned(),
                body: body.as_bytes().to_vec(),
                sent_at: None,
                at: self.now(),
            },
        });
        self.commit(content).await;
    }

    async fn commit(&self, content: Content) {
        let incoming = Incoming { received_at: self.now(), content };
        commit(&*self.store, &[incoming], self.now(), &self.config).await.unwrap();
    }

    fn now(&self) -> Timestamp {
        Timestamp::from(self.clock.now())
    }
}

fn config(topic: &str) -> Config {
    let file = format!(
        "signature.policy = \"off\"\n\
         [[marketplace]]\nname = \"aws\"\nkind = \"aws\"\n\
         queue_url = \"http://127.0.0.1:5000/123456789012/stall\"\ntopic_arns = [\"{topic}\"]\n\
         [[product]]\nkey = \"search\"\nname = \"Example Search\"\n\
         [[product.listing]]\nmarketplace = \"aws\"\ncode = \"prod1\"\n"
    );
    Config::parse(Some(("config.toml", &file)), []).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn key() -> SubscriptionKey {
    KEY.parse().unwrap()
}

fn success() -> FactKind {
    FactKind::SubscribeSuccess { offer: Some("offer-1".parse().unwrap()), trial: Trial::Yes }
}

/// The SNS envelope of a message about the product.
fn envelope() -> String {
    let message =
        json!({"action": "subscribe-success", "customer-identifier": "X01", "product-code": "prod1"});
    json!({
        "Type": "Notification", "MessageId": "7b1e1f2a-0000-4000-8000-000000000001", "TopicArn": TOPIC,
        "Message": message.to_string(), "Timestamp": "2026-03-01T11:00:00.000Z",
    })
    .to_string()
}

/// The cells of the row that begins so.
fn row<'a>(text: &'a str, beginning: &str) -> Vec<&'a str> {
    let row = text
        .lines()
        .find(|line| line.starts_with(beginning))
        .unwrap_or_else(|| panic!("{beginning}: {text}"));
    row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[tokio::test]
async fn a_list_shows_each_subscription_as_it_looks_now() {
    let stall = Stall::open().await;
    stall.notified("e1", "2026-03-01T11:00:00Z", success()).await;
    stall.run(&format!("subscriptions rebind {KEY} --tenant acme --user u1 --by ann")).await;
    let text = stall.run("subscriptions list").await;
    assert_eq!(row(&text, KEY), [KEY, "search", "active", "full", "acme", "now"]);
    let json = stall.run_json("subscriptions list --tenant acme --json").await;
    assert_eq!(json["subscriptions"][0]["word"], "active");
    assert_eq!(json["next_after"], Value::Null);
    assert!(stall.run("subscriptions list --tenant other").await.contains("no subscriptions"));
}

#[tokio::test]
async fn a_list_goes_on_where_the_page_before_ended() {
    let stall = Stall::open().await;
    stall.notified("e1", "2026-03-01T11:00:00Z", success()).await;
    let json = stall.run_json("subscriptions list --limit 1 --json").await;
    assert_eq!(json["next_after"], KEY);
    let rest = stall.run_json(&format!("subscriptions list --json --after {KEY}")).await;
    assert_eq!(rest["subscriptions"], json!([]));
}

#[tokio::test]
async fn a_window_that_has_passed_reads_ended_even_if_nothing_woke() {
    let stall = Stall::open().await;
    stall.notified("e1", "2026-03-01T11:00:00Z", success()).await;
    stall.notified("e2", "2026-03-01T11:30:00Z", FactKind::UnsubscribePending).await;
    let text = stall.run(&format!("subscriptions show {KEY}")).await;
    assert_eq!(row(&text, "word"), ["word", "ending since 2026-03-01T11:30:00Z (30 min ago)"]);
    assert!(row(&text, "deadline")[1].starts_with("2026-03-01T12:30:00Z (in 30 min)"), "{text}");
    stall.clock.advance(std::time::Duration::from_mins(30));
    let text = stall.run(&format!("subscriptions show {KEY}")).await;
    assert!(row(&text, "word")[1].starts_with("ended since 2026-03-01T12:30:00Z (now)"), "{text}");
    assert_eq!(row(&text, "access"), ["access", "none"]);
}

#[tokio::test]
async fn a_story_tells_what_happened_and_what_is_still_to_be_done() {
    let stall = Stall::open().await;
    stall.notified("e1", "2026-03-01T11:00:00Z", success()).await;
    stall.run(&format!("subscriptions rebind {KEY} --tenant acme --by ann")).await;
    let text = stall.run(&format!("subscriptions show {KEY}")).await;
    assert_eq!(row(&text, "offer"), ["offer", "offer-1"]);
    assert_eq!(row(&text, "product"), ["product", "search (Example Search)"]);
    let happened = row(&text, "2026-03-01T11:00:00Z");
    assert_eq!(happened[2..], ["subscribe-success", "unclaimed", "applied", "marketplace"]);
    assert!(text.contains("bound to acme") && text.contains("operator:ann"), "{text}");
    assert_eq!(row(&text, "announce"), ["announce", "parked", "for nobody, as no endpoint is configured"]);
    let json = stall.run_json(&format!("subscriptions show {KEY} --json --lines 1")).await;
    assert_eq!((&json["history"][0]["what"], &json["history_earlier"]), (&json!("bound"), &json!(1)));
    assert_eq!(json["period"]["started_at"], "2026-03-01T11:00:00Z");
    assert_eq!(json["jobs"][0]["kind"], "announce");
}

#[tokio::test]
async fn a_binding_is_taken_away_and_doing_it_twice_changes_nothing() {
    let stall = Stall::open().await;
    stall.notified("e1", "2026-03-01T11:00:00Z", success()).await;
    let bind = format!("subscriptions rebind {KEY} --tenant acme");
    assert_eq!(stall.run(&bind).await, format!("{KEY} is bound to the tenant acme now\n"));
    assert_eq!(stall.run(&bind).await, format!("{KEY} is bound to the tenant acme already\n"));
    stall.run(&format!("subscriptions rebind {KEY} --none")).await;
    assert_eq!(stall.run_json("subscriptions list --json").await["subscriptions"][0]["word"], "unclaimed");
}

#[tokio::test]
async fn a_mistyped_key_is_refused_and_makes_no_subscription() {
    let stall = Stall::open().await;
    let words = stall.refused("subscriptions rebind aws/prod1/customer/nobody --tenant acme").await;
    assert!(words.starts_with("there is no subscription aws/prod1/customer/nobody"), "{words}");
    assert!(stall.run("subscriptions list").await.contains("no subscriptions"));
    assert!(
        stall.refused("subscriptions show aws/prod1/customer/nobody").await.contains("subscriptions list")
    );
}

#[tokio::test]
async fn a_quarantined_message_is_shown_with_its_reason_and_its_body_escaped() {
    let stall = Stall::open().await;
    stall.put_aside("{\"a\": \"\u{1b}[2J\"}").await;
    let list = stall.run_json("quarantine list --json").await;
    let hash = list["messages"][0]["hash"].as_str().unwrap().to_owned();
    let text = stall.run(&format!("quarantine show {}", &hash[..8])).await;
    assert_eq!(row(&text, "reason"), ["reason", "wrong-topic"]);
    assert!(text.contains("| {\"a\": \"\\u{1b}[2J\"}") && !text.contains('\u{1b}'), "{text}");
    let json = stall.run_json(&format!("quarantine show {hash} --json")).await;
    assert_eq!(json["body"]["text"], "{\"a\": \"\u{1b}[2J\"}");
}

#[tokio::test]
async fn a_replay_takes_a_message_in_once_the_configuration_is_right() {
    let mut stall = Stall::open().await;
    stall.config = config("arn:aws:sns:us-east-1:287250355862:another-topic");
    stall.put_aside(&envelope()).await;
    let (out, ended) = stall.try_run("quarantine replay --all --by ann").await;
    assert!(out.contains("stays held: the topic") && ended.is_err(), "{out}");
    stall.config = config(TOPIC);
    let out = stall.run("quarantine replay --all --by ann").await;
    assert!(out.ends_with(&format!("is taken in: {KEY}\n")), "{out}");
    let replayed = stall.run_json("quarantine list --state replayed --json").await;
    assert_eq!(replayed["messages"][0]["settled_by"], "operator:ann");
    assert!(stall.run("quarantine list").await.contains("no messages are held"));
    let story = stall.run_json(&format!("subscriptions show {KEY} --json")).await;
    assert_eq!(story["history"][0]["actor"], "operator:ann");
}

#[tokio::test]
async fn a_replay_says_that_a_signature_does_not_verify_even_where_that_is_let_pass() {
    let mut stall = Stall::open().await;
    stall.config.signature.policy = SignaturePolicy::Warn;
    stall.put_aside(&envelope()).await;
    let out = stall.run("quarantine replay --all --by ann").await;
    assert!(out.contains(" is not verified, which signature.policy = \"warn\" lets pass: "), "{out}");
    assert!(out.ends_with(&format!("is taken in: {KEY}\n")), "{out}");
}

#[tokio::test]
async fn a_message_that_is_not_held_is_neither_replayed_nor_discarded() {
    let stall = Stall::open().await;
    stall.put_aside(&envelope()).await;
    let list = stall.run_json("quarantine list --json").await;
    let hash = list["messages"][0]["hash"].as_str().unwrap().to_owned();
    assert!(stall.run(&format!("quarantine discard {hash}")).await.ends_with("is discarded\n"));
    for verb in ["discard", "replay"] {
        let words = stall.refused(&format!("quarantine {verb} {hash}")).await;
        assert!(words.ends_with("is not held: it was discarded"), "{words}");
    }
    assert!(stall.refused("quarantine show ffffffff").await.contains("quarantine list"));
}

#[tokio::test]
async fn a_job_that_was_given_up_is_listed_and_tried_again() {
    let stall = Stall::open().await;
    stall.notified("e1", "2026-03-01T11:00:00Z", success()).await;
    stall.notified("e2", "2026-03-01T11:30:00Z", FactKind::UnsubscribePending).await;
    let deadline = at("2026-03-01T12:30:00Z");
    let claimed =
        stall.store.claim_jobs(&JobKind::ALL, deadline, std::time::Duration::from_mins(1), 10).await.unwrap();
    let wake = claimed.iter().find(|job| job.kind == JobKind::Wake).unwrap();
    JobStore::fail_job(&*stall.store, wake, "no answer").await.unwrap();
    let json = stall.run_json("jobs list --state failed --json").await;
    let job = &json["jobs"][0];
    assert_eq!((&job["kind"], &job["last_error"]), (&json!("wake"), &json!("no answer")));
    stall.run(&format!("jobs retry {KEY} wake")).await;
    let json = stall.run_json("jobs list --state due --json").await;
    assert_eq!(json["jobs"][0]["due_at"], "2026-03-01T12:00:00Z");
    let words = stall.refused(&format!("jobs retry {KEY} wake")).await;
    assert!(words.contains("jobs list --state failed"), "{words}");
}

#[tokio::test]
async fn a_list_of_jobs_says_where_it_was_cut_and_goes_on_there() {
    let stall = Stall::open().await;
    stall.notified("e1", "2026-03-01T11:00:00Z", success()).await;
    let after = format!("{KEY}/announce");
    let json = stall.run_json("jobs list --state parked --limit 1 --json").await;
    assert_eq!((&json["jobs"][0]["kind"], &json["next_after"]), (&json!("announce"), &json!(after)));
    let rest = stall.run_json(&format!("jobs list --state parked --after {after} --json")).await;
    assert_eq!(rest, json!({"jobs": [], "next_after": null, "cut_states": []}));
    let all = stall.run_json("jobs list --limit 1 --json").await;
    assert_eq!((&all["next_after"], &all["cut_states"]), (&Value::Null, &json!(["parked"])));
    let text = stall.run("jobs list --limit 1").await;
    assert!(text.ends_with(&format!("\nthere may be more: --state parked --after '{after}'\n")), "{text}");
    assert!(!stall.run("jobs list").await.contains("there may be more"));
}

#[test]
fn an_empty_login_name_is_no_bad_usage() {
    let run = |user: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_stallkeeper"));
        command.args(["quarantine", "discard", "abcd"]).env_clear().env("USER", user);
        command.output().unwrap().status.code()
    };
    // There is no database, which is as far as a command line without fault comes.
    assert_eq!((run(""), run("a\tb")), (Some(1), Some(2)));
}

#[test]
fn bad_usage_is_refused_by_the_command_line() {
    for line in [
        "subscriptions list --tenant a --word active",
        "subscriptions list --word sleeping",
        "subscriptions show not-a-key",
        "subscriptions list --limit 0",
        &format!("subscriptions rebind {KEY}"),
        &format!("subscriptions rebind {KEY} --none --tenant a"),
        &format!("subscriptions rebind {KEY} --none --user u"),
        "quarantine replay",
        "quarantine replay abcd --all",
        "quarantine show xyz",
        "jobs list --state asleep",
        &format!("jobs list --after {KEY}/wake"),
        "jobs list --state due --after nothing",
        "jobs list --state due --after no/key/wake",
        &format!("jobs list --state due --after {KEY}/dance"),
        "jobs retry aws/prod1/customer/X01 dance",
    ] {
        let words = std::iter::once("stallkeeper").chain(line.split_whitespace());
        assert_eq!(Line::try_parse_from(words).err().map(|error| error.exit_code()), Some(2), "{line}");
    }
}
