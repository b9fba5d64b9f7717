//! The bill and the calls in the control API.

use serde_json::{Value, json};

use crate::world::{World, record};

async fn bill_three(world: &World) {
    for (buyer, quantity) in [("ada", 5), ("eve", 6), ("zoe", 7)] {
        let entry = world.subscribe(buyer, "search").await;
        world.send(vec![record(&entry, quantity)]).await.unwrap();
    }
}

fn numbers(page: &Value) -> Vec<u64> {
    page["entries"].as_array().unwrap().iter().map(|entry| entry["number"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_buyer_s_bill_says_what_is_billed() {
    let world = World::new().await;
    bill_three(&world).await;
    let (status, bill) = world.control("GET", "bill/eve", None).await;
    let eve = world.simulator.market().books_of("eve").remove(0);
    let entry = &bill["entries"][0];
    assert_eq!((status, bill["entries"].as_array().unwrap().len()), (200, 1));
    assert_eq!(
        *entry,
        json!({
            "number": 2,
            "record_id": world.simulator.metering().bill()[1].record_id,
            "region": "us-east-1",
            "subscription": eve.id,
            "code": "simsearch",
            "account": eve.account,
            "dimension": "hits",
            "hour": entry["hour"],
            "timestamp": entry["timestamp"],
            "quantity": 6,
            "allocations": [],
            "taken_at": entry["taken_at"],
        })
    );
    assert!(entry["hour"].as_str().unwrap().ends_with(":00:00.000Z"), "{entry}");
    assert_eq!((&bill["suspended"], &bill["next"]), (&json!(false), &Value::Null));
}

#[tokio::test]
async fn the_bill_is_read_page_by_page() {
    let world = World::new().await;
    bill_three(&world).await;
    let (_, first) = world.control("GET", "bill?limit=2", None).await;
    assert_eq!((numbers(&first), &first["next"]), (vec![1, 2], &json!(2)));
    let (_, second) = world.control("GET", "bill?limit=2&after=2", None).await;
    assert_eq!((numbers(&second), &second["next"]), (vec![3], &Value::Null));
    let (_, of_zoe) = world.control("GET", "bill/zoe?after=3", None).await;
    assert_eq!(numbers(&of_zoe), [0; 0]);
}

#[tokio::test]
async fn whoever_bought_nothing_has_no_bill() {
    let world = World::new().await;
    assert_eq!(world.control("GET", "bill/nobody", None).await.0, 404);
    world.subscribe("ada", "search").await;
    let (status, bill) = world.control("GET", "bill/ada", None).await;
    assert_eq!((status, &bill["entries"]), (200, &json!([])));
}

#[tokio::test]
async fn the_overview_and_the_log_count_the_calls() {
    let world = World::new().await;
    bill_three(&world).await;
    let (_, overview) = world.control("GET", "", None).await;
    assert_eq!(
        overview["metering"],
        json!({
            "calls": 3, "refused": 0, "records": 3, "records_max": 1, "success": 3, "duplicate": 0,
            "not_subscribed": 0, "after_end": 0, "unprocessed": 0,
        })
    );
    let (_, log) = world.control("GET", "metering/calls?limit=1", None).await;
    assert_eq!((&log["counts"], &log["next"]), (&overview["metering"], &json!(1)));
    let line = &log["calls"][0];
    assert_eq!(
        *line,
        json!({
            "number": 1, "at": line["at"], "region": "us-east-1", "records": 1, "outcome": "done", "success": 1,
            "duplicate": 0, "not_subscribed": 0, "after_end": 0, "unprocessed": 0,
        })
    );
}

#[tokio::test]
async fn a_refused_call_is_logged_with_its_name() {
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    world.send(vec![record(&ada, -1)]).await.unwrap_err();
    let (_, log) = world.control("GET", "metering/calls", None).await;
    let line = &log["calls"][0];
    assert_eq!((&line["outcome"], &line["code"]), (&json!("refused"), &json!("ValidationException")));
}

#[tokio::test]
async fn metering_s_settings_are_shown_and_set() {
    let world = World::new().await;
    let usual = json!({"identical_as_duplicate": false, "calls_per_sec": 10});
    assert_eq!(world.control("GET", "metering", None).await, (200, usual.clone()));
    let other = json!({"identical_as_duplicate": true, "calls_per_sec": null});
    assert_eq!(world.control("PUT", "metering", Some(other.clone())).await, (200, other));
    assert_eq!(world.control("PUT", "metering", Some(json!({"calls": 1}))).await.0, 400);
    assert_eq!(world.control("DELETE", "metering", None).await, (200, usual));
}

#[tokio::test]
async fn metering_s_faults_are_set_apart() {
    let world = World::new().await;
    let metering = json!({"error": 0.0, "throttle": 0.0, "drop_answer": 0.0, "unprocessed": 0.5});
    let set = world.control("PUT", "faults/metering", Some(json!({"unprocessed": 0.5}))).await;
    assert_eq!(set, (200, metering.clone()));
    world.control("PUT", "faults", Some(json!({"error": 0.25}))).await;
    assert_eq!(world.control("GET", "faults/metering", None).await.1, metering);
    world.control("DELETE", "faults/metering", None).await;
    assert_eq!(world.control("GET", "faults/metering", None).await.1["error"], 0.25);
}

#[tokio::test]
async fn the_end_of_all_faults_is_that_of_metering_s_too() {
    let world = World::new().await;
    world.control("PUT", "faults/metering", Some(json!({"error": 1.0}))).await;
    world.control("DELETE", "faults", None).await;
    assert_eq!(world.control("GET", "faults/metering", None).await.1["error"], 0.0);
}

#[tokio::test]
async fn an_account_is_suspended_by_an_act() {
    let world = World::new().await;
    world.subscribe("ada", "search").await;
    let act = |name: &str| Some(json!({"act": name, "buyer": "ada", "product": "search"}));
    let (status, done) = world.control("POST", "acts", act("suspend-account")).await;
    assert_eq!((status, &done["notifications"]), (200, &json!([])));
    assert_eq!(world.control("GET", "bill/ada", None).await.1["suspended"], true);
    assert_eq!(world.control("POST", "acts", act("suspend-account")).await.0, 409);
    assert_eq!(world.control("POST", "acts", act("restore-account")).await.0, 200);
    assert_eq!(world.control("GET", "bill/ada", None).await.1["suspended"], false);
}
