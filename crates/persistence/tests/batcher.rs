//! The batcher: arrivals gather while a transaction runs, and nothing is acknowledged that is not stored.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod scripted;

use std::sync::Arc;
use std::time::Duration;

use stallkeeper_lifecycle::{EventId, Fact, FactKind, SubscriptionKey, Terms};
use stallkeeper_persistence::usage::MeterTermsOf;
use stallkeeper_persistence::{
    BATCH_MAX, Committer, Content, InboxKey, Incoming, Outcome, Received, Settled, StoreError, SubmitError,
    TermsOf, batcher,
};
use stallkeeper_runtime::{FakeClock, FinalStatus, Shutdown, Tasks};
use tokio::task::JoinSet;

use scripted::{Answer, ScriptedStore, at_noon};

/// A running batcher over a scripted store.
struct Scene {
    store: Arc<ScriptedStore>,
    committer: Committer,
    tasks: Tasks,
}

impl Scene {
    fn new() -> Self {
        let store = Arc::new(ScriptedStore::default());
        let clock = Arc::new(FakeClock::new(at_noon().try_into().unwrap()));
        let (committer, batcher) = batcher(store.clone(), clock, Arc::new(Everything));
        let tasks = Tasks::new(Shutdown::new());
        tasks.spawn("batcher", batcher.run());
        Self { store, committer, tasks }
    }

    /// Submits from tasks of their own, in the order of the numbers.
    async fn submit(&self, numbers: std::ops::Range<usize>) -> JoinSet<Result<Outcome, SubmitError>> {
        let mut callers = JoinSet::new();
        for number in numbers {
            let committer = self.committer.clone();
            callers.spawn(async move { committer.submit(arrival(number)).await });
        }
        settle().await;
        callers
    }
}

/// Terms that hold for everything.
#[derive(Clone, Copy, Debug)]
struct Everything;

impl MeterTermsOf for Everything {}

impl TermsOf for Everything {
    fn terms(&self, _key: &SubscriptionKey) -> Terms {
        Terms::default()
    }
}

/// Notification `n-<number>` about a buyer of its own.
fn arrival(number: usize) -> Incoming {
    let id: EventId = format!("n-{number}").parse().unwrap();
    let key: SubscriptionKey = format!("aws/prod-1/customer/buyer-{number}").parse().unwrap();
    let received = Received {
        inbox: InboxKey { marketplace: key.marketplace.clone(), id: id.clone() },
        key,
        agreement: None,
        fact: Fact::at_time(at_noon(), id, FactKind::SubscribeFail),
        body: Vec::new(),
        replays: None,
    };
    Incoming { received_at: at_noon(), content: Content::Received(received) }
}

/// Lets every task run until it waits; time is paused, so it passes only when all wait.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn is_applied(result: &Result<Outcome, SubmitError>) -> bool {
    matches!(result, Ok(Outcome::Settled(Settled::Applied)))
}

#[tokio::test(start_paused = true)]
async fn arrivals_gather_while_a_transaction_runs_and_the_next_takes_them_all() {
    let scene = Scene::new();
    let gate = scene.store.hold_commits();
    let mut first = scene.submit(0..1).await;
    let mut rest = scene.submit(1..101).await;
    assert!(
        first.try_join_next().is_none() && rest.try_join_next().is_none(),
        "nothing is answered before its commit"
    );
    gate.open();
    assert!(first.join_all().await.iter().all(is_applied));
    assert!(rest.join_all().await.iter().all(is_applied));
    assert_eq!(scene.store.committed_sizes(), [1, 100]);
}

