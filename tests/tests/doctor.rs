//! What `stallkeeper doctor` says about deployments that are right and about each that is not.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a broken set-up fails the test"
)]

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use stallkeeper_tests::{Finished, Installation, Moto, PrivatePostgres, TestDatabase};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const SQLITE: &str = "sqlite://stallkeeper.db";
/// More than any call to SQS or SNS has.
const BODY_BYTES_MAX: usize = 1 << 20;

#[tokio::test]
async fn a_right_set_up_is_all_right_on_postgres() {
    let database = TestDatabase::clone_template().await;
    let stall = Stall::open().await;
    let installation = Installation::new(&stall.config(), &database.url());
    installation.run(&["setup"]).expect_success();
    expect_all_right(&installation);
}

#[tokio::test]
async fn a_right_set_up_is_all_right_on_sqlite() {
    let stall = Stall::open().await;
    expect_all_right(&stall.set_up());
}

#[tokio::test]
async fn an_unreachable_database_is_named() {
    let stall = Stall::open().await;
    let _right = stall.set_up();
    let mut postgres = PrivatePostgres::start();
    let installation = Installation::new(&stall.config(), &postgres.url());
    postgres.stop();
    Diagnosis::of(&installation).expect_failure("database", "no database answers", "start the database");
}

#[tokio::test]
async fn a_missing_database_setting_is_named() {
    let stall = Stall::open().await;
    let installation = stall.set_up().variable("STALLKEEPER_DATABASE_URL", "");
    Diagnosis::of(&installation).expect_failure("database", "none", "STALLKEEPER_DATABASE_URL");
}

#[tokio::test]
async fn a_schema_that_is_behind_is_named() {
    let stall = Stall::open().await;
    let _right = stall.set_up();
    let database = TestDatabase::empty().await;
    let installation = Installation::new(&stall.config(), &database.url());
    Diagnosis::of(&installation).expect_failure("schema", "missing", "stallkeeper migrate");
}

#[tokio::test]
async fn a_schema_of_a_newer_version_is_named() {
    let stall = Stall::open().await;
    let _right = stall.set_up();
    let database = TestDatabase::clone_template().await;
    let newer = "INSERT INTO _sqlx_migrations \
                 (version, description, installed_on, success, checksum, execution_time) \
                 VALUES (9999, 'newer', now(), true, ''::bytea, 0)";
    sqlx::query(newer).execute(&mut database.connect().await).await.unwrap();
    let installation = Installation::new(&stall.config(), &database.url());
    Diagnosis::of(&installation).expect_failure("schema", "newer version", "run that version");
}

#[tokio::test]
async fn a_missing_queue_is_named() {
    let stall = Stall::open().await;
    let installation = stall.set_up();
    stall.moto.sqs().delete_queue().queue_url(&stall.queue_url).send().await.unwrap();
    Diagnosis::of(&installation).expect_failure("aws: queue", "does not exist", "create");
}

#[tokio::test]
async fn missing_credentials_are_named() {
    let stall = Stall::open().await;
    let installation = stall.set_up().variable("AWS_ACCESS_KEY_ID", "").variable("AWS_SECRET_ACCESS_KEY", "");
    Diagnosis::of(&installation).expect_failure("aws: credentials", "no AWS credentials", "`profile`");
}

#[tokio::test]
async fn a_missing_policy_is_named() {
    let stall = Stall::open().await;
    let installation = stall.migrated();
    let (topic, queue) = (&stall.topic, &stall.queue_arn);
    let subscribe = stall.moto.sns().subscribe().topic_arn(topic).protocol("sqs").endpoint(queue);
    subscribe.send().await.unwrap();
    Diagnosis::of(&installation).expect_failure("aws: policy", "no policy", "stallkeeper setup");
}

#[tokio::test]
async fn a_topic_that_the_policy_leaves_out_is_named() {
    let stall = Stall::open().await;
    let installation = stall.set_up();
    let another = json!({"ArnEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:123456789012:another"}});
    stall.write_policy(&json!({"Service": "sns.amazonaws.com"}), Some(another)).await;
    Diagnosis::of(&installation).expect_failure("aws: policy", &stall.topic, "stallkeeper setup");
}

#[tokio::test]
async fn a_policy_that_lets_anyone_send_is_named() {
    let stall = Stall::open().await;
    let installation = stall.set_up();
    stall.write_policy(&json!("*"), None).await;
    Diagnosis::of(&installation).expect_failure("aws: policy", "`Theirs`", "remove the statement");
}

#[tokio::test]
async fn an_absent_subscription_is_named() {
    let stall = Stall::open().await;
    let installation = stall.set_up();
    let arn = stall.subscription_arn().await;
    stall.moto.sns().unsubscribe().subscription_arn(arn).send().await.unwrap();
    let check = stall.subscription_check();
    Diagnosis::of(&installation).expect_failure(&check, "not subscribed", "stallkeeper setup");
}

