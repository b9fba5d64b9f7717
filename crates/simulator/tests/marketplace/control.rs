//! The control API, over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::{World, millis, moment};

fn words(answer: &(u16, Value)) -> &str {
    answer.1["error"].as_str().unwrap()
}

async fn act(world: &World, act: Value) -> (u16, Value) {
    world.control("POST", "acts", Some(act)).await
}

async fn subscribe(world: &World, buyer: &str) -> (u16, Value) {
    act(world, json!({"act": "subscribe", "buyer": buyer, "product": "search"})).await
}

#[tokio::test]
async fn it_tells_what_there_is() {
    let world = World::new().await;
    let (status, there_is) = world.control("GET", "", None).await;
    assert_eq!(status, 200);
    assert_eq!(there_is["url"], world.simulator.url());
    assert_eq!(there_is["rule_arn"], "arn:aws:events:us-east-1:123456789012:rule/stallkeeper");
    assert_eq!(there_is["root_certificate"], "/root.pem");
    assert_eq!(
        there_is["products"][0],
        json!({
            "key": "search",
            "code": "simsearch",
            "id": "prod-simsearch",
            "feed": "sns",
            "pricing": "subscription",
            "topics": ["arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-simsearch"],
            "dimensions": [],
        })
    );
    assert_eq!(there_is["products"][2]["feed"], "eventbridge");
    assert_eq!(
        there_is["queues"][0],
        json!({
            "name": "stallkeeper",
            "url": format!("{}/123456789012/stallkeeper", world.simulator.url()),
            "arn": "arn:aws:sqs:us-east-1:123456789012:stallkeeper",
        })
    );
    assert!(there_is["paths"].as_array().unwrap().contains(&json!("POST /control/acts")));
}

#[tokio::test]
async fn an_act_answers_the_entry_and_what_was_published() {
    let world = World::new().await;
    let (status, done) =
        act(&world, json!({"act": "subscribe", "buyer": "ada", "product": "search", "trial": true})).await;
    assert_eq!(status, 200);
    let arrivals = world.arrivals().await;
    assert_eq!(done["notifications"], json!([arrivals[0].id]));
    let entry = &done["subscription"];
    assert_eq!(
        *entry,
        json!({
            "id": entry["id"],
            "product": "search",
            "code": "simsearch",
            "buyer": "ada",
            "account": entry["account"],
            "customer_id": entry["customer_id"],
            "offer_id": entry["offer_id"],
            "standing": "subscribed",
            "trial": true,
            "periods": [{"from": entry["periods"][0]["from"], "to": null}],
        })
    );
    assert_eq!(moment(&entry["periods"][0]["from"]), arrivals[0].at);
}

#[tokio::test]
async fn the_books_show_the_deadline_while_somebody_is_leaving() {
    let world = World::new().await;
    subscribe(&world, "ada").await;
    let (_, done) = act(&world, json!({"act": "unsubscribe", "buyer": "ada", "product": "search"})).await;
    assert_eq!(done["subscription"]["standing"], "ending");
    let left_at = world.arrivals().await[1].at;
    assert_eq!(moment(&done["subscription"]["deadline"]), left_at + Duration::from_hours(1));
    world.control("POST", "clock", Some(json!({"advance_secs": 3600}))).await;
    let (status, books) = world.control("GET", "books/ada", None).await;
    assert_eq!(status, 200);
    assert_eq!(books["subscriptions"][0]["standing"], "ended");
    assert_eq!(books["subscriptions"][0].get("deadline"), None);
    assert_eq!(books["subscriptions"][0]["periods"][0]["to"], done["subscription"]["deadline"]);
}

