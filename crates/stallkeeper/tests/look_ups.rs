//! What the marketplace's answers about entitlements come to, on a real store.
#![expect(clippy::unwrap_used, reason = "a broken set-up fails the test")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use stallkeeper_contract::{AskError, AskSettings, Asker, EntitlementsApi, Question, Whose};
use stallkeeper_lifecycle::{
    Change, Entitlement, Fact, FactKind, Licensee, Pricing, SubscriptionKey, Terms, Timestamp, Word,
};
use stallkeeper_outbox::{FanOut as _, JobError};
use stallkeeper_persistence::usage::MeterTermsOf;
use stallkeeper_persistence::{
    Act, Actor, Committer, Content, Incoming, Job, JobKind, JobStore as _, NewJob, SubscriptionStore as _,
    TermsOf, batcher,
};
use stallkeeper_persistence_sqlite::{Options, SqliteStore};
use stallkeeper_runtime::{FakeClock, Shutdown, Tasks, WallClock as _};
use tempfile::TempDir;
use time::OffsetDateTime;

const ARN: &str = "arn:aws:license-manager::287250355862:license:l-1";
const LEASE: Duration = Duration::from_mins(5);

type Answer = Result<Vec<Entitlement>, AskError>;

/// A marketplace that gives the same answer until it is told another, and remembers what it was asked.
struct Market {
    answer: Mutex<Answer>,
    asked: Mutex<Vec<Question>>,
}

#[async_trait]
impl EntitlementsApi for Market {
    async fn ask(&self, question: &Question) -> Answer {
        self.asked.lock().unwrap().push(question.clone());
        self.answer.lock().unwrap().clone()
    }
}

struct Priced(Pricing);

impl MeterTermsOf for Priced {}

impl TermsOf for Priced {
    fn terms(&self, _key: &SubscriptionKey) -> Terms {
        Terms { pricing: self.0, ..Terms::default() }
    }
}

struct Stand {
    asker: Asker,
    market: Arc<Market>,
    store: SqliteStore,
    committer: Committer,
    clock: Arc<FakeClock>,
    key: SubscriptionKey,
    terms: Terms,
    _tasks: Tasks,
    _folder: TempDir,
}

impl Stand {
    async fn new(key: &str, pricing: Pricing) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = SecretString::from(format!("sqlite://{}", folder.path().join("stall.db").display()));
        let store = SqliteStore::connect(&url, Options::default()).await.unwrap();
        store.migrate().await.unwrap();
        let clock = Arc::new(FakeClock::new(OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()));
        let terms = Arc::new(Priced(pricing));
        let priced = Terms { pricing, ..Terms::default() };
        let (committer, batcher) = batcher(Arc::new(store.clone()), clock.clone(), terms.clone());
        let tasks = Tasks::new(Shutdown::new());
        tasks.spawn("commit", batcher.run());
        let market = Arc::new(Market { answer: Mutex::new(Ok(Vec::new())), asked: Mutex::default() });
        let api: Arc<dyn EntitlementsApi> = market.clone();
        let asker = Asker::new(AskSettings {
            apis: BTreeMap::from([("aws".parse().unwrap(), api)]),
            store: Arc::new(store.clone()),
            committer: committer.clone(),
            terms,
            clock: clock.clone(),
        });
        let key = key.parse().unwrap();
        Self { asker, market, store, committer, clock, key, terms: priced, _tasks: tasks, _folder: folder }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from(self.clock.now())
    }

    /// The marketplace says something, a second after whatever it said before.
    async fn hears(&self, id: &str, kind: FactKind) {
        self.clock.advance(Duration::from_secs(1));
        let change = Change::Fact(Fact::at_time(self.now(), id.parse().unwrap(), kind));
        let act = Act { key: self.key.clone(), change, actor: Actor::Marketplace };
        let incoming = Incoming { received_at: self.now(), content: Content::Act(act) };
        self.committer.submit(incoming).await.unwrap();
        self.clock.advance(Duration::from_secs(1));
    }

    async fn is_updated(&self, id: &str) {
        let licensee =
            Licensee { license_arn: ARN.parse().unwrap(), account: "123456789012".parse().unwrap() };
        let agreement = "agmt-1".parse().ok();
        self.hears(id, FactKind::LicenseUpdated { offer: None, agreement, licensee: Some(licensee) }).await;
    }

    fn answers(&self, answer: Answer) {
        *self.market.answer.lock().unwrap() = answer;
    }

    async fn job(&self, kind: JobKind) -> Job {
        let mut jobs = self.store.claim_jobs(&[kind], self.now(), LEASE, 10).await.unwrap();
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        jobs.remove(0)
    }

    async fn runs(&self, kind: JobKind) -> Result<Vec<NewJob>, JobError> {
        let job = self.job(kind).await;
        let ran = self.asker.fan_out(&job).await;
        if let Ok(next) = &ran {
            self.store.finish_job_into(&job, next).await.unwrap();
        }
        ran
    }

    async fn word(&self) -> Word {
        let record = self.store.subscription(&self.key).await.unwrap().unwrap();
        record.subscription.view(self.now(), self.terms).word
    }
}

fn seats(value: &str) -> Vec<Entitlement> {
    vec![Entitlement { dimension: "seats".to_owned(), value: value.to_owned(), expires_at: None }]
}

async fn ended_license() -> Stand {
    let stand = Stand::new("aws/prod/license/l-1", Pricing::Subscription).await;
    stand.is_updated("n-1").await;
    stand.hears("n-2", FactKind::UnsubscribeSuccess).await;
    stand.is_updated("n-3").await;
    assert_eq!(stand.word().await, Word::Ended);
    stand
}

