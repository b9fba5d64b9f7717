use stallkeeper_ledger::{RecordEnd, RecordState};
use stallkeeper_metering::{LaneTrouble, MeteringConfig, Next};

use crate::market::{not_possible, refused, throttled, unknown};
use crate::world::{World, key};

#[tokio::test]
async fn a_refused_call_is_halved_until_the_record_to_blame_is_alone() {
    let world = World::open().await;
    world.frozen("prod-1", 25).await;
    world.market.refused.lock().unwrap().insert("c0017".to_owned());
    world.sender().step().await.unwrap();
    let mut settled = 0;
    for buyer in 0..25 {
        match (buyer, world.state(&key("prod-1", &format!("c{buyer:04}"))).await) {
            (17, RecordState::Ended { end: RecordEnd::Rejected, why, .. }) => {
                assert!(why.contains("InvalidUsageDimensionException"), "{why}");
            }
            (_, RecordState::Settled { .. }) => settled += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(settled, 24);
    assert_eq!(world.losses().await, ["rejected"]);
    assert!(world.market.calls().len() <= 11, "one call, then two in each of five rounds");
}

#[tokio::test]
async fn several_records_to_blame_are_all_found() {
    let world = World::open().await;
    world.frozen("prod-1", 25).await;
    let blamed = ["c0000".to_owned(), "c0001".to_owned(), "c0024".to_owned()];
    world.market.refused.lock().unwrap().extend(blamed);
    world.sender().step().await.unwrap();
    assert_eq!(world.losses().await, ["rejected"; 3]);
    assert_eq!(world.states(&key("prod-1", "c0002")).await, ["settled"]);
}

#[tokio::test]
async fn a_record_that_is_alone_and_out_of_bounds_is_rejected() {
    let world = World::open().await;
    world.frozen("prod-1", 1).await;
    world.market.then_fails(refused("TimestampOutOfBoundsException"));
    world.sender().step().await.unwrap();
    assert_eq!(world.losses().await, ["rejected"]);
}

#[tokio::test]
async fn throttling_ends_the_wave_and_the_next_one_begins_with_the_same_call() {
    let world = World::open().await;
    world.frozen("prod-1", 60).await;
    world.market.then_fails(throttled());
    let sender = world.sender();
    let stepped = sender.step().await.unwrap();
    assert!(matches!(stepped.next, Next::After(_)), "{stepped:?}");
    assert_eq!(world.market.sizes(), [25], "the others are not even tried");
    assert_eq!(sender.step().await.unwrap().next, Next::Now);
    assert_eq!(world.market.sizes(), [25, 25, 25, 10]);
    let calls = world.market.calls();
    assert_eq!(calls[0], calls[1]);
}

#[tokio::test]
async fn the_lane_rests_longer_each_time_and_starts_over_after_a_success() {
    let world = World::open().await;
    world.frozen("prod-1", 1).await;
    let second = std::time::Duration::from_secs(1);
    let config = MeteringConfig { retry_base: second, retry_cap: second * 100, ..World::config() };
    let sender = world.sender_of("worker-1", config);
    let mut rests = Vec::new();
    for _ in 0..5 {
        world.market.then_fails(throttled());
        let Next::After(rest) = sender.step().await.unwrap().next else { panic!("no rest") };
        rests.push(rest);
    }
    assert!(rests[0] <= second * 3 / 2 && rests[4] >= second * 8, "{rests:?}");
    assert_eq!(sender.step().await.unwrap().next, Next::Now);
}

#[tokio::test]
async fn a_lane_that_cannot_send_is_red_with_its_remedy_until_a_call_goes_through() {
    let world = World::open().await;
    world.frozen("prod-1", 30).await;
    world.market.then_fails(not_possible());
    let sender = world.sender();
    assert!(matches!(sender.step().await.unwrap().next, Next::After(_)));
    let expected = LaneTrouble {
        lane: "aws us-east-1".to_owned(),
        problem: "AccessDenied".to_owned(),
        remedy: "allow it in the policy".to_owned(),
    };
    assert_eq!(sender.health().trouble(), Some(expected));
    assert_eq!(world.market.sizes(), [25]);
    sender.step().await.unwrap();
    assert_eq!(sender.health().trouble(), None);
    assert_eq!(world.losses().await, [""; 0]);
}

#[tokio::test]
async fn a_marketplace_that_never_answers_is_not_called_for_the_whole_wave() {
    let world = World::open().await;
    world.frozen("prod-1", 120).await;
    (0..5).for_each(|_| {
        world.market.then_fails(unknown());
    });
    assert!(matches!(world.sender().step().await.unwrap().next, Next::After(_)));
    assert_eq!(world.market.sizes(), [25, 25, 25]);
}

#[tokio::test]
async fn one_call_without_an_answer_does_not_hold_up_the_others() {
    let world = World::open().await;
    world.frozen("prod-1", 60).await;
    world.market.then_fails(unknown());
    world.sender().step().await.unwrap();
    assert_eq!(world.market.sizes(), [25, 25, 10]);
}
