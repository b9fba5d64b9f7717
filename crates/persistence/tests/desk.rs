//! The usage desk: requests gather while a transaction runs, none is parted, and the queue is bounded.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod scripted;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use stallkeeper_ledger::{
    Aggregate, DimensionTerms, EventState, MeterTerms, ProductKey, Profile, Scale, Submission, ZeroRecords,
};
use stallkeeper_lifecycle::{MarketplaceName, ProductCode, SubscriptionKey};
use stallkeeper_persistence::StoreError;
use stallkeeper_persistence::usage::{DeskError, EVENTS_MAX, MeterTermsOf, Taken, UsageDesk, usage_desk};
use stallkeeper_runtime::{FakeClock, FinalStatus, Shutdown, Tasks};
use tokio::task::JoinSet;

use scripted::{Answer, ScriptedStore, at_noon};

type Answered = Result<Vec<Taken>, DeskError>;

/// Terms by which calls of the product `p` are counted, whoever makes them.
#[derive(Debug)]
struct Metered;

impl MeterTermsOf for Metered {
    fn meter_terms(&self, _key: &SubscriptionKey) -> Option<Arc<MeterTerms>> {
        let calls = DimensionTerms {
            api_name: "calls".parse().unwrap(),
            scale: Scale::WHOLE,
            aggregate: Aggregate::Sum,
        };
        Some(Arc::new(MeterTerms {
            product: "p".parse().unwrap(),
            profile: Profile::AWS,
            region: "us-east-1".parse().unwrap(),
            dimensions: [("calls".parse().unwrap(), calls)].into(),
            sources: [].into(),
            zero_records: ZeroRecords::Skip,
            meter_from: None,
        }))
    }

    fn listings_of(&self, _product: &ProductKey) -> Vec<(MarketplaceName, ProductCode)> {
        vec![("aws".parse().unwrap(), "prod-1".parse().unwrap())]
    }
}

struct Scene {
    store: Arc<ScriptedStore>,
    desk: UsageDesk,
    tasks: Tasks,
}

impl Scene {
    fn new() -> Self {
        let store = Arc::new(ScriptedStore::default());
        let clock = Arc::new(FakeClock::new(at_noon().try_into().unwrap()));
        let (desk, intake) = usage_desk(store.clone(), clock, Arc::new(Metered));
        let tasks = Tasks::new(Shutdown::new());
        tasks.spawn("usage intake", intake.run(std::future::pending()));
        Self { store, desk, tasks }
    }

    /// Submits one request of these events from a task of its own.
    async fn submit(&self, numbers: Range<usize>) -> JoinSet<Answered> {
        let desk = self.desk.clone();
        let callers = JoinSet::from_iter([async move { desk.submit(events(numbers)).await }]);
        settle().await;
        callers
    }

    /// What one more event gets, without waiting.
    async fn answer_at_once(&self) -> Answered {
        let answer = self.desk.submit(events(0..1));
        tokio::time::timeout(Duration::from_millis(1), answer).await.unwrap()
    }
}

fn events(numbers: Range<usize>) -> Vec<Submission> {
    numbers.map(event).collect()
}

fn event(number: usize) -> Submission {
    Submission {
        id: format!("u-{number}").parse().unwrap(),
        tenant: "acme".parse().unwrap(),
        product: "p".parse().unwrap(),
        dimension: "calls".parse().unwrap(),
        quantity: "1".to_owned(),
        occurred_at: at_noon(),
        user: None,
        tags: BTreeMap::new(),
        subscription: None,
    }
}

/// Lets every task run until it waits; time is paused, so it passes only when all wait.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

async fn answer(callers: JoinSet<Answered>) -> Answered {
    callers.join_all().await.remove(0)
}

fn counted(answered: &Answered) -> usize {
    let is_counted = |taken: &&Taken| matches!(taken, Taken::Stored(EventState::Counted { .. }));
    answered.as_ref().map_or(0, |taken| taken.iter().filter(is_counted).count())
}

