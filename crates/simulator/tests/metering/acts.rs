//! What buyers do, and what can be metered then.

use std::time::Duration;

use aws_sdk_marketplacemetering::primitives::DateTime;
use aws_sdk_marketplacemetering::types::{UsageRecord, UsageRecordResultStatus};
use stallkeeper_simulator::{Act, ActError, Whose};

use crate::world::{World, first_second, record, send};

const HOUR: Duration = Duration::from_hours(1);

async fn status(world: &World, record: UsageRecord) -> UsageRecordResultStatus {
    let product_code = record.license_arn.is_none().then_some("simsearch");
    let answer = send(&world.client, product_code, vec![record]).await.unwrap();
    answer.results()[0].status().unwrap().clone()
}

#[tokio::test]
async fn nothing_of_a_suspended_account_is_metered_until_it_is_restored() {
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    let license = world.subscribe("ada", "vault").await;
    world.act(Act::SuspendAccount(Whose::only("ada", "search"))).await;
    for entry in [&ada, &license] {
        assert_eq!(status(&world, record(entry, 5)).await, UsageRecordResultStatus::CustomerNotSubscribed);
    }
    world.act(Act::RestoreAccount(Whose::only("ada", "vault"))).await;
    for entry in [&ada, &license] {
        assert_eq!(status(&world, record(entry, 5)).await, UsageRecordResultStatus::Success);
    }
}

#[tokio::test]
async fn somebody_else_s_account_is_not_suspended_with_it() {
    let world = World::new().await;
    world.subscribe("ada", "search").await;
    let eve = world.subscribe("eve", "search").await;
    world.act(Act::SuspendAccount(Whose::only("ada", "search"))).await;
    assert_eq!(status(&world, record(&eve, 5)).await, UsageRecordResultStatus::Success);
}

#[tokio::test]
async fn a_suspension_is_not_said_to_anybody() {
    let world = World::new().await;
    let bought = world.subscribe("ada", "vault").await;
    let published = world.simulator.market().published();
    let suspended = Act::SuspendAccount(Whose::only("ada", "vault"));
    let done = world.simulator.market().act(&suspended).await.unwrap();
    assert_eq!(done.notifications, [""; 0]);
    assert_eq!((done.subscription.standing, done.subscription.id), (bought.standing, bought.id));
    world.act(Act::RestoreAccount(Whose::only("ada", "vault"))).await;
    assert_eq!(world.simulator.market().published(), published);
}

#[tokio::test]
async fn an_account_is_suspended_once_and_restored_once() {
    let world = World::new().await;
    world.subscribe("ada", "search").await;
    let ada = Whose::only("ada", "search");
    let refused = async |act: Act| match world.simulator.market().act(&act).await.unwrap_err() {
        ActError::Impossible { possible, .. } => possible,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(Act::RestoreAccount(ada.clone())).await, "suspend-account");
    world.act(Act::SuspendAccount(ada.clone())).await;
    assert!(world.simulator.market().is_suspended("ada"));
    assert_eq!(refused(Act::SuspendAccount(ada)).await, "restore-account");
}

#[tokio::test]
async fn whoever_left_can_be_metered_for_an_hour() {
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    world.act(Act::Unsubscribe(Whose::only("ada", "search"))).await;
    world.simulator.market().advance(HOUR.saturating_sub(Duration::from_mins(1))).await.unwrap();
    assert_eq!(status(&world, record(&ada, 5)).await, UsageRecordResultStatus::Success);
    world.simulator.market().advance(Duration::from_mins(1)).await.unwrap();
    let late = UsageRecord::builder()
        .timestamp(DateTime::from_secs(first_second(&ada)))
        .set_customer_identifier(ada.customer_id.clone())
        .dimension("bytes")
        .build()
        .unwrap();
    assert_eq!(status(&world, late).await, UsageRecordResultStatus::CustomerNotSubscribed);
    assert_eq!(world.simulator.metering().counts().after_end, 1);
}

#[tokio::test]
async fn whoever_comes_back_within_the_hour_can_be_metered_for_before() {
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    world.act(Act::Unsubscribe(Whose::only("ada", "search"))).await;
    world.simulator.market().advance(HOUR / 2).await.unwrap();
    world.subscribe("ada", "search").await;
    world.simulator.market().advance(HOUR * 2).await.unwrap();
    assert_eq!(status(&world, record(&ada, 5)).await, UsageRecordResultStatus::Success);
}

#[tokio::test]
async fn a_customer_can_be_named_by_account() {
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    let by_account = UsageRecord::builder()
        .timestamp(DateTime::from_secs(first_second(&ada)))
        .customer_identifier("")
        .customer_aws_account_id(&ada.account)
        .dimension("hits")
        .build()
        .unwrap();
    assert_eq!(status(&world, by_account).await, UsageRecordResultStatus::Success);
    assert_eq!(world.simulator.metering().bill()[0].subscription, ada.id);
}
