//! What the marketplace says by itself, as its time goes by.

use std::time::Duration;

use stallkeeper_simulator::{Act, ClockMove, MoveError, Standing, Whose};

use crate::world::World;

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn what_falls_due_in_a_jump_is_said_in_the_order_of_its_time() {
    let world = World::new().await;
    for buyer in ["ada", "eve", "zoe"] {
        world.act(Act::subscribe(buyer, "search")).await;
    }
    for buyer in ["zoe", "ada", "eve"] {
        world.act(Act::Unsubscribe(Whose::only(buyer, "search"))).await;
        world.advance(HOUR / 6).await;
    }
    world.arrivals().await;
    world.advance(HOUR * 5).await;
    let market = world.simulator.market();
    let published = market.notifications(6, 10);
    let customers: Vec<_> = ["zoe", "ada", "eve"].iter().map(|buyer| world.entry(buyer).id.clone()).collect();
    let order: Vec<_> = published.iter().map(|one| one.subscription.clone()).collect();
    assert_eq!(order, customers);
    for notification in published {
        assert_eq!(notification.what, "unsubscribe-success");
        let entry = market.books().into_iter().find(|entry| entry.id == notification.subscription).unwrap();
        assert_eq!((entry.standing, entry.periods[0].to), (Standing::Ended, Some(notification.at)));
    }
}

#[tokio::test]
async fn what_falls_due_as_real_time_passes_is_said_without_a_move() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "search")).await;
    let left = world.act(Act::Unsubscribe(Whose::only("ada", "search"))).await.subscription;
    let Standing::Ending { deadline } = left.standing else { panic!("{left:?}") };
    let almost = deadline - Duration::from_millis(200);
    world.simulator.market().move_clock(ClockMove::Set(almost)).await.unwrap();
    assert_eq!(world.simulator.market().published(), 2);
    assert!(matches!(world.entry("ada").standing, Standing::Ending { .. }));
    let said = async {
        while world.simulator.market().published() < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), said).await.unwrap();
    assert_eq!(world.simulator.market().notifications(2, 1)[0].at, deadline);
}

#[tokio::test]
async fn an_hour_that_is_over_is_said_before_the_next_act() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "search")).await;
    world.act(Act::Unsubscribe(Whose::only("ada", "search"))).await;
    // Moved by hand, so that nobody waits for what falls due.
    world.simulator.clock().advance(HOUR);
    assert_eq!(world.entry("ada").standing, Standing::Ended);
    world.act(Act::subscribe("ada", "search")).await;
    let whats: Vec<_> = world.simulator.market().notifications(0, 10).iter().map(|one| one.what).collect();
    assert_eq!(
        whats,
        ["subscribe-success", "unsubscribe-pending", "unsubscribe-success", "subscribe-success"]
    );
}

#[tokio::test]
async fn the_clock_stays_within_the_life_of_the_certificate() {
    let world = World::new().await;
    let before = world.simulator.clock().now();
    for to in [ClockMove::AdvanceSecs(u64::MAX), ClockMove::AdvanceSecs(100 * 366 * 24 * 3600)] {
        assert_eq!(world.simulator.market().move_clock(to).await, Err(MoveError::OutOfBounds));
    }
    assert!(world.simulator.clock().now() - before < Duration::from_mins(1));
}
