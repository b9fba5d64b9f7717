use std::sync::atomic::Ordering;

use stallkeeper_ledger::{ProductKey, RecordState};
use stallkeeper_lifecycle::FactKind;
use stallkeeper_metering::{MeteringConfig, Mode, Next, RecordAnswer};
use stallkeeper_persistence::Actor;
use stallkeeper_persistence::usage::LedgerStore as _;

use crate::world::{World, key, minute};

#[tokio::test]
async fn each_record_gets_what_the_marketplace_said_of_it() {
    let world = World::open().await;
    world.frozen("prod-1", 6).await;
    world.market.then(|call| {
        Ok(crate::market::each(call, |place| match place {
            0 => RecordAnswer::Accepted { record_id: "m0".to_owned() },
            1 => RecordAnswer::Duplicate { record_id: None },
            2 => RecordAnswer::NotSubscribed,
            3 => RecordAnswer::Unprocessed,
            4 => RecordAnswer::Unheard { word: "Postponed".to_owned() },
            _ => RecordAnswer::Missing,
        }))
    });
    world.sender().step().await.unwrap();
    let mut states = Vec::new();
    for buyer in 0..6 {
        states.extend(world.states(&key("prod-1", &format!("c{buyer:04}"))).await);
    }
    assert_eq!(states, ["settled", "conflict", "frozen", "frozen", "frozen", "frozen"]);
    assert_eq!(world.losses().await, ["conflict"]);
}

#[tokio::test]
async fn a_settled_record_keeps_the_marketplace_s_id_and_the_attempt_its_request() {
    let world = World::open().await;
    world.frozen("prod-1", 1).await;
    world.sender().step().await.unwrap();
    let line = world.records(&key("prod-1", "c0000")).await.remove(0);
    let settled = RecordState::Settled { at: minute(125), record_id: "m0".to_owned() };
    assert_eq!(line.record.state, settled);
    let attempts = world.store.attempts(&line.record.sending.attempts).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].attempt.records, [line.number]);
    assert_eq!(attempts[0].outcome.as_ref().unwrap().request_id.as_deref(), Some("req-1"));
}

#[tokio::test]
async fn unprocessed_and_unanswered_records_are_sent_again_with_the_same_bytes() {
    let world = World::open().await;
    world.frozen("prod-1", 3).await;
    world.market.then_fails(crate::market::unknown()).then_each(RecordAnswer::Unprocessed);
    let sender = world.sender();
    for _ in 0..3 {
        sender.step().await.unwrap();
    }
    let calls = world.market.calls();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[0], calls[1]);
    assert_eq!(calls[1], calls[2]);
    assert_eq!(world.states(&key("prod-1", "c0000")).await, ["settled"]);
}

#[tokio::test]
async fn a_duplicate_settles_only_after_an_attempt_without_an_answer() {
    let world = World::open().await;
    world.frozen("prod-1", 1).await;
    let duplicate = || RecordAnswer::Duplicate { record_id: Some("m7".to_owned()) };
    world.market.then_fails(crate::market::unknown()).then_each(duplicate());
    world.sender().step().await.unwrap();
    world.sender().step().await.unwrap();
    assert_eq!(world.states(&key("prod-1", "c0000")).await, ["settled_assumed"]);
}

#[tokio::test]
async fn a_duplicate_after_an_answer_without_the_record_is_settled_too() {
    for said in [RecordAnswer::Missing, RecordAnswer::Unheard { word: "Postponed".to_owned() }] {
        let world = World::open().await;
        world.frozen("prod-1", 1).await;
        world.market.then_each(said).then_each(RecordAnswer::Duplicate { record_id: None });
        world.sender().step().await.unwrap();
        world.sender().step().await.unwrap();
        assert_eq!(world.states(&key("prod-1", "c0000")).await, ["settled_assumed"]);
    }
}

#[tokio::test]
async fn a_duplicate_after_calls_that_did_nothing_is_a_conflict() {
    let world = World::open().await;
    world.frozen("prod-1", 1).await;
    world.market.then_fails(crate::market::throttled()).then_fails(crate::market::not_possible());
    world.market.then_each(RecordAnswer::Unprocessed);
    world.market.then_each(RecordAnswer::Duplicate { record_id: None });
    for _ in 0..4 {
        world.sender().step().await.unwrap();
    }
    assert_eq!(world.states(&key("prod-1", "c0000")).await, ["conflict"]);
    assert_eq!(world.losses().await, ["conflict"]);
}

#[tokio::test]
async fn a_worker_that_dies_in_a_call_leaves_a_trace_and_the_next_one_sends_the_same_bytes() {
    let world = World::open().await;
    world.frozen("prod-1", 2).await;
    world.market.hangs.store(true, Ordering::Relaxed);
    let sender = world.sender();
    tokio::select! {
        _ = sender.step() => panic!("it was answered"),
        () = world.market.until_called() => {}
    }
    drop(sender);
    let record = world.records(&key("prod-1", "c0000")).await.remove(0).record;
    assert_eq!(record.sending.attempts.len(), 1, "the attempt was stored before the call");
    world.market.hangs.store(false, Ordering::Relaxed);
    world.market.then_each(RecordAnswer::Duplicate { record_id: None });
    assert_eq!(world.sender().step().await.unwrap().done, 0, "the answer may still come");
    world.set_clock(minute(128));
    world.sender().step().await.unwrap();
    let calls = world.market.calls();
    assert_eq!(calls[0], calls[1]);
    assert_eq!(world.states(&key("prod-1", "c0000")).await, ["settled_assumed"]);
}

