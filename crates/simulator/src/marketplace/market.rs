use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{Notify, OwnedMutexGuard, watch};
use tokio_util::sync::CancellationToken;

use crate::marketplace::act::{Act, ActError};
use crate::marketplace::books::{Books, Happened};
use crate::marketplace::clock_move::{ClockMove, ClockMoved, ClockReading, MoveError};
use crate::marketplace::crowd_desk::CrowdDesk;
use crate::marketplace::entry::Entry;
use crate::marketplace::followers::Followers;
use crate::marketplace::journal::{Journal, Notification};
use crate::marketplace::notice::Notice;
use crate::marketplace::press::Press;
use crate::marketplace::product::Product;
use crate::metering::{Account, MeteredHolder};
use crate::{EventBus, MarketClock, Topics};

/// The marketplace: products, buyers who act, what is said of them, and the books. Clones share it.
#[derive(Clone, Debug)]
pub struct Marketplace {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) clock: MarketClock,
    books: Mutex<Books>,
    journal: Mutex<Journal>,
    press: Press,
    pub(crate) followers: Followers,
    /// One thing happens at a time, so that what is said of a subscription is published in its order. Whoever
    /// only reads does not wait for it.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Something was put on the agenda.
    pub(crate) agenda_changed: Notify,
    pub(crate) crowd_desk: CrowdDesk,
    /// Whether a crowd moves the clock, and keeps the agenda itself.
    pub(crate) crowd_keeps_agenda: watch::Sender<bool>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: tokio_util::task::TaskTracker,
}

/// What an act came to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Done {
    /// What the books say now.
    pub subscription: Entry,
    /// The ids of what was published.
    pub notifications: Vec<String>,
}

/// The right to let something happen.
pub(crate) type Turn = OwnedMutexGuard<()>;

