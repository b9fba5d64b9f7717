use std::sync::Arc;
use std::time::Duration;

use stallkeeper_lifecycle::FactKind;
use stallkeeper_metering::{MeteringConfig, Reporter};
use stallkeeper_persistence::usage::{LedgerStore as _, MeterTermsOf};
use stallkeeper_persistence::{Committer, TermsOf, batcher};
use tokio_util::sync::CancellationToken;

use crate::world::{World, key, minute};

/// Waits for a condition, for as long as a test may take at all.
async fn until<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
}

/// Runs a reporter until a test is through with it.
async fn while_reporting(world: &World, test: impl AsyncFnOnce(&Reporter)) {
    let terms: Arc<dyn TermsOf> = world.terms.clone();
    let clock = Arc::new(world.clock.clone());
    let (committer, commits) = batcher(world.store.clone(), clock.clone(), terms);
    let news = committer.metering_news();
    let (lanes, config) = (vec![world.lane()], MeteringConfig { in_flight: 8, ..World::config() });
    let reporter = Reporter::new(world.store(), clock, world.terms.clone(), lanes, "worker-1", news, config);
    let stop = CancellationToken::new();
    tokio::join!(reporter.run(committer, &stop), commits.run(), async {
        test(&reporter).await;
        stop.cancel();
    });
}

/// The worker runs it as a task, which may move between threads.
#[test]
fn a_reporter_can_be_spawned() {
    fn is_task<T: Send + 'static>(_: impl FnOnce(Arc<Reporter>, Committer) -> T) {}
    is_task(|reporter, committer| async move { reporter.run(committer, &CancellationToken::new()).await });
}

#[tokio::test]
async fn the_reporter_closes_and_sends_as_the_clock_jumps() {
    let world = World::open().await;
    let buyer = key("prod-1", "c1");
    world.subscribe(&buyer).await;
    world.uses(&buyer, 3, 5).await;
    while_reporting(&world, async |reporter| {
        world.set_clock(minute(121));
        until(async || world.states(&buyer).await == ["settled"]).await;
        assert_eq!(reporter.health().troubles(), []);
    })
    .await;
}

#[tokio::test]
async fn a_lane_is_given_back_at_the_end() {
    let world = World::open().await;
    world.frozen("prod-1", 1).await;
    let buyer = key("prod-1", "c0000");
    while_reporting(&world, async |_| until(async || world.states(&buyer).await == ["settled"]).await).await;
    world.set_clock(minute(30));
    world.frozen("prod-2", 1).await;
    assert_eq!(world.sender_of("worker-2", World::config()).step().await.unwrap().done, 1);
}

#[tokio::test]
async fn a_subscription_that_is_older_than_its_metering_gets_a_meter_at_start() {
    let mut world = World::open().await;
    let buyer = key("prod-1", "c1");
    let metered = world.terms.clone();
    world.terms = Arc::new(crate::world::Configured::nothing());
    let kind = FactKind::SubscribeSuccess { offer: None, trial: stallkeeper_lifecycle::Trial::No };
    world.hear(&buyer, minute(0), kind).await;
    assert_eq!(world.store.meter(&buyer).await.unwrap(), None);
    world.terms = metered;
    assert!(world.terms.meter_terms(&buyer).is_some());
    while_reporting(&world, async |_| {
        until(async || world.store.meter(&buyer).await.unwrap().is_some()).await;
    })
    .await;
}

#[tokio::test]
async fn a_backlog_leaves_in_full_calls_and_each_record_once() {
    let world = World::open().await;
    world.frozen("prod-1", 1_010).await;
    let last = key("prod-1", "c1009");
    while_reporting(&world, async |_| {
        until(async || world.store.ledger_health().await.unwrap().unsent == 0).await;
    })
    .await;
    assert_eq!(world.states(&last).await, ["settled"]);
    let sizes = world.market.sizes();
    assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (41, 1_010));
}
