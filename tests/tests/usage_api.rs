//! What bad input and bad times get where the app reports usage.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use stallkeeper_tests::{
    Answer, App, Buyer, Database, Installation, Ledger, MeteredStall, PrivatePostgres, Worker, eventually,
};

const PATIENCE: Duration = Duration::from_secs(40);
const HOUR: Duration = Duration::from_hours(1);

/// A worker with one buyer, ada, who subscribed ten minutes into an hour.
struct Scene {
    stall: MeteredStall,
    database: Database,
    installation: Installation,
    worker: Worker,
    ada: Buyer,
}

impl Scene {
    async fn open(database: Database) -> Self {
        let stall = MeteredStall::open(3).await;
        let installation = stall.installation(&database);
        let worker = installation.start_ready().await;
        let ada = stall.admit(&installation, &database, "ada", "search").await;
        Self { stall, database, installation, worker, ada }
    }

    async fn report(&self, events: &[Value]) -> Answer {
        self.stall.app().report(&self.worker, events).await
    }

    /// Waits until something is on the bill, and gives what ada is billed for.
    async fn billed_hits(&self) -> i64 {
        let mut hits = 0;
        eventually("hits are billed", PATIENCE, async || {
            let totals = self.stall.market.billed_totals().await;
            hits = totals.get(&(self.ada.id.clone(), "hits".to_owned())).copied().unwrap_or_default();
            hits > 0
        })
        .await;
        hits
    }
}

#[tokio::test]
async fn a_bad_event_is_refused_alone_with_its_place_and_reason_and_the_good_ones_are_billed() {
    let scene = Scene::open(Database::sqlite()).await;
    let now = scene.stall.market.now().await;
    let hits = |id: &str, quantity: &str| scene.ada.event(id, "hits", quantity, &now);
    let but = |field: &str, value: Value| {
        let mut event = hits("bad", "1");
        event[field] = value;
        event
    };
    let at = |at: &str| scene.ada.event("bad", "hits", "1", at);
    let cases = [
        (hits("first", "7"), ""),
        (but("tenant", json!("nobody")), "unknown_tenant"),
        (but("product", json!("nothing")), "unknown_product"),
        (but("dimension", json!("nothing")), "unknown_dimension"),
        (but("subscription", json!("aws/simsearch/customer/nobody")), "unknown_subscription"),
        (hits("bad", "-1"), "negative_quantity"),
        (hits("bad", "1.5"), "too_precise"),
        (scene.ada.event("bad", "gigabytes", "1.005", &now), "too_precise"),
        (hits("bad", "99999999999999999999"), "too_large"),
        (hits("bad", "many"), "bad_quantity"),
        (but("quantity", json!("1e3")), "bad_quantity"),
        (at("2027-03-04T10:30:00Z"), "in_the_future"),
        (at("2027-03-03T09:00:00Z"), "too_old"),
        (at("yesterday"), "bad_time"),
        (but("id", json!("")), "bad_id"),
        (but("id", Value::Null), "missing_field"),
        (but("teant", json!("ada")), "malformed"),
        (json!("an event"), "malformed"),
        (hits("last", "5"), ""),
    ];
    let events: Vec<Value> = cases.iter().map(|(event, _)| event.clone()).collect();
    let answer = scene.report(&events).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for (index, (event, reason)) in cases.iter().enumerate() {
        let result = &answer.results()[index];
        assert_eq!(result["index"], index);
        assert_eq!(answer.reasons()[index], *reason, "{event}: {result}");
        let status = if reason.is_empty() { "counted" } else { "refused" };
        assert_eq!(result["status"], status, "{event}: {result}");
        assert!(reason.is_empty() || result["message"].is_string(), "{event}: {result}");
    }
    scene.stall.market.advance(HOUR).await;
    assert_eq!(scene.billed_hits().await, 12);
}

#[tokio::test]
async fn the_same_id_counts_once_also_after_a_restart_and_with_other_content_it_is_refused() {
    let mut scene = Scene::open(Database::sqlite()).await;
    let now = scene.stall.market.now().await;
    let event = scene.ada.event("once", "hits", "3", &now);
    let other = scene.ada.event("once", "hits", "4", &now);
    let events = [event.clone(), event.clone(), other.clone()];
    let answer = scene.report(&events).await;
    assert_eq!(answer.statuses(), ["counted", "known", "refused"], "{answer:?}");
    assert_eq!(answer.reasons()[2], "id_reused");

    assert!(scene.worker.stop().await.success());
    scene.worker = scene.installation.start_ready().await;
    let answer = scene.stall.app().report(&scene.worker, &[event.clone(), other]).await;
    assert_eq!(answer.statuses(), ["known", "refused"], "{answer:?}");

    scene.stall.market.advance(HOUR).await;
    let mut billed = 0;
    eventually("hits are billed", PATIENCE, async || {
        let totals = scene.stall.market.billed_totals().await;
        billed = totals.get(&(scene.ada.id.clone(), "hits".to_owned())).copied().unwrap_or_default();
        billed > 0
    })
    .await;
    assert_eq!(billed, 3);
    let late = scene.stall.app().report(&scene.worker, &[event]).await;
    assert_eq!(late.statuses(), ["known"], "{late:?}");
}