#[tokio::test]
async fn a_license_that_was_updated_after_an_end_is_in_force_once_it_has_entitlements() {
    let stand = ended_license().await;
    stand.answers(Ok(seats("5")));
    assert_eq!(stand.runs(JobKind::ConfirmLicense).await.unwrap(), []);
    assert_eq!(stand.word().await, Word::Unclaimed);
    let question = Question { product: "prod".parse().unwrap(), whose: Whose::License(ARN.parse().unwrap()) };
    assert_eq!(*stand.market.asked.lock().unwrap(), [question]);
}

#[tokio::test]
async fn a_license_without_entitlements_stays_ended_and_is_asked_for_four_times() {
    let stand = ended_license().await;
    for wait in [60, 300, 1_800] {
        let next = stand.runs(JobKind::ConfirmLicense).await.unwrap();
        assert_eq!(next[0].due_at, stand.now().plus(Duration::from_secs(wait)));
        stand.clock.advance(Duration::from_secs(wait));
    }
    let given_up = stand.runs(JobKind::ConfirmLicense).await.unwrap_err();
    assert!(matches!(given_up, JobError::GiveUp(_)), "a person has to see to it");
    assert_eq!(stand.word().await, Word::Ended);
}

#[tokio::test]
async fn an_error_changes_nothing_and_is_tried_again() {
    let stand = ended_license().await;
    let before = stand.store.subscription(&stand.key).await.unwrap();
    stand.answers(Err(AskError::Unavailable("status 500".to_owned())));
    assert!(matches!(stand.runs(JobKind::ConfirmLicense).await, Err(JobError::Retry(_))));
    assert_eq!(stand.store.subscription(&stand.key).await.unwrap(), before);
}

#[tokio::test]
async fn an_answer_of_no_use_waits_for_a_person() {
    let stand = ended_license().await;
    stand.answers(Err(AskError::Refused("no such parameter".to_owned())));
    assert!(matches!(stand.runs(JobKind::ConfirmLicense).await, Err(JobError::GiveUp(_))));
}

#[tokio::test]
async fn what_is_paid_by_use_is_not_asked_about() {
    let stand = Stand::new("aws/prod/customer/C1", Pricing::Subscription).await;
    stand.hears("n-1", FactKind::EntitlementUpdated).await;
    assert_eq!(stand.runs(JobKind::QueryEntitlements).await.unwrap(), []);
    assert_eq!(*stand.market.asked.lock().unwrap(), []);
}

#[tokio::test]
async fn an_updated_license_of_a_contract_is_asked_about() {
    let stand = Stand::new("aws/prod/license/l-1", Pricing::Contract).await;
    stand.is_updated("n-1").await;
    let expires_at = stand.now().plus(Duration::from_hours(24));
    stand.answers(Ok(seats("5")
        .into_iter()
        .map(|one| Entitlement { expires_at: Some(expires_at), ..one })
        .collect()));
    let next = stand.runs(JobKind::QueryEntitlements).await.unwrap();
    assert_eq!((next[0].kind, next[0].due_at), (JobKind::QueryEntitlements, expires_at));
    let record = stand.store.subscription(&stand.key).await.unwrap().unwrap();
    assert_eq!(record.subscription.snapshots.granted().unwrap().entitlements[0].value, "5");
}

#[tokio::test]
async fn what_does_not_fit_together_has_a_contract_asked_about_until_its_dates() {
    let stand = Stand::new("aws/prod/customer/C1", Pricing::Contract).await;
    stand.hears("n-1", FactKind::UnsubscribePending).await;
    let expires_at = stand.now().plus(Duration::from_hours(24));
    stand.answers(Ok(vec![Entitlement { expires_at: Some(expires_at), ..seats("5").remove(0) }]));
    let next = stand.runs(JobKind::Reconcile).await.unwrap();
    assert_eq!((next[0].kind, next[0].due_at), (JobKind::Reconcile, expires_at));
    let record = stand.store.subscription(&stand.key).await.unwrap().unwrap();
    assert!(record.subscription.snapshots.granted().is_some());
}

/// A contract in force, of which the marketplace says nothing any more when it is asked.
async fn silent_contract() -> Stand {
    let stand = Stand::new("aws/prod/customer/C1", Pricing::Contract).await;
    stand.hears("n-1", FactKind::EntitlementUpdated).await;
    stand.answers(Ok(seats("5")));
    stand.runs(JobKind::QueryEntitlements).await.unwrap();
    assert_eq!(stand.word().await, Word::Unclaimed);
    stand.hears("n-2", FactKind::EntitlementUpdated).await;
    stand.answers(Ok(Vec::new()));
    stand
}

#[tokio::test]
async fn a_question_that_is_run_again_at_once_confirms_no_end() {
    let stand = silent_contract().await;
    let job = stand.job(JobKind::QueryEntitlements).await;
    for _ in 0..3 {
        stand.asker.fan_out(&job).await.unwrap();
        stand.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(stand.word().await, Word::Unclaimed);
}

#[tokio::test]
async fn after_an_end_by_empty_answers_it_is_still_asked_whether_they_came_too_early() {
    let stand = silent_contract().await;
    stand.runs(JobKind::QueryEntitlements).await.unwrap();
    stand.clock.advance(Duration::from_mins(1));
    let next = stand.runs(JobKind::QueryEntitlements).await.unwrap();
    assert_eq!(stand.word().await, Word::Ended);
    assert_eq!(next[0].due_at, stand.now().plus(Duration::from_mins(5)));
    stand.clock.advance(Duration::from_mins(5));
    stand.answers(Ok(seats("5")));
    stand.runs(JobKind::QueryEntitlements).await.unwrap();
    assert_eq!(stand.word().await, Word::Unclaimed, "the renewal was only late to be seen");
}