impl Marketplace {
    /// A marketplace that sells these products; `seed` makes its ids.
    pub(crate) fn new(
        products: &[Product],
        seed: u64,
        clock: MarketClock,
        topics: Topics,
        bus: EventBus,
    ) -> Self {
        let inner = Inner {
            clock,
            books: Mutex::new(Books::new(products, seed)),
            journal: Mutex::default(),
            press: Press::new(topics, bus),
            followers: Followers::default(),
            turn: Arc::default(),
            agenda_changed: Notify::new(),
            crowd_desk: CrowdDesk::default(),
            crowd_keeps_agenda: watch::Sender::new(false),
            stop: CancellationToken::new(),
            tasks: tokio_util::task::TaskTracker::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Lets something happen now, and publishes what there is to say.
    ///
    /// # Errors
    ///
    /// [`ActError`] says why it cannot happen and what can; nothing was changed then.
    pub async fn act(&self, act: &Act) -> Result<Done, ActError> {
        let act = act.clone();
        let (at, done) = self.in_turn(move |inner| inner.act(&act)).await.ok_or(ActError::Stopping)?;
        // Acts in one millisecond are told apart by stamps that run ahead; whoever moves the clock by an hour
        // next shall find the hour of this act over.
        if let Ok(ahead) = Duration::try_from(at - self.inner.clock.now()) {
            tokio::time::sleep(ahead).await;
        }
        done
    }

    /// Moves the clock. Answers when everybody who follows the clock knows of it, and then all that fell due is
    /// published, each thing with the time at which it fell due.
    ///
    /// # Errors
    ///
    /// [`MoveError`] if the moment is out of bounds, or while a crowd moves the clock.
    pub async fn move_clock(&self, to: ClockMove) -> Result<ClockMoved, MoveError> {
        let turn = self.turn().await;
        if *self.inner.crowd_keeps_agenda.borrow() {
            return Err(MoveError::CrowdMovesIt);
        }
        to.carry_out(&self.inner.clock)?;
        let ClockReading { moves, .. } = ClockReading::of(&self.inner.clock);
        let unconfirmed = self.inner.followers.confirm(moves).await;
        let keep = move |inner: &Inner| inner.keep_agenda(inner.clock.now());
        self.with_turn(turn, keep).await.ok_or(MoveError::Stopping)?;
        Ok(ClockMoved { now: self.inner.clock.now(), moves, unconfirmed })
    }

    /// Moves the clock forward, as [`Marketplace::move_clock`] does.
    ///
    /// # Errors
    ///
    /// [`MoveError`] if the moment is out of bounds, or while a crowd moves the clock.
    pub async fn advance(&self, by: Duration) -> Result<ClockMoved, MoveError> {
        self.move_clock(ClockMove::AdvanceSecs(by.as_secs())).await
    }

    /// What the clock shows, as soon as it was moved more or less often than `after`, or when `wait` is over.
    /// Whoever names themselves is a follower: moves wait for them.
    pub(crate) async fn clock_after(
        &self,
        after: u64,
        follower: Option<&str>,
        wait: Duration,
    ) -> ClockReading {
        let mut moves = self.inner.clock.moves();
        let _question = follower.map(|name| self.inner.followers.ask(name, after));
        // Whether it moved, or time is up: the answer is what it shows then.
        let _ = tokio::time::timeout(wait, moves.wait_for(|moves| *moves != after)).await;
        ClockReading::of(&self.inner.clock)
    }

    /// The marketplace's clock.
    pub fn clock(&self) -> &MarketClock {
        &self.inner.clock
    }

    /// All that is sold.
    pub fn products(&self) -> Vec<Product> {
        self.inner.books().products().iter().map(|product| product.as_ref().clone()).collect()
    }

    /// Every entry of the books as of now, in the order of ids.
    pub fn books(&self) -> Vec<Entry> {
        self.books_after(None, usize::MAX)
    }

    /// The entries after an id, at most so many.
    pub fn books_after(&self, after: Option<&str>, limit: usize) -> Vec<Entry> {
        let now = self.inner.clock.now();
        self.inner.books().entries(after, limit, now)
    }

    /// One buyer's entries in the order of purchase; empty where nobody of that name bought anything.
    pub fn books_of(&self, buyer: &str) -> Vec<Entry> {
        let now = self.inner.clock.now();
        self.inner.books().entries_of(buyer, now)
    }

    /// What notifications of topics call a buyer, also before the first purchase; whoever is new becomes known.
    pub fn customer_id(&self, buyer: &str) -> String {
        self.inner.books().buyer(buyer).customer_id.clone()
    }

    /// Whether a buyer's AWS account is suspended.
    pub fn is_suspended(&self, buyer: &str) -> bool {
        self.inner.books().is_suspended(buyer)
    }

    /// What metering needs to know of whom a record is about, as of a moment; none for whom nobody knows.
    pub fn account(&self, holder: &MeteredHolder, now: OffsetDateTime) -> Option<Account> {
        self.inner.books().account(holder, now)
    }

    /// What was published after a number, at most so much of it.
    pub fn notifications(&self, after: u64, limit: usize) -> Vec<Notification> {
        self.inner.journal().after(after, limit)
    }

    /// How many notifications were published.
    pub fn published(&self) -> u64 {
        self.inner.journal().written()
    }

    /// Publishes what falls due as time goes by, until the simulator stops.
    pub(crate) async fn keep_agenda(self) {
        let inner = &self.inner;
        let mut moves = inner.clock.moves();
        let mut crowd_keeps_agenda = inner.crowd_keeps_agenda.subscribe();
        loop {
            let next_due = inner.books().next_due();
            let wait = next_due.map(|due| Duration::try_from(due - inner.clock.now()).unwrap_or_default());
            tokio::select! {
                () = inner.stop.cancelled() => return,
                () = inner.agenda_changed.notified() => continue,
                _ = moves.changed() => continue,
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            }
            tokio::select! {
                () = inner.stop.cancelled() => return,
                _ = crowd_keeps_agenda.wait_for(|keeps| !keeps) => {}
            }
            self.in_turn(|inner| inner.keep_agenda(inner.clock.now())).await;
        }
    }

    pub(crate) async fn turn(&self) -> Turn {
        Arc::clone(&self.inner.turn).lock_owned().await
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce(&Inner) -> T + Send + 'static) -> Option<T> {
        let turn = self.turn().await;
        self.with_turn(turn, work).await
    }

    /// Works where signing holds nobody up, and keeps the turn until it is done; none if the simulator stops.
    pub(crate) async fn with_turn<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce(&Inner) -> T + Send + 'static,
    ) -> Option<T> {
        let inner = Arc::clone(&self.inner);
        let worked = tokio::task::spawn_blocking(move || {
            let done = work(&inner);
            drop(turn);
            done
        });
        match worked.await {
            Ok(done) => Some(done),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the marketplace broke off");
                None
            }
        }
    }
}

/// What happens in a turn.
impl Inner {
    fn act(&self, act: &Act) -> (OffsetDateTime, Result<Done, ActError>) {
        let at = self.clock.stamp();
        self.keep_agenda(at);
        let done = self.act_at(act, at, None).map(|(subscription, published)| {
            let notifications = published.into_iter().map(|notification| notification.id).collect();
            Done { subscription, notifications }
        });
        (at, done)
    }

    pub(crate) fn act_at(
        &self,
        act: &Act,
        at: OffsetDateTime,
        crowd: Option<u32>,
    ) -> Result<(Entry, Vec<Notification>), ActError> {
        let Happened { entry, notices } = self.books().act(act, at, crowd)?;
        let published = notices.iter().filter_map(|notice| self.publish(notice)).collect();
        self.agenda_changed.notify_one();
        Ok((entry, published))
    }

    /// Publishes all that is due by a moment.
    pub(crate) fn keep_agenda(&self, until: OffsetDateTime) {
        while !self.stop.is_cancelled() && self.keep_appointment(until) {}
    }

    /// Publishes the next thing that is due by a moment; false if nothing is.
    pub(crate) fn keep_appointment(&self, until: OffsetDateTime) -> bool {
        let notice = self.books().fall_due(until);
        if let Some(notice) = &notice {
            self.publish(notice);
        }
        notice.is_some()
    }

    fn publish(&self, notice: &Notice) -> Option<Notification> {
        let notification = self.press.publish(notice)?;
        let notification = self.journal().write(notification);
        self.crowd_desk.count(notice);
        Some(notification)
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
