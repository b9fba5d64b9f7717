//! A COMMIT whose answer is lost, and one that never arrives.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where something is missing")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use stallkeeper_lifecycle::{EventId, Fact, FactKind, SubscriptionKey, Timestamp};
use stallkeeper_persistence::contract::{Fixture, PayAsYouGo};
use stallkeeper_persistence::{
    Committer, Content, InboxKey, Incoming, Outcome, Page, Received, Settled, Store, SubmitError, batcher,
};
use stallkeeper_runtime::{FakeClock, Shutdown, Tasks, WallClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use support::{connect, open};

const NOON: Timestamp = Timestamp::from_micros(1_767_268_800_000_000);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_gives_the_stored_outcome() {
    let scene = Scene::open().await;
    scene.wire.cut(Cut::AfterCommit);
    scene.submit_unanswered().await;
    assert_eq!(scene.applied_lines().await, 1, "the server had committed");
    assert_eq!(scene.submit().await.unwrap(), Outcome::Duplicate(Settled::Applied));
    assert_eq!(scene.applied_lines().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_never_arrives_stores_nothing_and_the_next_try_applies() {
    let scene = Scene::open().await;
    scene.wire.cut(Cut::BeforeCommit);
    scene.submit_unanswered().await;
    assert_eq!(scene.applied_lines().await, 0, "the server has forgotten it");
    assert_eq!(scene.submit().await.unwrap(), Outcome::Settled(Settled::Applied));
    assert_eq!(scene.applied_lines().await, 1);
}

/// A committer whose connections run over a wire that can be cut, and a store beside it that sees the rows.
struct Scene {
    committer: Committer,
    wire: Wire,
    beside: Arc<dyn Store>,
    _tasks: Tasks,
    _opened: support::Opened,
}

impl Scene {
    async fn open() -> Self {
        let opened = open().await;
        let tasks = Tasks::new(Shutdown::new());
        let (url, wire) = Wire::lay(&opened.database.url(), &tasks).await;
        let store = Arc::new(connect(&url).await);
        let clock: Arc<dyn WallClock> = Arc::new(FakeClock::new(NOON.try_into().unwrap()));
        let (committer, batcher) = batcher(store, clock, Arc::new(PayAsYouGo));
        tasks.spawn("batcher", batcher.run());
        Self { committer, wire, beside: opened.store(), _tasks: tasks, _opened: opened }
    }

    async fn submit(&self) -> Result<Outcome, SubmitError> {
        self.committer.submit(notification()).await
    }

    async fn submit_unanswered(&self) {
        let answer = self.submit().await;
        assert!(matches!(answer, Err(SubmitError::Unavailable(_))), "not to be acknowledged: {answer:?}");
        assert_eq!(self.wire.cuts(), 1, "the wire was cut at the COMMIT, not elsewhere");
    }

    async fn applied_lines(&self) -> usize {
        let lines = self.beside.history(&buyer(), &Page::first(10)).await.unwrap();
        lines.iter().filter(|line| line.entry.outcome == "applied").count()
    }
}

fn buyer() -> SubscriptionKey {
    "aws/prod-1/customer/buyer".parse().unwrap()
}

fn notification() -> Incoming {
    let id: EventId = "n-1".parse().unwrap();
    let received = Received {
        inbox: InboxKey { marketplace: "aws".parse().unwrap(), id: id.clone() },
        key: buyer(),
        agreement: None,
        fact: Fact::at_time(NOON, id, FactKind::SubscribeFail),
        body: b"{}".to_vec(),
        replays: None,
    };
    Incoming { received_at: NOON, content: Content::Received(received) }
}

/// Where the wire is cut, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    BeforeCommit,
    AfterCommit,
}

/// A relay between a pool and its server that cuts one connection at a COMMIT.
#[derive(Clone, Debug)]
struct Wire {
    server: String,
    next: Arc<Mutex<Option<Cut>>>,
    cuts: Arc<AtomicUsize>,
}

impl Wire {
    /// Listens in front of the server; answers the URL that leads through the wire.
    async fn lay(url: &str, tasks: &Tasks) -> (String, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (before, rest) = url.split_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let through = format!("{before}@{}/{database}", listener.local_addr().unwrap());
        let wire = Self { server: server.to_owned(), next: Arc::default(), cuts: Arc::default() };
        let (relay, connections) = (wire.clone(), tasks.clone());
        tasks.spawn("wire", async move {
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn("connection", relay.clone().relay(client));
            }
        });
        (through, wire)
    }

    fn cut(&self, cut: Cut) {
        *self.next.lock().unwrap() = Some(cut);
    }

    fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }

    /// Carries bytes both ways until a side hangs up or the wire is cut, which hangs up on both.
    async fn relay(self, mut client: TcpStream) {
        let mut server = TcpStream::connect(&self.server).await.unwrap();
        let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
        loop {
            tokio::select! {
                Ok(count @ 1..) = client.read(&mut asked) => {
                    let bytes = &asked[..count];
                    match self.take_cut(bytes) {
                        Some(Cut::BeforeCommit) => return,
                        Some(Cut::AfterCommit) => {
                            server.write_all(bytes).await.unwrap();
                            // The answer came this far, so the transaction is committed; it goes no further.
                            return assert!(server.read(&mut answered).await.unwrap() > 0);
                        }
                        None => server.write_all(bytes).await.unwrap(),
                    }
                }
                Ok(count @ 1..) = server.read(&mut answered) => {
                    if client.write_all(&answered[..count]).await.is_err() {
                        return;
                    }
                }
                else => return,
            }
        }
    }

    fn take_cut(&self, asked: &[u8]) -> Option<Cut> {
        let is_commit = asked.windows(6).any(|word| word == b"COMMIT");
        let cut = is_commit.then(|| self.next.lock().unwrap().take()).flatten();
        self.cuts.fetch_add(usize::from(cut.is_some()), Ordering::SeqCst);
        cut
    }
}