#[tokio::test(start_paused = true)]
async fn a_single_arrival_waits_for_no_timer() {
    let scene = Scene::new();
    let began = tokio::time::Instant::now();
    assert!(is_applied(&scene.committer.submit(arrival(1)).await));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_batch_never_exceeds_its_bound() {
    let scene = Scene::new();
    let gate = scene.store.hold_commits();
    let first = scene.submit(0..1).await;
    // More than the channel holds: the last callers wait at the door.
    let rest = scene.submit(1..1_000).await;
    gate.open();
    assert!(first.join_all().await.iter().chain(&rest.join_all().await).all(is_applied));
    let sizes = scene.store.committed_sizes();
    assert_eq!(sizes.iter().sum::<usize>(), 1_000);
    assert_eq!(sizes.iter().max(), Some(&BATCH_MAX), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_cannot_be_reached_fails_the_whole_batch_once() {
    let scene = Scene::new();
    let gate = scene.store.hold_commits();
    let first = scene.submit(0..1).await;
    let rest = scene.submit(1..11).await;
    scene.store.answer([Answer::Stored, Answer::Unavailable]);
    gate.open();
    assert!(first.join_all().await.iter().all(is_applied));
    for result in rest.join_all().await {
        assert!(matches!(result, Err(SubmitError::Unavailable(_))), "not to be acknowledged: {result:?}");
    }
    assert_eq!((scene.store.committed_sizes(), scene.store.attempts()), (vec![1], 2), "no halving, no retry");
    assert!(is_applied(&scene.committer.submit(arrival(1)).await), "the next one goes through");
}

#[tokio::test(start_paused = true)]
async fn a_failed_commit_is_told_until_one_comes_through_or_a_minute_has_passed() {
    let scene = Scene::new();
    let health = scene.committer.health();
    assert_eq!(health.trouble(), None);
    scene.store.answer([Answer::Unavailable]);
    let _unavailable = scene.committer.submit(arrival(1)).await;
    assert!(health.trouble().is_some());
    assert!(is_applied(&scene.committer.submit(arrival(1)).await));
    assert_eq!(health.trouble(), None, "one came through");

    scene.store.answer([Answer::Unavailable]);
    let _unavailable = scene.committer.submit(arrival(2)).await;
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(health.trouble(), None, "it is old");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_met_another_transaction_is_tried_again() {
    let scene = Scene::new();
    scene.store.answer([Answer::Conflict, Answer::Conflict, Answer::Stored]);
    assert!(is_applied(&scene.committer.submit(arrival(1)).await));
    assert_eq!((scene.store.committed_sizes(), scene.store.attempts()), (vec![1], 3));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_keeps_meeting_others_is_given_back_unacknowledged() {
    let scene = Scene::new();
    scene.store.answer([Answer::Conflict; 100]);
    let result = scene.committer.submit(arrival(1)).await;
    assert!(matches!(result, Err(SubmitError::Unavailable(_))), "{result:?}");
    assert!(scene.store.attempts() < 20, "the tries are bounded");
}

#[tokio::test(start_paused = true)]
async fn refused_data_is_found_by_halving_and_the_others_are_stored() {
    let scene = Scene::new();
    let gate = scene.store.hold_commits();
    let first = scene.submit(0..1).await;
    scene.store.refuse("n-42");
    let mut callers = Vec::new();
    for number in 1..101 {
        callers.push((number, scene.submit(number..number + 1).await));
    }
    gate.open();
    assert!(first.join_all().await.iter().all(is_applied));
    for (number, caller) in callers {
        let result = caller.join_all().await.remove(0);
        match number {
            42 => assert!(matches!(result, Err(SubmitError::Refused(StoreError::Data(_)))), "{result:?}"),
            _ => assert!(is_applied(&result), "{number}: {result:?}"),
        }
    }
    assert_eq!(scene.store.committed_sizes().iter().sum::<usize>(), 100);
    assert!(scene.store.attempts() < 20, "halving, not one by one: {}", scene.store.attempts());
}

#[tokio::test(start_paused = true)]
async fn what_was_stored_before_the_database_went_away_is_acknowledged() {
    let scene = Scene::new();
    let gate = scene.store.hold_commits();
    let first = scene.submit(0..1).await;
    let rest = scene.submit(1..5).await;
    // The first half goes through, then the database is gone.
    scene.store.answer([Answer::Stored, Answer::Data, Answer::Stored, Answer::Unavailable]);
    gate.open();
    assert!(first.join_all().await.iter().all(is_applied));
    let results = rest.join_all().await;
    assert_eq!(results.iter().filter(|result| is_applied(result)).count(), 2);
    let unavailable = |result: &&Result<_, _>| matches!(result, Err(SubmitError::Unavailable(_)));
    assert_eq!(results.iter().filter(unavailable).count(), 2);
    assert_eq!(scene.store.committed_sizes(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_batcher_ends_when_every_committer_is_gone() {
    let Scene { store, committer, tasks } = Scene::new();
    let copy = committer.clone();
    let gate = store.hold_commits();
    let caller = tokio::task::JoinSet::from_iter([async move { copy.submit(arrival(1)).await }]);
    settle().await;
    drop(committer);
    settle().await;
    gate.open();
    assert!(caller.join_all().await.iter().all(is_applied), "what was submitted is finished first");
    let ended = tokio::time::timeout(Duration::from_mins(1), tasks.close_and_wait()).await;
    assert_eq!(ended.expect("the batcher ends"), FinalStatus::Clean);
}

#[tokio::test(start_paused = true)]
async fn a_committer_whose_batcher_is_gone_says_so() {
    let clock = Arc::new(FakeClock::new(at_noon().try_into().unwrap()));
    let (committer, gone) = batcher(Arc::new(ScriptedStore::default()), clock, Arc::new(Everything));
    drop(gone);
    assert!(matches!(committer.submit(arrival(1)).await, Err(SubmitError::Stopped)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_went_away_does_not_stop_the_batch() {
    let scene = Scene::new();
    let gate = scene.store.hold_commits();
    let first = scene.submit(0..1).await;
    let mut gone = scene.submit(1..2).await;
    let stayed = scene.submit(2..3).await;
    gone.shutdown().await;
    gate.open();
    assert!(first.join_all().await.iter().chain(&stayed.join_all().await).all(is_applied));
    assert_eq!(scene.store.committed_sizes(), [1, 2], "the abandoned one is stored all the same");
}
