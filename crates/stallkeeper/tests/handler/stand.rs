//! A handler in front of a real store, which can be taken away.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use secrecy::SecretString;
use stallkeeper::worker::NotificationHandler;
use stallkeeper_lifecycle::{SubscriptionKey, Terms};
use stallkeeper_notification::{
    CertificateSource, CertificateUrl, Delivery, FetchError, SignaturePolicy, Trust, Verifier,
};
use stallkeeper_persistence::usage::MeterTermsOf;
use stallkeeper_persistence::{
    CommitStore, HistoryRecord, Page, QuarantineRecord, QuarantineState, QuarantineStore, StoreError,
    SubscriptionStore, TermsOf, Transaction, Work, batcher,
};
use stallkeeper_persistence_sqlite::{Options, SqliteStore};
use stallkeeper_poller::{Handler, Message, Verdict};
use stallkeeper_runtime::{FakeClock, Shutdown, Tasks};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::messages::{NOON, buyer, feed};

/// The handler, and what it stores.
pub(crate) struct Stand {
    pub(crate) handler: NotificationHandler,
    pub(crate) door: Door,
    store: SqliteStore,
    _tasks: Tasks,
    _folder: TempDir,
}

impl Stand {
    /// A queue in the given form, whose signatures are not looked at.
    pub(crate) async fn new(delivery: Delivery) -> Self {
        Self::with_policy(delivery, SignaturePolicy::Off).await
    }

    /// A queue in the given form, whose certificates cannot be had.
    pub(crate) async fn with_policy(delivery: Delivery, policy: SignaturePolicy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = SecretString::from(format!("sqlite://{}", folder.path().join("stall.db").display()));
        let store = SqliteStore::connect(&url, Options::default()).await.unwrap();
        store.migrate().await.unwrap();
        let door = Door::default();
        let guarded = Arc::new(Guarded { store: store.clone(), door: door.clone() });
        let clock = Arc::new(FakeClock::new(NOON.try_into().unwrap()));
        let (committer, batcher) = batcher(guarded, clock.clone(), Arc::new(NoTerms));
        let tasks = Tasks::new(Shutdown::new());
        tasks.spawn("commit", batcher.run());
        let verifier = Arc::new(Verifier::new(policy, Arc::new(NoCertificates), Trust::default()));
        let handler = NotificationHandler::new(feed(delivery, policy), verifier, committer, clock);
        Self { handler, door, store, _tasks: tasks, _folder: folder }
    }

    pub(crate) async fn handle(&self, message: &Message) -> Verdict {
        self.handler.handle(message, CancellationToken::new()).await
    }

    /// The buyer's history.
    pub(crate) async fn history(&self) -> Vec<HistoryRecord> {
        self.store.history(&buyer(), &Page::first(100)).await.unwrap()
    }

    /// The reasons of what lies in quarantine, sorted.
    pub(crate) async fn quarantined(&self) -> Vec<String> {
        let held = self.store.quarantine_list(QuarantineState::Held, &Page::first(100)).await.unwrap();
        let mut reasons: Vec<String> =
            held.into_iter().map(|QuarantineRecord { entry, .. }| entry.reason).collect();
        reasons.sort();
        reasons
    }
}

/// What the database does when a transaction begins; where nothing is planned it works.
#[derive(Clone, Default)]
pub(crate) struct Door {
    plans: Arc<Mutex<VecDeque<Plan>>>,
    reached: Arc<Notify>,
    opened: Arc<Notify>,
}

#[derive(Clone, Copy)]
pub(crate) enum Plan {
    /// It cannot be reached.
    Unavailable,
    /// It refuses what it is given.
    Refuse,
    /// What it holds cannot be read.
    Unreadable,
    /// It takes its time until the door is opened.
    Wait,
}

impl Door {
    pub(crate) fn plan(&self, plans: impl IntoIterator<Item = Plan>) {
        self.plans.lock().unwrap().extend(plans);
    }

    /// Waits until a transaction is about to begin that has to wait.
    pub(crate) async fn reached(&self) {
        self.reached.notified().await;
    }

    pub(crate) fn open(&self) {
        self.opened.notify_one();
    }
}

struct Guarded {
    store: SqliteStore,
    door: Door,
}

#[async_trait]
impl CommitStore for Guarded {
    async fn begin(&self, work: Work) -> Result<Box<dyn Transaction>, StoreError> {
        let plan = self.door.plans.lock().unwrap().pop_front();
        match plan {
            Some(Plan::Unavailable) => return Err(StoreError::Unavailable("away".into())),
            Some(Plan::Refuse) => return Err(StoreError::Data("no".into())),
            Some(Plan::Unreadable) => return Err(StoreError::unreadable("a row", "of a newer version")),
            Some(Plan::Wait) => {
                self.door.reached.notify_one();
                self.door.opened.notified().await;
            }
            None => {}
        }
        self.store.begin(work).await
    }

    async fn licenses_of(&self, agreements: &[SubscriptionKey]) -> Result<Vec<SubscriptionKey>, StoreError> {
        self.store.licenses_of(agreements).await
    }
}

struct NoTerms;

impl MeterTermsOf for NoTerms {}

impl TermsOf for NoTerms {
    fn terms(&self, _key: &SubscriptionKey) -> Terms {
        Terms::default()
    }
}

struct NoCertificates;

#[async_trait]
impl CertificateSource for NoCertificates {
    async fn fetch(&self, url: &CertificateUrl) -> Result<Vec<u8>, FetchError> {
        let status = if url.path() == "/none.pem" { 404 } else { 503 };
        Err(FetchError::Status { url: url.to_string(), status })
    }
}