#[tokio::test]
async fn the_books_are_read_page_by_page() {
    let world = World::new().await;
    for buyer in ["ada", "eve", "zoe"] {
        subscribe(&world, buyer).await;
    }
    let (_, first) = world.control("GET", "books?limit=2", None).await;
    let after = first["next"].as_str().unwrap();
    let (_, second) = world.control("GET", &format!("books?limit=2&after={after}"), None).await;
    assert_eq!(second["next"], Value::Null);
    let mut ids: Vec<String> = [&first, &second]
        .iter()
        .flat_map(|page| page["subscriptions"].as_array().unwrap())
        .map(|entry| entry["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(ids.is_sorted());
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert!(moment(&second["as_of"]) <= world.simulator.clock().now());
}

#[tokio::test]
async fn what_was_published_is_read_page_by_page() {
    let world = World::new().await;
    for buyer in ["ada", "eve", "zoe"] {
        subscribe(&world, buyer).await;
    }
    let (_, first) = world.control("GET", "notifications?limit=2", None).await;
    assert_eq!(first["next"], 2);
    let (_, second) = world.control("GET", "notifications?limit=2&after=2", None).await;
    assert_eq!(second["next"], Value::Null);
    let last = &second["notifications"][0];
    let arrivals = world.arrivals().await;
    let (_, books) = world.control("GET", "books/zoe", None).await;
    assert_eq!(
        *last,
        json!({
            "number": 3,
            "id": arrivals[2].id,
            "what": "subscribe-success",
            "subscription": books["subscriptions"][0]["id"],
            "at": last["at"],
            "copies": 1,
        })
    );
    assert_eq!(moment(&last["at"]), arrivals[2].at);
}

#[tokio::test]
async fn refusals_say_what_there_is_and_what_to_do() {
    let world = World::new().await;
    let unknown_act = act(&world, json!({"act": "buy", "buyer": "ada", "product": "search"})).await;
    assert_eq!(unknown_act.0, 400);
    assert!(words(&unknown_act).contains("subscribe, fail-payment, amend"), "{unknown_act:?}");

    let unknown_product = act(&world, json!({"act": "subscribe", "buyer": "ada", "product": "x"})).await;
    assert_eq!(unknown_product.0, 404);
    assert!(words(&unknown_product).contains("search, plan, vault, store"), "{unknown_product:?}");

    subscribe(&world, "ada").await;
    let twice = subscribe(&world, "ada").await;
    assert_eq!(twice.0, 409);
    assert!(words(&twice).ends_with("what can: amend, unsubscribe"), "{twice:?}");

    let nobody = world.control("GET", "books/nobody", None).await;
    assert_eq!(nobody.0, 404);
    assert!(words(&nobody).contains("subscribe"), "{nobody:?}");

    let nowhere = world.control("GET", "nowhere", None).await;
    assert_eq!(nowhere.0, 404);
    assert!(words(&nowhere).contains("/control/acts"), "{nowhere:?}");

    let wrong_method = world.control("DELETE", "acts", None).await;
    assert_eq!(wrong_method.0, 405);
    assert!(words(&wrong_method).contains("POST /control/acts"), "{wrong_method:?}");

    for body in [json!({"act": "subscribe", "buyer": "", "product": "search"}), json!([]), json!({})] {
        assert_eq!(act(&world, body).await.0, 400);
    }
}

#[tokio::test]
async fn a_misspelt_field_is_refused() {
    let world = World::new().await;
    let misspelt =
        act(&world, json!({"act": "subscribe", "buyer": "ada", "product": "search", "trail": true})).await;
    assert_eq!(misspelt.0, 400);
    assert!(words(&misspelt).contains("trail"), "{misspelt:?}");
    assert_eq!(world.control("GET", "books?aftr=x", None).await.0, 400);
}

#[tokio::test]
async fn a_body_has_a_bound() {
    let world = World::new().await;
    let long = json!({"act": "subscribe", "buyer": "a".repeat(2 << 20), "product": "search"});
    assert_eq!(act(&world, long).await.0, 413);
}

#[tokio::test]
async fn the_clock_is_moved_and_set() {
    let world = World::new().await;
    let (_, before) = world.control("GET", "clock", None).await;
    let (status, after) = world.control("POST", "clock", Some(json!({"advance_secs": 86_400}))).await;
    assert_eq!((status, &after["moves"]), (200, &json!(1)));
    let moved = moment(&after["now"]) - moment(&before["now"]);
    assert!(moved >= time::Duration::DAY && moved < time::Duration::DAY + time::Duration::MINUTE);
    let (_, set) = world.control("POST", "clock", Some(json!({"set": "2027-03-01T00:00:00Z"}))).await;
    assert!(set["now"].as_str().unwrap().starts_with("2027-03-01T00:00:0"), "{set}");
    let now = world.simulator.clock().now();
    assert!(millis(now) >= moment(&set["now"]));
    for bad in
        [json!({"advance_secs": -1}), json!({"set": "tomorrow"}), json!({"set": "2150-01-01T00:00:00Z"})]
    {
        assert_eq!(world.control("POST", "clock", Some(bad)).await.0, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_falls_due_before_whoever_follows_knows_of_the_move() {
    let world = World::new().await;
    subscribe(&world, "ada").await;
    act(&world, json!({"act": "unsubscribe", "buyer": "ada", "product": "search"})).await;
    let follow = |after: u64| {
        let path = format!("clock?after={after}&wait_secs=20&follower=worker");
        let world = &world;
        async move { world.control("GET", &path, None).await.1 }
    };
    // Whoever has asked is waited for.
    world.control("GET", "clock?after=0&wait_secs=0&follower=worker", None).await;
    let mover = async {
        let answer = world.control("POST", "clock", Some(json!({"advance_secs": 3600}))).await.1;
        (answer, world.simulator.market().published(), Instant::now())
    };
    let follower = async {
        let told = follow(0).await;
        assert_eq!(told["moves"], 1);
        // It does other things before it comes back; until then nothing is published.
        for _ in 0..50 {
            assert_eq!(world.control("GET", "queues", None).await.0, 200);
        }
        let published = world.simulator.market().published();
        let came_back = Instant::now();
        let path = "clock?after=1&wait_secs=1&follower=worker";
        let (_, again) = world.control("GET", path, None).await;
        (published, came_back, again)
    };
    let ((answer, published_after, answered), (published_before, came_back, again)) =
        tokio::join!(mover, follower);
    assert_eq!((published_before, published_after), (2, 3));
    assert!(answered >= came_back);
    assert_eq!((&answer["moves"], &again["moves"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn faults_are_set_shown_and_cleared() {
    let world = World::new().await;
    let lose_all = json!({"lose": {"*": 1.0}});
    let (status, set) = world.control("PUT", "faults", Some(lose_all)).await;
    assert_eq!((status, &set["lose"]["*"]), (200, &json!(1.0)));
    assert_eq!(world.control("GET", "faults", None).await.1, set);
    subscribe(&world, "ada").await;
    assert!(world.bodies().await.is_empty());
    let (_, cleared) = world.control("DELETE", "faults", None).await;
    assert_eq!(cleared["lose"], json!({}));
    subscribe(&world, "eve").await;
    assert_eq!(world.bodies().await.len(), 1);
    let (_, journal) = world.control("GET", "notifications", None).await;
    let copies: Vec<_> =
        journal["notifications"].as_array().unwrap().iter().map(|one| &one["copies"]).collect();
    assert_eq!(copies, [0, 1]);
    let bad = world.control("PUT", "faults", Some(json!({"duplicate": 2.0}))).await;
    assert_eq!(bad.0, 400);
}

#[tokio::test]
async fn queues_tell_what_they_hold() {
    let world = World::new().await;
    subscribe(&world, "ada").await;
    let (_, queues) = world.control("GET", "queues", None).await;
    assert_eq!(queues[0]["name"], "stallkeeper");
    assert_eq!(queues[0]["visible"], 1);
    assert_eq!((&queues[0]["put"], &queues[0]["received"]), (&json!(1), &json!(0)));
    world.bodies().await;
    let (_, queues) = world.control("GET", "queues", None).await;
    assert_eq!((&queues[0]["in_flight"], &queues[0]["received"]), (&json!(1), &json!(1)));
    assert_eq!(queues[1]["name"], "stallkeeper-dead-letters");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_started_and_watched() {
    let world = World::new().await;
    assert_eq!(world.control("GET", "crowd", None).await.0, 404);
    let plan = json!({"notifications": 50, "seed": 7, "span_secs": 3600});
    let (status, started) = world.control("POST", "crowd", Some(plan.clone())).await;
    assert_eq!((status, &started["planned"]), (200, &json!(50)));
    world.simulator.market().crowd_done().await;
    let (_, progress) = world.control("GET", "crowd", None).await;
    assert_eq!(progress, json!({"planned": 50, "published": 50, "done": true}));

    let slow = json!({"notifications": 50, "seed": 7, "rate_per_sec": 1});
    world.control("POST", "crowd", Some(slow)).await;
    assert_eq!(world.control("POST", "crowd", Some(plan)).await.0, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_is_the_crowd_s_while_it_spans_time() {
    let world = World::new().await;
    let plan = json!({"notifications": 1000, "seed": 7, "span_secs": 3600, "rate_per_sec": 1});
    world.control("POST", "crowd", Some(plan)).await;
    let refused = world.control("POST", "clock", Some(json!({"advance_secs": 1}))).await;
    assert_eq!(refused.0, 409);
    assert!(words(&refused).contains("wait until GET /control/crowd"), "{refused:?}");
}

#[tokio::test]
async fn a_move_names_the_followers_who_did_not_come_back() {
    let world = World::new().await;
    world.control("GET", "clock?after=1&wait_secs=0&follower=gone", None).await;
    world.control("GET", "clock?after=0&wait_secs=0&follower=late", None).await;
    let (status, moved) = world.control("POST", "clock", Some(json!({"advance_secs": 1}))).await;
    assert_eq!((status, &moved["unconfirmed"]), (200, &json!(["late"])));
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let world = World::new().await;
    let port = world.simulator.url().rsplit_once(':').unwrap().1;
    let own = format!("127.0.0.1:{port}");
    for (host, origin, expected) in [
        (own.as_str(), None, 200),
        (&own, Some(format!("http://{own}")), 200),
        (&own, Some("https://elsewhere.example".to_owned()), 403),
        (&own, Some("null".to_owned()), 403),
        ("rebound.example", None, 403),
        ("rebound.example", Some("http://rebound.example".to_owned()), 403),
    ] {
        let request = reqwest::Client::new().get(format!("{}/control/", world.simulator.url()));
        let mut request = request.header("host", host);
        if let Some(origin) = &origin {
            request = request.header("origin", origin);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), expected, "{host} {origin:?}");
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(body["error"].is_string(), expected == 403, "{body}");
    }
}
