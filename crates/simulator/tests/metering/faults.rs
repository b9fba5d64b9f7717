//! Calls of metering that go wrong on demand.

use aws_sdk_marketplacemetering::operation::batch_meter_usage::BatchMeterUsageError;
use aws_sdk_marketplacemetering::types::UsageRecord;
use stallkeeper_simulator::{CallFate, FaultSettings, Faults, MeteringFaultSettings};

use crate::world::{World, record};

async fn world_with_ada() -> (World, Vec<UsageRecord>) {
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    let records = vec![record(&ada, 5)];
    (world, records)
}

fn only_metering(world: &World, settings: MeteringFaultSettings) {
    world.simulator.faults().set_metering(Some(settings)).unwrap();
}

#[tokio::test]
async fn a_failed_call_is_not_done() {
    let (world, records) = world_with_ada().await;
    only_metering(&world, MeteringFaultSettings { error: 1.0, ..Default::default() });
    let error = world.send(records).await.unwrap_err();
    assert!(matches!(error, BatchMeterUsageError::InternalServiceErrorException(_)), "{error:?}");
    assert_eq!(world.simulator.metering().bill(), []);
    assert_eq!(world.simulator.metering().counts().refused, 1);
}

#[tokio::test]
async fn a_throttled_call_is_not_done() {
    let (world, records) = world_with_ada().await;
    only_metering(&world, MeteringFaultSettings { throttle: 1.0, ..Default::default() });
    let error = world.send(records).await.unwrap_err();
    assert!(matches!(error, BatchMeterUsageError::ThrottlingException(_)), "{error:?}");
    assert_eq!(world.simulator.metering().bill(), []);
}

#[tokio::test]
async fn a_dropped_answer_is_to_a_call_that_was_done() {
    let (world, records) = world_with_ada().await;
    only_metering(&world, MeteringFaultSettings { drop_answer: 1.0, ..Default::default() });
    let call = world.client.batch_meter_usage().product_code("simsearch").set_usage_records(Some(records));
    let error = call.send().await.unwrap_err();
    assert!(error.as_service_error().is_none(), "{error:?}");
    assert_eq!(world.simulator.metering().bill().len(), 1);
}

#[tokio::test]
async fn an_unprocessed_record_comes_back_as_it_was_sent_and_is_not_billed() {
    let (world, records) = world_with_ada().await;
    only_metering(&world, MeteringFaultSettings { unprocessed: 1.0, ..Default::default() });
    let answer = world.send(records.clone()).await.unwrap();
    assert_eq!(answer.results(), []);
    assert_eq!(answer.unprocessed_records(), records);
    assert_eq!(world.simulator.metering().bill(), []);
    world.simulator.faults().set_metering(None).unwrap();
    world.send(records).await.unwrap();
    assert_eq!(world.simulator.metering().bill().len(), 1);
}

#[tokio::test]
async fn the_faults_of_all_calls_are_metering_s_too() {
    let (world, records) = world_with_ada().await;
    world.simulator.faults().set(FaultSettings { error: 1.0, ..Default::default() }).unwrap();
    world.send(records).await.unwrap_err();
    assert_eq!(world.simulator.metering().bill(), []);
}

#[test]
fn faults_of_metering_alone_go_before_those_of_all_calls_and_leave_queues_alone() {
    let faults = Faults::new(7);
    faults.set(FaultSettings { error: 1.0, ..Default::default() }).unwrap();
    faults.set_metering(Some(MeteringFaultSettings { throttle: 1.0, ..Default::default() })).unwrap();
    assert_eq!((faults.draw_call(), faults.draw_metering_call()), (CallFate::Failed, CallFate::Throttled));
    faults.set_metering(None).unwrap();
    assert_eq!(faults.draw_metering_call(), CallFate::Failed);
}

#[test]
fn polling_does_not_change_what_becomes_of_metering() {
    let settings = MeteringFaultSettings { error: 0.3, drop_answer: 0.3, unprocessed: 0.5, throttle: 0.0 };
    let fates = |polls: usize| {
        let faults = Faults::new(7);
        faults.set_metering(Some(settings)).unwrap();
        let after_polls = |_| {
            (0..polls).for_each(|_| _ = faults.draw_call());
            (faults.draw_metering_call(), faults.draw_unprocessed())
        };
        (0..100).map(after_polls).collect::<Vec<_>>()
    };
    assert_eq!(fates(0), fates(3));
}

#[test]
fn settings_that_cannot_be_change_nothing() {
    let faults = Faults::new(7);
    let good = MeteringFaultSettings { unprocessed: 0.25, ..Default::default() };
    faults.set_metering(Some(good)).unwrap();
    for bad in [
        MeteringFaultSettings { unprocessed: 1.5, ..Default::default() },
        MeteringFaultSettings { error: 0.6, throttle: 0.6, ..Default::default() },
        MeteringFaultSettings { drop_answer: f64::NAN, ..Default::default() },
    ] {
        assert!(faults.set_metering(Some(bad)).is_err(), "{bad:?}");
    }
    assert_eq!(faults.metering_settings(), good);
}
