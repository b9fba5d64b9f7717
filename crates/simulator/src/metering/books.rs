use std::sync::Arc;

use time::OffsetDateTime;

use crate::Product;
use crate::marketplace::Ids;
use crate::metering::answer::{MeteringAnswer, MeteringResult, NotSubscribed, RecordOutcome};
use crate::metering::bill::{Bill, BillEntry, BillKey};
use crate::metering::call::{MeteringCall, MeteringRecord};
use crate::metering::check::{self, Products};
use crate::metering::holder::{Account, MeteredHolder};
use crate::metering::log::{CallLog, MeteringCallLine, MeteringCounts};
use crate::metering::refusal::MeteringRefusal;
use crate::metering::window;

/// What the books of subscriptions know of a holder at the moment of the call; none for whom nobody knows.
pub type Accounts<'a> = &'a dyn Fn(&MeteredHolder) -> Option<Account>;

/// The bills, and the log of the calls that made them.
#[derive(Debug)]
pub struct MeteringBooks {
    products: Products,
    ids: Ids,
    bill: Bill,
    log: CallLog,
    identical_as_duplicate: bool,
}

impl MeteringBooks {
    /// Empty bills for these products; `seed` makes the ids of metering records.
    pub fn new(products: &[Product], seed: u64) -> Self {
        Self {
            products: products.iter().map(|product| (product.code.clone(), product.clone())).collect(),
            ids: Ids::with_seed(seed),
            bill: Bill::default(),
            log: CallLog::default(),
            identical_as_duplicate: false,
        }
    }

    /// Whether a record that is sent again unchanged is from now on a `DuplicateRecord` instead of a `Success`.
    pub fn answer_identical_as_duplicate(&mut self, identical_as_duplicate: bool) {
        self.identical_as_duplicate = identical_as_duplicate;
    }

    /// Takes a call at a moment.
    ///
    /// The periods that `accounts` tells are as of `now`: one that is over has its end.
    ///
    /// # Errors
    ///
    /// [`MeteringRefusal`] if one record or the call breaks a rule; nothing of it was done then.
    pub fn batch(
        &mut self,
        call: &MeteringCall,
        now: OffsetDateTime,
        accounts: Accounts<'_>,
    ) -> Result<MeteringAnswer, MeteringRefusal> {
        self.batch_leaving(call, now, accounts, &mut |_| false)
    }

    /// The same, but those records that are picked by `leave` come back unprocessed. It is asked once for each
    /// position, from 0 on, if the call is not refused.
    ///
    /// # Errors
    ///
    /// As [`MeteringBooks::batch`].
    pub fn batch_leaving(
        &mut self,
        call: &MeteringCall,
        now: OffsetDateTime,
        accounts: Accounts<'_>,
        leave: &mut dyn FnMut(usize) -> bool,
    ) -> Result<MeteringAnswer, MeteringRefusal> {
        let done = match check::check(call, &self.products, now, accounts) {
            Ok(_) if !self.bill.has_room_for(&call.records) => Err(MeteringRefusal::Full),
            Ok(accounts) => Ok(self.process(call, &accounts, now, leave)),
            Err(refusal) => Err(refusal),
        };
        self.log.write(now, &call.region, call.records.len(), done.as_ref());
        done
    }

    /// Notes a call that was refused before it came here, with its number of records as far as that is known.
    pub fn turn_away(
        &mut self,
        region: &str,
        records: usize,
        refusal: &MeteringRefusal,
        now: OffsetDateTime,
    ) {
        self.log.write(now, region, records, Err(refusal));
    }

    /// All that is billed, in the order in which it was taken.
    pub fn bill(&self) -> &[BillEntry] {
        self.bill.entries()
    }

    /// What was billed after a number, at most so much of it.
    pub fn bill_after(&self, number: u64, limit: usize) -> &[BillEntry] {
        self.bill.after(number, limit)
    }

    /// What is billed for one subscription, in the order in which it was taken.
    pub fn bill_of(&self, subscription: &str) -> Vec<&BillEntry> {
        self.bill.of(subscription).collect()
    }

    /// What all calls came to.
    pub fn counts(&self) -> MeteringCounts {
        self.log.counts()
    }

    /// The calls after a number, at most so many; the oldest of very many are forgotten.
    pub fn calls_after(&self, number: u64, limit: usize) -> Vec<MeteringCallLine> {
        self.log.after(number, limit)
    }

    fn process(
        &mut self,
        call: &MeteringCall,
        accounts: &[Option<Arc<Account>>],
        now: OffsetDateTime,
        leave: &mut dyn FnMut(usize) -> bool,
    ) -> MeteringAnswer {
        let mut answer = MeteringAnswer::default();
        for (position, (record, account)) in call.records.iter().zip(accounts).enumerate() {
            if leave(position) {
                answer.unprocessed.push(record.clone());
                continue;
            }
            let outcome = self.meter(&call.region, record, account.as_deref(), now);
            answer.results.push(MeteringResult { record: record.clone(), outcome });
        }
        answer
    }

    fn meter(
        &mut self,
        region: &str,
        record: &MeteringRecord,
        account: Option<&Account>,
        now: OffsetDateTime,
    ) -> RecordOutcome {
        let Some(account) = account else {
            return RecordOutcome::CustomerNotSubscribed(NotSubscribed::Unknown);
        };
        if let Err(why) = window::check_subscription(account, record.timestamp, now) {
            return RecordOutcome::CustomerNotSubscribed(why);
        }
        let key = BillKey::of(region, account, record);
        if let Some(first) = self.bill.get(&key) {
            let record_id = first.record_id.clone();
            return if first.is_of(record) && !self.identical_as_duplicate {
                RecordOutcome::Success { record_id }
            } else {
                RecordOutcome::DuplicateRecord { record_id }
            };
        }
        let record_id = self.ids.uuid();
        self.bill.add(key, account, record, record_id.clone(), now);
        RecordOutcome::Success { record_id }
    }
}