#[tokio::test]
async fn a_worker_that_dies_in_one_call_keeps_the_answers_of_the_others() {
    let world = World::open().await;
    world.frozen("prod-1", 30).await;
    world.market.unheard.lock().unwrap().insert("c0029".to_owned());
    let sender = world.sender();
    let answered = async {
        while world.states(&key("prod-1", "c0000")).await != ["settled"] {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = sender.step() => panic!("the second call was answered"),
        () = answered => {}
    }
    assert_eq!(world.states(&key("prod-1", "c0029")).await, ["frozen"]);
}

#[tokio::test]
async fn calls_are_full_as_long_as_there_is_more() {
    let world = World::open().await;
    world.frozen("prod-1", 60).await;
    assert_eq!(world.sender().step().await.unwrap().next, Next::Now);
    assert_eq!(world.market.sizes(), [25, 25, 10]);
}

#[tokio::test]
async fn products_never_share_a_call() {
    let world = World::open().await;
    world.frozen("prod-1", 2).await;
    world.set_clock(minute(30));
    world.frozen("prod-2", 2).await;
    world.sender().step().await.unwrap();
    let products: Vec<String> =
        world.market.calls().iter().map(|call| call.group.product().to_string()).collect();
    assert_eq!(products, ["prod-1", "prod-2"]);
}

#[tokio::test]
async fn final_usage_goes_before_everything_else() {
    let world = World::open().await;
    world.frozen("prod-1", 30).await;
    let leaving = key("prod-1", "zz-leaving");
    world.subscribe(&leaving).await;
    world.uses(&leaving, 9, 124).await;
    world.hear(&leaving, minute(125), FactKind::UnsubscribePending).await;
    world.set_clock(minute(176));
    world.close_all().await;
    world.sender().step().await.unwrap();
    assert_eq!(world.market.customers(0)[0], "zz-leaving");
    assert_eq!(world.states(&leaving).await, ["settled"]);
}

#[tokio::test]
async fn no_call_begins_for_a_record_whose_time_is_over() {
    let world = World::open().await;
    world.frozen("prod-1", 26).await;
    let clock = world.clock.clone();
    // The first call takes so long that the second one's record is too old by then.
    world.market.then(move |call| {
        clock.set(minute(24 * 60).try_into().unwrap());
        Ok(crate::market::accepted(call))
    });
    world.set_clock(minute(24 * 60).minus(std::time::Duration::from_secs(10)));
    let sender = world.sender();
    sender.step().await.unwrap();
    sender.step().await.unwrap();
    assert_eq!(world.market.sizes(), [25]);
    world.close_all().await;
    assert_eq!(world.losses().await, ["expired"]);
}

#[tokio::test]
async fn no_call_begins_once_its_records_may_soon_be_sent_again() {
    let world = World::open().await;
    world.frozen("prod-1", 26).await;
    let clock = world.clock.clone();
    world.market.then(move |call| {
        clock.advance(std::time::Duration::from_secs(31));
        Ok(crate::market::accepted(call))
    });
    let sender = world.sender();
    sender.step().await.unwrap();
    assert_eq!(world.market.sizes(), [25]);
    sender.step().await.unwrap();
    assert_eq!(world.market.sizes(), [25, 1], "it goes with the next wave, without any doubt");
}

#[tokio::test]
async fn a_dry_run_sends_nothing_and_notes_no_attempt() {
    let world = World::open().await;
    world.frozen("prod-1", 3).await;
    let config = MeteringConfig { mode: Mode::DryRun, ..World::config() };
    let stepped = world.sender_of("worker-1", config).step().await.unwrap();
    assert_eq!(stepped.done, 0);
    assert_eq!(world.market.sizes(), [0; 0]);
    let record = world.records(&key("prod-1", "c0000")).await.remove(0).record;
    assert!(record.is_frozen());
    assert_eq!(record.sending.attempts, [0; 0]);
}

#[tokio::test]
async fn a_product_on_hold_is_not_sent_and_the_others_are() {
    let world = World::open().await;
    world.frozen("prod-1", 1).await;
    world.set_clock(minute(30));
    world.frozen("prod-2", 1).await;
    let search: ProductKey = "search".parse().unwrap();
    world.store.hold_metering(&search, &Actor::Operator("mia".to_owned()), minute(125)).await.unwrap();
    let sender = world.sender();
    for _ in 0..3 {
        sender.step().await.unwrap();
    }
    assert_eq!(world.states(&key("prod-1", "c0000")).await, ["frozen"]);
    assert_eq!(world.states(&key("prod-2", "c0000")).await, ["settled"]);
    world.store.release_metering(&search).await.unwrap();
    sender.step().await.unwrap();
    assert_eq!(world.states(&key("prod-1", "c0000")).await, ["settled"]);
}

#[tokio::test]
async fn of_two_senders_of_a_lane_one_sends_until_its_lease_is_over() {
    let world = World::open().await;
    world.frozen("prod-1", 1).await;
    let (first, second) = (world.sender_of("one", World::config()), world.sender_of("two", World::config()));
    world.market.then_fails(crate::market::throttled());
    first.step().await.unwrap();
    assert_eq!(second.step().await.unwrap().done, 0, "the lane is the first one's");
    world.set_clock(minute(128));
    assert_eq!(second.step().await.unwrap().done, 1, "the first one is gone");
    assert_eq!(world.market.sizes(), [1, 1]);
}

#[tokio::test]
async fn a_marketplace_that_has_to_be_asked_first_is_sent_nothing_and_the_lane_says_why() {
    let world = World::open().await;
    world.frozen("prod-1", 1).await;
    world.market.checks_first.store(true, Ordering::Relaxed);
    let sender = world.sender();
    sender.step().await.unwrap();
    assert_eq!(world.market.sizes(), [0; 0]);
    assert!(sender.health().trouble().is_some());
}