#[tokio::test]
async fn a_request_that_is_too_much_or_no_list_of_events_is_refused_whole() {
    let scene = Scene::open(Database::sqlite()).await;
    let now = scene.stall.market.now().await;
    let events = |count: usize| -> Vec<Value> {
        (0..count).map(|number| scene.ada.event(&format!("e{number}"), "hits", "1", &now)).collect()
    };
    let app = scene.stall.app();
    let send = async |body: String| app.send(&scene.worker, Method::POST, "/v1/usage", Some(body)).await;
    let too_many = Value::from(events(1_001)).to_string();
    let too_large = format!("[{}]", " ".repeat(1 << 20));
    for (what, body, status, kind) in [
        ("1,001 events", too_many, 422, "unprocessable"),
        ("over 1 MiB", too_large, 413, "too-large"),
        ("no JSON", "[{".to_owned(), 400, "bad-request"),
        ("no list", "7".to_owned(), 422, "unprocessable"),
    ] {
        let answer = send(body).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        assert_eq!(answer.body["type"], format!("urn:stallkeeper:problem:{kind}"), "{what}: {answer:?}");
    }
    assert_eq!(scene.database.count("usage_events").await, 0);
    let answer = send(Value::from(events(1_000)).to_string()).await;
    assert_eq!(answer.statuses(), vec!["counted"; 1_000]);
}

#[tokio::test]
async fn only_a_token_that_is_configured_for_it_opens_the_api() {
    let scene = Scene::open(Database::sqlite()).await;
    let now = scene.stall.market.now().await;
    let event = [scene.ada.event("one", "hits", "1", &now)];
    let wrong = format!("{}x", MeteredStall::TOKEN);
    for (what, token, status) in [
        ("no token", None, 401),
        ("a wrong one", Some(wrong.as_str()), 401),
        ("a part of one", Some(&MeteredStall::TOKEN[..10]), 401),
        ("one for reading", Some(MeteredStall::READER), 403),
    ] {
        let answer = App::new(token).report(&scene.worker, &event).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
    }
    let reader = App::new(Some(MeteredStall::READER));
    reader.get(&scene.worker, &scene.ada.usage_path()).await.ok();
    assert_eq!(scene.database.count("usage_events").await, 0);
    assert!(!scene.worker.logs().contains(MeteredStall::TOKEN), "the log tells a token");
}

#[tokio::test]
async fn a_token_that_was_taken_out_of_the_configuration_opens_nothing_and_without_any_nobody_may_call() {
    let scene = Scene::open(Database::sqlite()).await;
    let now = scene.stall.market.now().await;
    let event = [scene.ada.event("one", "hits", "1", &now)];
    assert!(scene.worker.stop().await.success());
    let replaced = scene.installation.variable("STALLKEEPER_API_TOKEN_0_TOKEN", "another-token-of-the-app");
    let worker = replaced.start_ready().await;
    let answer = scene.stall.app().report(&worker, &event).await;
    assert_eq!(answer.status, 401, "revoked: {answer:?}");
    let answer = App::new(Some("another-token-of-the-app")).report(&worker, &event).await;
    assert_eq!(answer.statuses(), ["counted"], "{answer:?}");
    assert!(worker.stop().await.success());

    let worker = scene.stall.unconfigured(&scene.database).start_ready().await;
    for app in [App::new(None), scene.stall.app(), App::new(Some(""))] {
        let answer = app.report(&worker, &event).await;
        assert_eq!(answer.status, 401, "none configured: {answer:?}");
    }
}

#[tokio::test]
async fn while_the_database_is_down_usage_is_answered_503_and_afterwards_all_is_counted_and_billed() {
    let mut postgres = PrivatePostgres::start();
    let scene = Scene::open(Database::Foreign(postgres.url())).await;
    let now = scene.stall.market.now().await;
    let before = scene.ada.event("before", "hits", "1", &now);
    let during = scene.ada.event("during", "hits", "2", &now);
    assert_eq!(scene.report(&[before]).await.statuses(), ["counted"]);

    postgres.stop();
    scene.worker.wait_until_unready().await;
    let answer = scene.report(std::slice::from_ref(&during)).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.body["type"], "urn:stallkeeper:problem:unavailable");
    let parts: Vec<String> = scene.worker.problems().await.into_iter().map(|problem| problem.part).collect();
    assert!(parts.contains(&"database".to_owned()), "{parts:?}");
    scene.stall.market.advance(HOUR).await;

    postgres.start_again();
    eventually("the worker is ready again", PATIENCE, async || scene.worker.is_ready().await).await;
    eventually("what was not taken is taken", PATIENCE, async || {
        let answer = scene.report(std::slice::from_ref(&during)).await;
        answer.status == 200 && ["counted", "known", "held"].contains(&answer.statuses()[0])
    })
    .await;
    assert!(scene.billed_hits().await >= 1);
    Ledger::read(&scene.installation).assert_equals_bill(&scene.stall.market).await;
}

