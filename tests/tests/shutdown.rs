//! How a worker starts and stops, and how it says that it cannot.
#![expect(clippy::unwrap_used, reason = "a broken set-up fails the test")]

use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use stallkeeper_tests::{Database, Installation, Sales, Stall, TestDatabase, Worker, eventually};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_mins(1);
const GRACE: Duration = Duration::from_secs(30);
const SETTINGS: &str = "shutdown_grace_secs = 30\n[signature]\npolicy = \"off\"\n\
    [queue]\nwait_secs = 1\nvisibility_secs = 20\nreceivers = 1\n";

#[tokio::test]
async fn a_stop_finishes_what_runs_and_leaves_the_rest_in_the_queue() {
    let (stall, database) = (Stall::open(1).await, Database::postgres().await);
    let installation = Installation::new(&stall.config(SETTINGS), &database.url());
    let mut sales = Sales::of(&stall.products[0]);
    stall.send(&sales.visits(120)).await;
    let worker = installation.start();
    eventually("work is under way", PATIENCE, async || database.count("history").await > 0).await;

    let told = Instant::now();
    let status = worker.stop().await;
    assert_eq!(status.code(), Some(0));
    assert!(told.elapsed() < GRACE / 2, "it took {:?}", told.elapsed());
    let (done, left) = (database.count("inbox").await, stall.moto.depth(&stall.queue.url).await);
    assert!(done < sales.notifications(), "it went on receiving until nothing was left");
    // What it had in hand is either gone for good or there for others at once.
    assert_eq!(left.in_flight, 0, "messages were held back");
    assert_eq!(done + usize::try_from(left.visible).unwrap(), sales.notifications());

    let _next = installation.start_ready().await;
    stall.wait_until_taken_in(&database, sales.notifications(), PATIENCE).await;
    sales.assert_settled(&database).await;
}

#[tokio::test]
async fn an_idle_worker_does_not_wait_for_its_long_poll_to_stop() {
    let (stall, database) = (Stall::open(1).await, Database::postgres().await);
    let settings = "[signature]\npolicy = \"off\"\n[queue]\nwait_secs = 20\n";
    let installation = Installation::new(&stall.config(settings), &database.url());
    let mut worker = installation.start_ready().await;
    let told = Instant::now();
    worker.terminate();
    assert_eq!(worker.wait().await.code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(6), "it took {:?}", told.elapsed());
}

#[tokio::test]
async fn a_second_signal_ends_a_worker_that_cannot_finish_and_its_messages_come_again() {
    let stall = Stall::open(1).await;
    let database = TestDatabase::clone_template().await;
    let installation = Installation::new(&stall.config(SETTINGS), &database.url());
    let mut worker = installation.start_ready().await;
    // Somebody holds the table, so that no commit comes to an end.
    let mut holder = database.connect().await;
    hold_the_inbox(&mut holder).await;
    let mut sales = Sales::of(&stall.products[0]);
    stall.send(&sales.visits(4)).await;
    eventually("a commit waits for the holder", PATIENCE, async || waits_for_the_inbox(&database).await)
        .await;

    worker.terminate();
    eventually("it says that it is stopping", PATIENCE, async || {
        worker.problems().await.iter().any(|problem| problem.part == "worker")
    })
    .await;
    assert!(!worker.has_ended(), "it did not try to finish");
    let told = Instant::now();
    worker.terminate();
    worker.wait().await;
    assert!(told.elapsed() < Duration::from_secs(8), "it took {:?}", told.elapsed());
    assert_eq!(stall.moto.depth(&stall.queue.url).await.total(), 12, "a message was acknowledged");

    drop(holder);
    let database = Database::Postgres(database);
    let _next = installation.start_ready().await;
    stall.wait_until_taken_in(&database, sales.notifications(), PATIENCE).await;
    sales.assert_settled(&database).await;
}

#[tokio::test]
async fn a_queue_that_does_not_exist_turns_readiness_red_with_its_name() {
    let (stall, database) = (Stall::open(1).await, Database::postgres().await);
    stall.moto.sqs().delete_queue().queue_url(&stall.queue.url).send().await.unwrap();
    let installation = Installation::new(&stall.config(SETTINGS), &database.url());
    let worker = installation.start();
    assert_named(&worker, "the queue does not exist", "create the queue").await;
}

#[tokio::test]
async fn missing_credentials_turn_readiness_red_with_their_name() {
    let (stall, database) = (Stall::open(1).await, Database::postgres().await);
    let installation = Installation::new(&stall.config(SETTINGS), &database.url())
        .variable("AWS_ACCESS_KEY_ID", "")
        .variable("AWS_SECRET_ACCESS_KEY", "");
    let worker = installation.start();
    assert_named(&worker, "no AWS credentials were found", "AWS_ACCESS_KEY_ID").await;
}

