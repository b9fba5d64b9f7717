use stallkeeper_lifecycle::FactKind;
use stallkeeper_metering::Next;
use stallkeeper_persistence::usage::{Watermark, put_watermark};

use crate::world::{Configured, World, key, minute};

#[tokio::test]
async fn an_hour_is_closed_when_its_settle_delay_is_over_and_not_before() {
    let world = World::open().await;
    let buyer = key("prod-1", "c1");
    world.subscribe(&buyer).await;
    world.uses(&buyer, 3, 5).await;
    world.close_all().await;
    world.set_clock(minute(119));
    let stepped = world.closer().step().await.unwrap();
    assert_eq!(stepped.next, Next::At(minute(120)), "an hour after the hour's end");
    assert_eq!(world.states(&buyer).await, ["open"]);
    world.set_clock(minute(120));
    world.close_all().await;
    assert_eq!(world.states(&buyer).await, ["frozen"]);
}

#[tokio::test]
async fn an_hour_is_closed_as_soon_as_every_source_has_said_that_it_is_complete() {
    let sources = ["app", "batch"].map(|name| name.parse().unwrap());
    let world = World::with(Configured { sources: sources.clone().into(), ..Configured::default() }).await;
    let buyer = key("prod-1", "c1");
    world.subscribe(&buyer).await;
    world.uses(&buyer, 3, 5).await;
    world.set_clock(minute(61));
    let mut states = Vec::new();
    for source in sources {
        let product = "search".parse().unwrap();
        let watermark = Watermark { product, tenant: None, source, complete_through: minute(60) };
        put_watermark(&*world.store, &watermark, world.now(), &*world.terms).await.unwrap();
        world.close_all().await;
        states.extend(world.states(&buyer).await);
    }
    assert_eq!(states, ["open", "frozen"]);
}

#[tokio::test]
async fn final_usage_is_frozen_ten_minutes_before_the_window_s_end() {
    let world = World::open().await;
    let buyer = key("prod-1", "c1");
    world.subscribe(&buyer).await;
    world.uses(&buyer, 3, 5).await;
    world.hear(&buyer, minute(30), FactKind::UnsubscribePending).await;
    world.close_all().await;
    assert_eq!(world.closer().step().await.unwrap().next, Next::At(minute(80)));
    world.set_clock(minute(79));
    world.close_all().await;
    assert_eq!(world.states(&buyer).await, ["open"]);
    world.set_clock(minute(80));
    world.close_all().await;
    assert_eq!(world.states(&buyer).await, ["frozen"]);
    world.sender().step().await.unwrap();
    assert_eq!(world.states(&buyer).await, ["settled"]);
}

#[tokio::test]
async fn what_could_not_be_sent_in_its_window_is_listed_as_lost() {
    let world = World::open().await;
    let buyer = key("prod-1", "c1");
    world.subscribe(&buyer).await;
    world.uses(&buyer, 3, 5).await;
    world.hear(&buyer, minute(30), FactKind::UnsubscribePending).await;
    world.set_clock(minute(85));
    world.close_all().await;
    world.set_clock(minute(90));
    world.close_all().await;
    assert_eq!(world.states(&buyer).await, ["expired"]);
    assert_eq!(world.losses().await, ["expired"]);
    world.sender().step().await.unwrap();
    assert_eq!(world.market.sizes(), [0; 0], "no call after the window");
}

#[tokio::test]
async fn more_meters_than_one_round_takes_are_looked_at_in_the_next() {
    let world = World::open().await;
    let buyers: Vec<_> = (0..300).map(|buyer| key("prod-1", &format!("c{buyer}"))).collect();
    world.subscribe_all(&buyers).await;
    let closer = world.closer();
    let first = closer.step().await.unwrap();
    assert_eq!((first.done, first.next), (256, Next::Now));
    assert_eq!(closer.step().await.unwrap().done, 44);
}