#[tokio::test]
async fn a_marketplace_that_throttles_and_fails_is_tried_with_pauses_and_all_is_billed_in_the_end() {
    let scene = Scene::open(Database::sqlite()).await;
    scene
        .stall
        .market
        .set_metering_faults(json!({ "error": 0.45, "throttle": 0.45, "unprocessed": 0.5 }))
        .await;
    let mut reported = 0;
    for hour in 0..6 {
        let now = scene.stall.market.now().await;
        let event = scene.ada.event(&format!("h{hour}"), "hits", "10", &now);
        assert_eq!(scene.report(&[event]).await.statuses(), ["counted"]);
        reported += 10;
        let tried = scene.stall.market.metering_calls().await.calls;
        scene.stall.market.advance(HOUR).await;
        eventually("the marketplace is called", PATIENCE, async || {
            scene.stall.market.metering_calls().await.calls > tried
        })
        .await;
    }
    let calls = scene.stall.market.metering_calls().await;
    assert!(calls.refused > 0, "no call failed: {calls:?}");

    scene.stall.market.set_metering_faults(json!({})).await;
    let what = format!("{reported} hits are billed");
    eventually(&what, PATIENCE, async || {
        let totals = scene.stall.market.billed_totals().await;
        totals.get(&(scene.ada.id.clone(), "hits".to_owned())) == Some(&reported)
    })
    .await;
    assert!(scene.worker.is_ready().await);
    eventually("nothing waits", PATIENCE, async || {
        scene.database.count("usage_records WHERE state = 'frozen'").await == 0
    })
    .await;
    let ledger = Ledger::read(&scene.installation);
    assert_eq!(ledger.assert_equals_bill(&scene.stall.market).await, ledger.records.len());
}

#[tokio::test]
async fn a_marketplace_that_is_down_is_called_ever_more_slowly_and_is_alarmed_of_long_before_the_deadline() {
    let scene = Scene::open(Database::sqlite()).await;
    scene.stall.market.set_metering_faults(json!({ "error": 1.0 })).await;
    let now = scene.stall.market.now().await;
    scene.report(&[scene.ada.event("one", "hits", "10", &now)]).await;
    scene.stall.market.advance(HOUR).await;
    eventually("the marketplace is called", PATIENCE, async || {
        scene.stall.market.metering_calls().await.calls > 0
    })
    .await;
    // More than half of the day that the record may wait.
    scene.stall.market.advance(13 * HOUR).await;
    let began = std::time::Instant::now();
    let before = scene.stall.market.metering_calls().await.calls;
    eventually("it is warned of", PATIENCE, async || {
        scene.worker.logs().contains("a usage record has used up much of its time and is not settled")
    })
    .await;
    assert!(scene.worker.metric("stallkeeper_usage_urgent_used_ratio").await > 0.5);
    let calls = scene.stall.market.metering_calls().await.calls - before;
    let at_most = 20 + began.elapsed().as_secs();
    assert!(
        calls <= at_most,
        "{calls} calls in {} s to a marketplace that is down",
        began.elapsed().as_secs()
    );

    scene.stall.market.set_metering_faults(json!({})).await;
    assert_eq!(scene.billed_hits().await, 10);
    assert_eq!(scene.installation.run(&["usage", "lost", "--json"]).json()["losses"], json!([]));
}

#[tokio::test]
async fn more_usage_than_can_wait_is_turned_away_with_the_time_to_come_again_and_is_taken_then() {
    const REQUESTS: usize = 20;
    let scene = Scene::open(Database::postgres().await).await;
    let now = scene.stall.market.now().await;
    let request = |request: usize| -> Vec<Value> {
        let id = |number| format!("r{request}e{number}");
        (0..1_000).map(|number| scene.ada.event(&id(number), "hits", "1", &now)).collect()
    };
    let requests: Vec<Vec<Value>> = (0..REQUESTS).map(request).collect();
    // Nothing is stored while this is held, so that whatever is reported has to wait.
    let lock = scene.database.lock("usage_events").await;
    let mut reports = tokio::task::JoinSet::new();
    for events in &requests {
        let (app, url, events) = (scene.stall.app(), scene.worker.internal_url(), events.clone());
        reports.spawn(async move { app.report_to(&url, &events).await });
    }
    let mut turned_away = Vec::new();
    while turned_away.len() < REQUESTS - 16 {
        turned_away.push(reports.join_next().await.unwrap().unwrap());
    }
    drop(lock);
    for answer in &turned_away {
        assert_eq!(answer.status, 429, "{answer:?}");
        assert!(answer.retry_after.is_some_and(|secs| (1..=60).contains(&secs)), "{answer:?}");
        assert_eq!(answer.body["type"], "urn:stallkeeper:problem:busy");
    }
    while let Some(answer) = reports.join_next().await {
        assert_eq!(answer.unwrap().statuses(), vec!["counted"; 1_000]);
    }
    for events in &requests {
        let answer = scene.report(events).await;
        assert!(answer.statuses().iter().all(|word| ["counted", "known"].contains(word)), "{answer:?}");
    }
    assert_eq!(scene.database.count("usage_events").await, REQUESTS * 1_000);
}