#[tokio::test]
async fn denied_access_turns_readiness_red_with_its_name() {
    let (stall, database) = (Stall::open(1).await, Database::postgres().await);
    let (url, _denier) = deny_everything().await;
    let config = stall.config(SETTINGS).replace(stall.moto.url(), &url);
    let installation = Installation::new(&config, &database.url());
    let worker = installation.start();
    assert_named(&worker, "access to the queue is denied", "sqs:ReceiveMessage").await;
}

#[tokio::test]
async fn a_configuration_that_cannot_be_meant_ends_the_worker_in_words() {
    let stall = Stall::open(1).await;
    let config = format!("{}[no_such_section]\nkey = 1\n", stall.config("inbox_retention_days = 3\n"));
    let told = Installation::new(&config, "postgres://nobody@127.0.0.1:1/none").run(&["run"]);
    assert_eq!(told.status, Some(1), "{told:?}");
    for words in ["stallkeeper.toml:1: inbox_retention_days", "no_such_section"] {
        assert!(told.stderr.contains(words), "no {words:?} in\n{}", told.stderr);
    }
    assert!(!told.stderr.contains("panicked"), "{}", told.stderr);
}

#[tokio::test]
async fn a_topic_without_a_listing_ends_the_worker_in_words() {
    let stall = Stall::open(1).await;
    let code = &stall.products[0].code;
    let config = stall.config("").replace(&format!("code = \"{code}\""), "code = \"another\"");
    let told = Installation::new(&config, "postgres://nobody@127.0.0.1:1/none").run(&["run"]);
    assert_eq!(told.status, Some(1), "{told:?}");
    let words = format!("is about the product code {code}, which no listing of the marketplace `aws` has");
    assert!(told.stderr.contains(&words), "{}", told.stderr);
}

#[tokio::test]
async fn a_database_that_can_never_be_used_ends_the_worker_in_words() {
    let (stall, database) = (Stall::open(1).await, TestDatabase::empty().await);
    let missing = format!("{}_missing", database.url());
    let cases = [
        ("mysql://root@127.0.0.1/stallkeeper", "database_url"),
        (missing.as_str(), "_missing"),
        ("sqlite:///no/such/folder/stallkeeper.db", "/no/such/folder"),
    ];
    for (url, words) in cases {
        let told = Installation::new(&stall.config(SETTINGS), url).run(&["run"]);
        assert_eq!(told.status, Some(1), "{url}: {told:?}");
        let last = told.stderr.lines().last().unwrap();
        assert!(
            last.starts_with("stallkeeper: ") || told.stderr.contains("stallkeeper: "),
            "{url}: {told:?}"
        );
        assert!(told.stderr.contains(words), "{url}: {told:?}");
    }
}

async fn hold_the_inbox(holder: &mut PgConnection) {
    sqlx::query("BEGIN").execute(&mut *holder).await.unwrap();
    sqlx::query("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE").execute(&mut *holder).await.unwrap();
    holder.ping().await.unwrap();
}

async fn waits_for_the_inbox(database: &TestDatabase) -> bool {
    let query = "SELECT count(*) FROM pg_locks WHERE relation = 'inbox'::regclass AND NOT granted";
    let waiting: i64 = sqlx::query_scalar(query).fetch_one(&mut database.connect().await).await.unwrap();
    waiting > 0
}

/// Readiness is red for the queue, which is named, with what to do about it.
async fn assert_named(worker: &Worker, problem: &str, remedy: &str) {
    eventually("readiness names the queue", PATIENCE, async || {
        worker.problems().await.iter().any(|problem| problem.part == "queue aws")
    })
    .await;
    let told = worker.problems().await;
    let queue = told.first().unwrap();
    assert!(queue.problem.contains(problem) && queue.remedy.contains(remedy), "{told:?}");
    assert!(matches!(worker.get("/healthz").await, Some((200, _))), "a worker without a queue is alive");
}

/// An SQS that lets nobody in, which moto cannot be.
async fn deny_everything() -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = json!({ "__type": "com.amazonaws.sqs#AccessDeniedException", "message": "not for you" });
    let deny = async move || {
        let headers =
            [("content-type", "application/x-amz-json-1.0"), ("x-amzn-query-error", "AccessDenied;Sender")];
        (StatusCode::FORBIDDEN, headers, answer.to_string())
    };
    let router = Router::new().fallback(deny);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, tasks)
}