#[tokio::test]
async fn raw_delivery_is_named() {
    let stall = Stall::open().await;
    let installation = stall.set_up();
    let attributes = stall.moto.sns().set_subscription_attributes();
    let attributes = attributes.subscription_arn(stall.subscription_arn().await);
    attributes.attribute_name("RawMessageDelivery").attribute_value("true").send().await.unwrap();
    let check = stall.subscription_check();
    Diagnosis::of(&installation).expect_failure(&check, "raw delivery is on", "set-subscription-attributes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_named() {
    let stall = Stall::open().await;
    let _right = stall.set_up();
    let proxy = Loopback::serve(
        Router::new().fallback(forward_with_an_old_date).with_state(stall.moto.url().to_owned()),
    )
    .await;
    let installation = Installation::new(&stall.config_with_sqs(&proxy.url), SQLITE);
    installation.run(&["migrate"]).expect_success();
    Diagnosis::of(&installation).expect_failure("aws: clock", "ahead of AWS's", "NTP");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_may_not_be_seen_is_named_with_the_permission_that_is_missing() {
    let stall = Stall::open().await;
    let server = Loopback::serve(Router::new().fallback(deny)).await;
    let installation = Installation::new(&stall.config_with_sqs(&server.url), SQLITE);
    installation.run(&["migrate"]).expect_success();
    let diagnosis = Diagnosis::of(&installation);
    diagnosis.expect_failure("aws: queue", "denied", "allow `sqs:GetQueueAttributes`");
}

#[tokio::test]
async fn aws_out_of_reach_is_named() {
    let stall = Stall::open().await;
    // Nobody listens on port 1.
    let installation = Installation::new(&stall.config_with_sqs("http://127.0.0.1:1"), SQLITE);
    installation.run(&["migrate"]).expect_success();
    Diagnosis::of(&installation).expect_failure("aws: queue", "could not be reached", "`endpoint_url`");
}

#[tokio::test]
async fn a_missing_dead_letter_queue_is_a_warning() {
    let stall = Stall::open().await;
    stall.set_attribute(QueueAttributeName::RedrivePolicy, "").await;
    let installation = stall.set_up();
    let diagnosis = Diagnosis::of(&installation);
    diagnosis.finished.expect_success();
    assert_eq!(diagnosis.names("warning"), ["aws: dead-letter queue"]);
    assert!(diagnosis.names("failure").is_empty());
}

#[tokio::test]
async fn a_notification_is_soon_lost_where_it_is_kept_for_an_hour_only() {
    let stall = Stall::open().await;
    stall.set_attribute(QueueAttributeName::MessageRetentionPeriod, "3600").await;
    let installation = stall.set_up();
    let diagnosis = Diagnosis::of(&installation);
    diagnosis.finished.expect_success();
    assert_eq!(diagnosis.names("warning"), ["aws: retention"]);
}

#[tokio::test]
async fn whatever_is_broken_every_other_check_is_made() {
    let stall = Stall::open().await;
    let installation = Installation::new(&stall.config(), "postgres://nobody@127.0.0.1:1/nothing");
    let diagnosis = Diagnosis::of(&installation);
    let expected = ["database", "aws: policy", &stall.subscription_check()].map(str::to_owned);
    assert_eq!(diagnosis.names("failure"), expected);
    assert_eq!(diagnosis.finished.stderr.lines().count(), 1, "{}", diagnosis.finished.stderr);

    let table = installation.run(&["doctor"]);
    assert_eq!(table.status, Some(1));
    for line in
        ["✗ database ", "! schema ", "✓ aws: credentials ", "✗ aws: policy ", "→ run `stallkeeper setup`"]
    {
        assert!(table.stdout.contains(line), "no {line:?} in\n{}", table.stdout);
    }
}

fn expect_all_right(installation: &Installation) {
    let diagnosis = Diagnosis::of(installation);
    diagnosis.finished.expect_success();
    assert_eq!(diagnosis.report["ok"], true);
    assert_eq!(diagnosis.names("ok").len(), diagnosis.checks().len(), "{}", diagnosis.report);

    let table = installation.run(&["doctor"]);
    table.expect_success();
    assert_eq!(table.stdout.lines().count(), diagnosis.checks().len());
    assert!(table.stdout.lines().all(|line| line.starts_with("✓ ")), "{}", table.stdout);
}

/// A topic and a queue on moto with a product of its own; nothing connects them yet.
struct Stall {
    moto: Moto,
    code: String,
    topic: String,
    queue_url: String,
    queue_arn: String,
}

impl Stall {
    async fn open() -> Self {
        let moto = Moto::connect().await;
        let code = moto.unique_code();
        let topic = moto.create_topics(&code).await.subscription;
        let queue = moto.create_queue(Duration::from_secs(30)).await;
        Self { moto, code, topic, queue_url: queue.url, queue_arn: queue.arn }
    }

    fn config(&self) -> String {
        self.config_with_sqs(self.moto.url())
    }

    fn config_with_sqs(&self, queues: &str) -> String {
        let Self { moto, code, topic, queue_url, .. } = self;
        let topics = moto.url();
        format!(
            r#"
            [[marketplace]]
            name = "aws"
            kind = "aws"
            queue_url = "{queue_url}"
            topic_arns = ["{topic}"]
            [marketplace.endpoint_url]
            sqs = "{queues}"
            sns = "{topics}"
            [[product]]
            key = "search"
            [[product.listing]]
            marketplace = "aws"
            code = "{code}"
            pricing = "subscription"
            "#
        )
    }

    /// With tables, and nothing done at AWS.
    fn migrated(&self) -> Installation {
        let installation = Installation::new(&self.config(), SQLITE);
        installation.run(&["migrate"]).expect_success();
        installation
    }

    /// Right in every respect.
    fn set_up(&self) -> Installation {
        let installation = self.migrated();
        installation.run(&["setup"]).expect_success();
        installation
    }

    fn subscription_check(&self) -> String {
        format!("aws: subscription {}", self.topic.rsplit_once(':').unwrap().1)
    }

    async fn subscription_arn(&self) -> String {
        let list = self.moto.sns().list_subscriptions_by_topic().topic_arn(&self.topic).send().await.unwrap();
        list.subscriptions()[0].subscription_arn().unwrap().to_owned()
    }

    /// Puts one statement in place of the queue's policy.
    async fn write_policy(&self, principal: &Value, condition: Option<Value>) {
        let mut statement = json!({
            "Sid": "Theirs",
            "Effect": "Allow",
            "Principal": principal,
            "Action": "sqs:SendMessage",
            "Resource": self.queue_arn,
        });
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        self.set_attribute(QueueAttributeName::Policy, &policy.to_string()).await;
    }

    async fn set_attribute(&self, name: QueueAttributeName, value: &str) {
        let set = self.moto.sqs().set_queue_attributes().queue_url(&self.queue_url);
        set.attributes(name, value).send().await.unwrap();
    }
}

/// What one run of `doctor --json` said.
struct Diagnosis {
    finished: Finished,
    report: Value,
}

impl Diagnosis {
    fn of(installation: &Installation) -> Self {
        let finished = installation.run(&["doctor", "--json"]);
        let report = serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {finished:?}"));
        Self { finished, report }
    }

    fn checks(&self) -> &[Value] {
        self.report["checks"].as_array().unwrap()
    }

    /// The names of the checks that ended so.
    fn names(&self, status: &str) -> Vec<String> {
        let checks = self.checks().iter().filter(|check| check["status"] == status);
        checks.map(|check| check["check"].as_str().unwrap().to_owned()).collect()
    }

    /// One check failed and no other; it says what was found and what to do, and the exit status tells.
    fn expect_failure(&self, check: &str, found: &str, remedy: &str) {
        let Self { finished, report } = self;
        assert_eq!(self.names("failure"), [check], "{report:#}");
        let failure = self.checks().iter().find(|entry| entry["check"] == check).unwrap();
        for (key, words) in [("found", found), ("remedy", remedy)] {
            assert!(failure[key].as_str().unwrap().contains(words), "no {words:?} in {failure:#}");
        }
        assert_eq!((finished.status, &report["ok"]), (Some(1), &json!(false)));
        let summary = format!("1 of {} checks failed: {check}", self.checks().len());
        assert!(finished.stderr.contains(&summary), "no {summary:?} in {}", finished.stderr);
    }
}

/// A server on loopback that stops when dropped.
struct Loopback {
    url: String,
    _tasks: JoinSet<()>,
}

impl Loopback {
    async fn serve(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, _tasks: tasks }
    }
}

/// moto's answers, as if they came from a year in which nobody's clock is.
async fn forward_with_an_old_date(State(moto_url): State<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.unwrap();
    let mut headers = parts.headers;
    headers.remove(header::HOST);
    let forward = reqwest::Client::new().request(parts.method, format!("{moto_url}{}", parts.uri));
    let answer = forward.headers(headers).body(body).send().await.unwrap();
    let status = answer.status();
    let mut headers: HeaderMap = answer.headers().clone();
    headers.insert(header::DATE, "Tue, 01 Jan 2019 00:00:00 GMT".parse().unwrap());
    let body: Bytes = answer.bytes().await.unwrap();
    (status, headers, body).into_response()
}

/// What SQS says to credentials without the permission.
async fn deny() -> impl IntoResponse {
    let body = json!({"__type": "com.amazonaws.sqs#AccessDeniedException", "message": "not for you"});
    (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body.to_string())
}
