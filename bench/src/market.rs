//! A marketplace in this process, whose time goes on by its calls.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use stallkeeper_ledger::{Call, CallGroup, Report, Who};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_metering::{CallAnswer, CallError, MeteringApi, RecordAnswer, Resend};
use stallkeeper_runtime::{FakeClock, WallClock as _};
use stallkeeper_simulator::{
    Account, CallRate, Feed, MeteredHolder, MeteringBooks, MeteringCall, MeteringCounts, MeteringRecord,
    MeteringRefusal, Period, Pricing, Product, RecordOutcome,
};
use time::OffsetDateTime;

use crate::seller::{CODE, PRODUCT};

/// A payer of twelve digits; the books tell subscriptions apart by the customer.
const ACCOUNT: &str = "123456789012";
const SEED: u64 = 7;

/// The simulator's books behind its rate, and a clock that each call moves on.
#[derive(Debug)]
pub(crate) struct Market {
    state: Mutex<State>,
    clock: FakeClock,
    /// How long a call takes.
    call_takes: Duration,
    /// Since when its buyers are subscribed.
    since: OffsetDateTime,
    /// Until when their usage is taken.
    until: Option<OffsetDateTime>,
}

#[derive(Debug)]
struct State {
    books: MeteringBooks,
    rate: CallRate,
    tally: Tally,
}

/// What the market has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) throttled: u64,
    pub(crate) last_at: Option<Timestamp>,
}

impl Market {
    /// One whose buyers are subscribed between those times.
    pub(crate) fn new(
        clock: FakeClock,
        calls_per_sec: u32,
        call_takes: Duration,
        since: Timestamp,
        until: Timestamp,
    ) -> anyhow::Result<Arc<Self>> {
        let product = Product::new(PRODUCT, CODE, Feed::Sns, Pricing::Subscription);
        let books = MeteringBooks::new(&[product], SEED);
        let state = State { books, rate: CallRate::new(Some(calls_per_sec)), tally: Tally::default() };
        let (since, until) = (since.try_into()?, Some(until.try_into()?));
        Ok(Arc::new(Self { state: Mutex::new(state), clock, call_takes, since, until }))
    }

    pub(crate) fn counts(&self) -> MeteringCounts {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).books.counts()
    }

    pub(crate) fn tally(&self) -> Tally {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).tally
    }

    /// How much is on all bills, and in how many records.
    pub(crate) fn billed(&self) -> (i64, usize) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let bill = state.books.bill();
        (bill.iter().map(|entry| entry.quantity).sum(), bill.len())
    }

    fn account(&self, holder: &MeteredHolder) -> Option<Account> {
        let MeteredHolder::Customer { product_code, customer_identifier } = holder else { return None };
        Some(Account {
            subscription: Arc::from(customer_identifier.as_str()),
            product_code: product_code.clone(),
            account: ACCOUNT.to_owned(),
            periods: vec![Period { from: self.since, to: self.until }],
            is_suspended: false,
        })
    }
}

#[async_trait]
impl MeteringApi for Market {
    async fn report(&self, call: &Call) -> Result<CallAnswer, CallError> {
        self.clock.advance(self.call_takes);
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let run_time = Duration::try_from(now - self.since).unwrap_or_default();
        if !state.rate.take("us-east-1", run_time) {
            state.tally.throttled += 1;
            return Err(CallError::Throttled { request_id: None });
        }
        state.tally.last_at = Some(now.into());
        let records = call.records.iter().map(|record| wire(&record.report)).collect();
        let product_code = match &call.group {
            CallGroup::Customers(product) => Some(product.to_string()),
            CallGroup::Licenses(_) => None,
        };
        let wired = MeteringCall { region: "us-east-1".to_owned(), product_code, records };
        let answer = state.books.batch(&wired, now, &|holder| self.account(holder)).map_err(refused)?;
        // Nothing is left unprocessed, so that the results stand in the records' order.
        let records = answer.results.into_iter().map(|result| spoken(result.outcome)).collect();
        Ok(CallAnswer { request_id: None, records })
    }

    fn resend(&self) -> Resend {
        Resend::Safe
    }
}

fn wire(report: &Report) -> MeteringRecord {
    let customer = match &report.who {
        Who::Customer { customer, .. } => customer.as_str(),
        Who::License { .. } => "",
    };
    let stamp = OffsetDateTime::try_from(report.stamp).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    MeteringRecord::of_customer(customer, report.dimension.as_str(), stamp, report.quantity)
}

fn spoken(outcome: RecordOutcome) -> RecordAnswer {
    match outcome {
        RecordOutcome::Success { record_id } => RecordAnswer::Accepted { record_id },
        RecordOutcome::DuplicateRecord { record_id } => {
            RecordAnswer::Duplicate { record_id: Some(record_id) }
        }
        RecordOutcome::CustomerNotSubscribed(_) => RecordAnswer::NotSubscribed,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it maps an error")]
fn refused(refusal: MeteringRefusal) -> CallError {
    CallError::Refused {
        request_id: None,
        code: refusal.code().as_str().to_owned(),
        message: refusal.to_string(),
    }
}
