//! Metering as the marketplace offers it: on the marketplace's clock, over its books of subscriptions.

mod calls;
mod resolve;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::metering::{
    BillEntry, CallRate, MeteringAnswer, MeteringBooks, MeteringCall, MeteringCallLine, MeteringCounts,
    MeteringRefusal, MeteringSettings,
};
use crate::{CallFate, Faults, Marketplace};

pub(crate) use calls::{TARGET_PREFIX, answer, region};
pub(crate) use resolve::{ACTION as RESOLVE, resolve};

/// What is metered, and the bills. Clones share it.
#[derive(Clone, Debug)]
pub struct Metering {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    market: Marketplace,
    faults: Arc<Faults>,
    state: Mutex<State>,
    started: Instant,
    /// How many calls over HTTP were answered: request ids are made of it.
    answered: AtomicU64,
}

#[derive(Debug)]
struct State {
    books: MeteringBooks,
    settings: MeteringSettings,
    rate: CallRate,
}

impl Metering {
    /// Metering of a marketplace's products; `seed` makes the ids of metering records.
    pub(crate) fn new(
        market: Marketplace,
        faults: Arc<Faults>,
        settings: MeteringSettings,
        seed: u64,
    ) -> Self {
        let books = MeteringBooks::new(&market.products(), seed);
        let mut state = State { books, settings, rate: CallRate::new(None) };
        state.set(settings);
        let (started, answered) = (Instant::now(), AtomicU64::default());
        Self { inner: Arc::new(Inner { market, faults, state: Mutex::new(state), started, answered }) }
    }

    /// Takes a call now, as the HTTP service does, but without faults and without a limit of its rate.
    ///
    /// # Errors
    ///
    /// [`MeteringRefusal`] if the call fails as a whole; nothing of it was done then.
    pub fn batch(&self, call: &MeteringCall) -> Result<MeteringAnswer, MeteringRefusal> {
        self.batch_leaving(call, &mut |_| false)
    }

    /// All that is billed, in the order in which it was taken.
    pub fn bill(&self) -> Vec<BillEntry> {
        self.state().books.bill().to_vec()
    }

    /// What was billed after a number, at most so much of it.
    pub fn bill_after(&self, number: u64, limit: usize) -> Vec<BillEntry> {
        self.state().books.bill_after(number, limit).to_vec()
    }

    /// What is billed for one subscription, by its id in the books, in the order in which it was taken.
    pub fn bill_of(&self, subscription: &str) -> Vec<BillEntry> {
        self.state().books.bill_of(subscription).into_iter().cloned().collect()
    }

    /// A buyer's whole bill, in the order in which it was taken; empty where nothing is billed.
    pub fn bill_of_buyer(&self, buyer: &str) -> Vec<BillEntry> {
        let purchases = self.inner.market.books_of(buyer);
        let mut bill: Vec<_> = purchases.iter().flat_map(|entry| self.bill_of(&entry.id)).collect();
        bill.sort_by_key(|entry| entry.number);
        bill
    }

    /// What all calls came to.
    pub fn counts(&self) -> MeteringCounts {
        self.state().books.counts()
    }

    /// The calls after a number, at most so many; the oldest of very many are forgotten.
    pub fn calls_after(&self, number: u64, limit: usize) -> Vec<MeteringCallLine> {
        self.state().books.calls_after(number, limit)
    }

    /// The settings that hold now.
    pub fn settings(&self) -> MeteringSettings {
        self.state().settings
    }

    /// Changes all settings from the next call on; every Region has its whole rate again.
    pub fn set_settings(&self, settings: MeteringSettings) {
        self.state().set(settings);
    }

    /// The number of a call over HTTP that is answered now.
    pub(crate) fn number(&self) -> u64 {
        self.inner.answered.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes a call over HTTP; the fate says what becomes of the answer.
    fn take(&self, call: &MeteringCall) -> (Result<MeteringAnswer, MeteringRefusal>, CallFate) {
        let run_time = self.inner.started.elapsed();
        if !self.state().rate.take(&call.region, run_time) {
            return (Err(self.turn_away(call, MeteringRefusal::Throttled)), CallFate::Answered);
        }
        let fate = self.inner.faults.draw_metering_call();
        let answer = match fate {
            CallFate::Failed => Err(self.turn_away(call, MeteringRefusal::Internal)),
            CallFate::Throttled => Err(self.turn_away(call, MeteringRefusal::Throttled)),
            CallFate::Answered | CallFate::Dropped => {
                self.batch_leaving(call, &mut |_| self.inner.faults.draw_unprocessed())
            }
        };
        (answer, fate)
    }

    fn batch_leaving(
        &self,
        call: &MeteringCall,
        leave: &mut dyn FnMut(usize) -> bool,
    ) -> Result<MeteringAnswer, MeteringRefusal> {
        let market = &self.inner.market;
        let mut state = self.state();
        let now = market.clock().now();
        state.books.batch_leaving(call, now, &|holder| market.account(holder, now), leave)
    }

    fn turn_away(&self, call: &MeteringCall, refusal: MeteringRefusal) -> MeteringRefusal {
        let now = self.inner.market.clock().now();
        self.state().books.turn_away(&call.region, call.records.len(), &refusal, now);
        refusal
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn set(&mut self, settings: MeteringSettings) {
        self.settings = settings;
        self.rate = CallRate::new(settings.calls_per_sec);
        self.books.answer_identical_as_duplicate(settings.identical_as_duplicate);
    }
}
