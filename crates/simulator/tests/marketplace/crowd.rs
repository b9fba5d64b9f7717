use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stallkeeper_simulator::{
    CrowdError, CrowdPlan, Feed, Notification, Pricing, Product, Simulator, SimulatorConfig, Standing,
};

use crate::world::World;

async fn crowd(world: &World, plan: CrowdPlan) -> Vec<Notification> {
    world.simulator.start_crowd(plan).unwrap();
    tokio::time::timeout(Duration::from_mins(2), world.simulator.market().crowd_done()).await.unwrap();
    world.simulator.market().notifications(0, usize::MAX)
}

fn spanning(notifications: u64, seed: u64, span: Duration) -> CrowdPlan {
    CrowdPlan { span_secs: Some(span.as_secs()), ..CrowdPlan::new(notifications, seed) }
}

fn outline(notifications: &[Notification]) -> Vec<(u64, String, &'static str, String)> {
    let line = |one: &Notification| (one.number, one.id.clone(), one.what, one.subscription.to_string());
    notifications.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_makes_the_same_notifications_under_the_same_ids() {
    for plan in [CrowdPlan::new(400, 7), spanning(400, 7, Duration::from_hours(6))] {
        let one = crowd(&World::new().await, plan).await;
        let two = crowd(&World::new().await, plan).await;
        assert_eq!(outline(&one), outline(&two));
        let other = crowd(&World::new().await, CrowdPlan { seed: 8, ..plan }).await;
        assert_ne!(outline(&one), outline(&other));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_as_many_are_published_as_were_planned() {
    for notifications in [1, 2, 3, 7, 250] {
        for span in [None, Some(7_200)] {
            let world = World::new().await;
            let plan = CrowdPlan { span_secs: span, ..CrowdPlan::new(notifications, notifications) };
            let made = crowd(&world, plan).await;
            let progress = world.simulator.market().crowd().unwrap();
            assert_eq!((made.len() as u64, progress.published), (notifications, notifications), "{span:?}");
            assert!(progress.done);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn licenses_alone_make_exactly_as_many_too() {
    let products = vec![Product::new("vault", "simvault", Feed::EventBridge, Pricing::Subscription)];
    for notifications in 2..14 {
        let span = (notifications % 2 == 0).then_some(36_000);
        let config = SimulatorConfig { products: products.clone(), ..SimulatorConfig::default() };
        let simulator = Simulator::start(config).await.unwrap();
        let plan = CrowdPlan { span_secs: span, ..CrowdPlan::new(notifications, notifications) };
        simulator.start_crowd(plan).unwrap();
        simulator.market().crowd_done().await;
        assert_eq!(simulator.market().published(), notifications, "{span:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_moves_the_clock_to_its_end_and_everything_lies_within() {
    let world = World::new().await;
    let from = world.simulator.clock().now();
    let span = Duration::from_hours(48);
    let made = crowd(&world, spanning(500, 3, span)).await;
    let now = world.simulator.clock().now();
    assert!(now >= from + span && now < from + span + Duration::from_mins(1), "{}", now - from);
    assert!(made.iter().all(|one| one.at >= from - Duration::from_secs(1) && one.at <= now));
    let spread = made.last().unwrap().at - made[0].at;
    assert!(spread > span / 2, "{spread}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_span_the_clock_is_left_alone() {
    let world = World::new().await;
    crowd(&world, CrowdPlan::new(200, 3)).await;
    assert_eq!(*world.simulator.clock().moves().borrow(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_does_everything_that_can_be_done() {
    let world = World::new().await;
    let made = crowd(&world, spanning(3_000, 11, Duration::from_hours(24))).await;
    let whats: BTreeSet<&str> = made.iter().map(|one| one.what).collect();
    assert_eq!(
        whats.into_iter().collect::<Vec<_>>(),
        [
            "License Deprovisioned",
            "License Updated",
            "Purchase Agreement Advisory Issued",
            "Purchase Agreement Advisory Resolved",
            "Purchase Agreement Amended",
            "Purchase Agreement Created",
            "Purchase Agreement Ended",
            "entitlement-updated",
            "subscribe-fail",
            "subscribe-success",
            "unsubscribe-pending",
            "unsubscribe-success",
        ]
    );
    let books = world.simulator.market().books();
    let buyers: BTreeSet<&str> = books.iter().map(|entry| entry.buyer.as_str()).collect();
    assert!((200..=600).contains(&buyers.len()), "{} buyers", buyers.len());

    let mut licenses: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for entry in books.iter().filter(|entry| entry.license_arn.is_some()) {
        *licenses.entry((&entry.buyer, &entry.product)).or_default() += 1;
    }
    assert!(licenses.values().any(|count| *count > 1), "several licenses of one account");

    let joints = || books.iter().flat_map(|entry| entry.periods.windows(2));
    assert!(joints().any(|pair| pair[0].to == Some(pair[1].from)), "back inside the hour");
    assert!(joints().any(|pair| pair[0].to < Some(pair[1].from)), "back after the hour");
    let standing = |standing: &str| books.iter().any(|entry| entry.standing.as_str() == standing);
    assert!(["subscribed", "payment-failed", "ending", "ended"].into_iter().all(standing));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_follow_from_what_was_published() {
    let world = World::new().await;
    for plan in [spanning(1_500, 5, Duration::from_hours(12)), CrowdPlan::new(500, 6)] {
        world.simulator.start_crowd(plan).unwrap();
        world.simulator.market().crowd_done().await;
    }
    let mut told: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut made = world.simulator.market().notifications(0, usize::MAX);
    made.sort_by_key(|one| one.at);
    for one in &made {
        told.entry(one.subscription.to_string()).or_default().push(one.what);
    }
    for entry in world.simulator.market().books() {
        // By what AWS documents: the last word on a subscription, leaving aside words that say nothing of it.
        let last = told[&*entry.id].iter().rev().find(|what| !what.contains("Advisory"));
        let expected = match *last.unwrap() {
            "subscribe-success" | "entitlement-updated" | "License Updated" => "subscribed",
            "subscribe-fail" => "payment-failed",
            "unsubscribe-pending" | "Purchase Agreement Ended" => "ending",
            "unsubscribe-success" | "License Deprovisioned" => "ended",
            other => panic!("{other}"),
        };
        assert_eq!(entry.standing.as_str(), expected, "{entry:?}");
        assert_eq!(
            entry.standing != Standing::Subscribed && !matches!(entry.standing, Standing::Ending { .. }),
            entry.periods.iter().all(|period| period.to.is_some()),
            "{entry:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_is_kept() {
    let world = World::new().await;
    let started = tokio::time::Instant::now();
    crowd(&world, CrowdPlan { rate_per_sec: Some(200.0), ..CrowdPlan::new(100, 7) }).await;
    assert!(started.elapsed() >= Duration::from_millis(450), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_crowd_at_a_time() {
    let world = World::new().await;
    let slow = CrowdPlan { rate_per_sec: Some(1.0), ..CrowdPlan::new(100, 7) };
    world.simulator.start_crowd(slow).unwrap();
    let refused = world.simulator.start_crowd(slow);
    assert!(matches!(refused, Err(CrowdError::Running { planned: 100, .. })), "{refused:?}");
    world.simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_stops_with_its_simulator() {
    for _ in 0..10 {
        let world = World::new().await;
        let market = world.simulator.market().clone();
        world.simulator.start_crowd(CrowdPlan::new(1_000_000, 7)).unwrap();
        while market.published() < 10 {
            tokio::task::yield_now().await;
        }
        drop(world);
        tokio::time::timeout(Duration::from_secs(10), market.crowd_done()).await.unwrap();
        assert!(market.published() < 1_000_000);
    }
}

#[tokio::test]
async fn a_plan_out_of_its_bounds_is_refused() {
    let world = World::new().await;
    for plan in [
        CrowdPlan::new(0, 7),
        CrowdPlan::new(1_000_001, 7),
        CrowdPlan { rate_per_sec: Some(0.0), ..CrowdPlan::new(10, 7) },
        CrowdPlan { rate_per_sec: Some(f64::NAN), ..CrowdPlan::new(10, 7) },
        CrowdPlan { span_secs: Some(864_000), ..CrowdPlan::new(10, 7) },
    ] {
        let refused = world.simulator.start_crowd(plan);
        assert!(matches!(refused, Err(CrowdError::BadPlan(_))), "{plan:?}: {refused:?}");
    }
    assert_eq!(world.simulator.market().crowd(), None);
}