#[tokio::test(start_paused = true)]
async fn requests_gather_while_a_transaction_runs_and_each_gets_its_own_answers() {
    let scene = Scene::new();
    let gate = scene.store.hold_commits();
    let mut first = scene.submit(0..3).await;
    let mut second = scene.submit(3..5).await;
    let third = scene.submit(5..9).await;
    assert!(
        first.try_join_next().is_none() && second.try_join_next().is_none(),
        "nothing is answered before its commit"
    );
    gate.open();
    assert_eq!(counted(&answer(first).await), 3);
    assert_eq!(counted(&answer(second).await), 2);
    assert_eq!(counted(&answer(third).await), 4);
    assert_eq!(scene.store.committed_sizes(), [3, 6]);
}

#[tokio::test(start_paused = true)]
async fn a_single_request_waits_for_no_timer() {
    let scene = Scene::new();
    let began = tokio::time::Instant::now();
    assert_eq!(counted(&scene.desk.submit(events(0..1)).await), 1);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_fit_waits_whole_for_the_next_transaction() {
    let scene = Scene::new();
    let gate = scene.store.hold_commits();
    let first = scene.submit(0..1).await;
    let large = scene.submit(1..EVENTS_MAX).await;
    let last = scene.submit(EVENTS_MAX..EVENTS_MAX + 2).await;
    gate.open();
    assert_eq!(counted(&answer(first).await), 1);
    assert_eq!(counted(&answer(large).await), EVENTS_MAX - 1);
    assert_eq!(counted(&answer(last).await), 2);
    assert_eq!(scene.store.committed_sizes(), [1, EVENTS_MAX - 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_request_larger_than_a_transaction_is_parted() {
    let scene = Scene::new();
    assert_eq!(counted(&scene.desk.submit(events(0..EVENTS_MAX + 10)).await), EVENTS_MAX + 10);
    assert_eq!(scene.store.committed_sizes(), [EVENTS_MAX, 10]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_request_is_answered_without_a_transaction() {
    let scene = Scene::new();
    assert!(scene.desk.submit(Vec::new()).await.unwrap().is_empty());
    assert_eq!(scene.store.attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_answers_at_once_when_to_come_again() {
    let scene = Scene::new();
    let gate = scene.store.hold_commits();
    let mut waiting = Vec::new();
    for number in 0..4 {
        waiting.push(scene.submit(number * EVENTS_MAX..(number + 1) * EVENTS_MAX).await);
    }
    let refused = scene.answer_at_once().await;
    assert!(matches!(refused, Err(DeskError::Busy { retry_after_secs: 1..=60 })), "{refused:?}");
    gate.open();
    for caller in waiting {
        assert_eq!(counted(&answer(caller).await), EVENTS_MAX);
    }
    assert_eq!(counted(&scene.desk.submit(events(0..1)).await), 1, "there is room again");
}

#[tokio::test(start_paused = true)]
async fn callers_are_asked_to_wait_as_long_as_the_database_is_slow() {
    let scene = Scene::new();
    let gate = scene.store.hold_commits();
    let slow = scene.submit(0..1).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    gate.open();
    assert_eq!(counted(&answer(slow).await), 1);
    let _held = scene.store.hold_commits();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(scene.submit(0..EVENTS_MAX).await);
    }
    let refused = scene.answer_at_once().await;
    assert!(matches!(refused, Err(DeskError::Busy { retry_after_secs: 20.. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_cannot_be_reached_fails_all_that_waits_once() {
    let scene = Scene::new();
    let gate = scene.store.hold_commits();
    let first = scene.submit(0..1).await;
    let (second, third) = (scene.submit(1..2).await, scene.submit(2..3).await);
    scene.store.answer([Answer::Stored, Answer::Unavailable]);
    gate.open();
    assert_eq!(counted(&answer(first).await), 1);
    for failed in [answer(second).await, answer(third).await] {
        assert!(matches!(failed, Err(DeskError::Unavailable(_))), "{failed:?}");
    }
    assert_eq!(scene.store.attempts(), 2, "no halving, no retry");
    assert_eq!(counted(&scene.desk.submit(events(0..1)).await), 1, "the next one goes through");
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_met_another_is_tried_again() {
    let scene = Scene::new();
    scene.store.answer([Answer::Conflict, Answer::Conflict, Answer::Stored]);
    assert_eq!(counted(&scene.desk.submit(events(0..2)).await), 2);
    assert_eq!((scene.store.committed_sizes(), scene.store.attempts()), (vec![2], 3));
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_keeps_meeting_others_is_given_up() {
    let scene = Scene::new();
    scene.store.answer([Answer::Conflict; 100]);
    let failed = scene.desk.submit(events(0..1)).await;
    assert!(matches!(failed, Err(DeskError::Unavailable(_))), "{failed:?}");
    assert!(scene.store.attempts() < 20, "the tries are bounded");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_database_refuses_fails_alone() {
    let scene = Scene::new();
    let gate = scene.store.hold_commits();
    let first = scene.submit(0..1).await;
    scene.store.refuse("u-43");
    let mut callers = Vec::new();
    for number in 1..51 {
        callers.push((number, scene.submit(2 * number..2 * number + 2).await));
    }
    gate.open();
    assert_eq!(counted(&answer(first).await), 1);
    for (number, caller) in callers {
        let answered = answer(caller).await;
        match number {
            21 => assert!(matches!(answered, Err(DeskError::Refused(StoreError::Data(_)))), "{answered:?}"),
            _ => assert_eq!(counted(&answered), 2, "{number}: {answered:?}"),
        }
    }
    assert!(scene.store.attempts() < 20, "halving, not one by one: {}", scene.store.attempts());
}

#[tokio::test(start_paused = true)]
async fn an_id_that_two_requests_report_counts_once() {
    let scene = Scene::new();
    let gate = scene.store.hold_commits();
    let first = scene.submit(0..1).await;
    let (second, third) = (scene.submit(7..8).await, scene.submit(7..8).await);
    gate.open();
    assert_eq!(counted(&answer(first).await), 1);
    assert_eq!(counted(&answer(second).await), 1);
    assert_eq!(answer(third).await.unwrap(), [Taken::Known]);
}

#[tokio::test(start_paused = true)]
async fn stored_usage_is_told_to_whoever_closes_hours() {
    let scene = Scene::new();
    let news = scene.desk.usage_news();
    scene.store.answer([Answer::Unavailable]);
    let _failed = scene.desk.submit(events(0..1)).await;
    let told = tokio::time::timeout(Duration::from_secs(1), news.notified()).await;
    assert!(told.is_err(), "nothing was stored");
    assert_eq!(counted(&scene.desk.submit(events(0..1)).await), 1);
    tokio::time::timeout(Duration::from_secs(1), news.notified()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_intake_ends_when_every_desk_is_gone_and_all_is_stored() {
    let Scene { store, desk, tasks } = Scene::new();
    let gate = store.hold_commits();
    let caller = JoinSet::from_iter([async move { desk.submit(events(0..1)).await }]);
    settle().await;
    gate.open();
    assert_eq!(counted(&answer(caller).await), 1);
    let ended = tokio::time::timeout(Duration::from_mins(1), tasks.close_and_wait()).await;
    assert_eq!(ended.unwrap(), FinalStatus::Clean);
}

#[tokio::test(start_paused = true)]
async fn a_desk_whose_intake_is_gone_says_so() {
    let clock = Arc::new(FakeClock::new(at_noon().try_into().unwrap()));
    let (desk, gone) = usage_desk(Arc::new(ScriptedStore::default()), clock, Arc::new(Metered));
    drop(gone);
    assert!(matches!(desk.submit(events(0..1)).await, Err(DeskError::Stopped)));
}
