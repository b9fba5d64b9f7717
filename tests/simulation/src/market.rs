use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use stallkeeper_lifecycle::{FINAL_WINDOW, Fact, FactKind, Timestamp, Trial};
use stallkeeper_simulator::{
    Account, Feed, MeteredHolder, MeteringBooks, MeteringCall, MeteringRecord, Period, Pricing, Product,
};
use time::OffsetDateTime;

use crate::setting::{CODE, Identity, PRODUCT, Place, Setting, Temper, account, customer};
use crate::story::can_return;

/// The marketplace's truth: who is subscribed, what was said of it, and the bills.
#[derive(Debug)]
pub(crate) struct Market {
    setting: Setting,
    buyers: Vec<Buyer>,
    /// The bills.
    pub(crate) books: MeteringBooks,
    queue: Vec<Notice>,
    /// All that was said and not lost.
    pub(crate) said: Vec<Notice>,
    next_id: u64,
    /// The records on the bills that another system sent.
    pub(crate) foreign: BTreeSet<String>,
}

/// What another system reports; the worker's own quantities are smaller or much larger.
pub(crate) const FOREIGN_UNITS: i64 = 1_234_567;

#[derive(Clone, Debug)]
struct Buyer {
    stance: Stance,
    periods: Vec<Period>,
    is_frozen: bool,
    /// When it was last spoken of, as no two words have one time.
    spoken_at: Option<Timestamp>,
}

/// Where a buyer stands with the marketplace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stance {
    /// Never subscribed.
    Never,
    /// In force.
    Subscribed,
    /// The last hour runs.
    Leaving {
        /// Until when.
        deadline: Timestamp,
    },
    /// Over.
    Gone,
    /// The payment failed.
    Failed,
}

/// A notification on its way.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// Whom it is about.
    pub(crate) buyer: usize,
    /// What it says.
    pub(crate) fact: Fact,
    /// When this copy arrives.
    pub(crate) arrives_at: Timestamp,
}

impl Market {
    /// A marketplace that sells the setting's product.
    pub(crate) fn new(setting: &Setting, seed: u64) -> Self {
        let feed = match setting.identity {
            Identity::Customer => Feed::Sns,
            Identity::License => Feed::EventBridge,
        };
        let mut product = Product::new(PRODUCT, CODE, feed, Pricing::Subscription);
        if setting.place == Place::China {
            product.metering_age_limit_secs = Some(3_600);
        }
        let mut books = MeteringBooks::new(&[product], seed);
        books.answer_identical_as_duplicate(setting.identical_as_duplicate);
        let buyer = Buyer { stance: Stance::Never, periods: Vec::new(), is_frozen: false, spoken_at: None };
        Self {
            buyers: vec![buyer; setting.buyers],
            setting: setting.clone(),
            books,
            queue: Vec::new(),
            said: Vec::new(),
            next_id: 0,
            foreign: BTreeSet::new(),
        }
    }

    /// With whom it deals.
    pub(crate) fn setting(&self) -> &Setting {
        &self.setting
    }

    /// Where a buyer stands.
    pub(crate) fn stance(&self, buyer: usize) -> Stance {
        self.buyers.get(buyer).map_or(Stance::Never, |buyer| buyer.stance)
    }

    /// When a buyer's current period began.
    pub(crate) fn subscribed_since(&self, buyer: usize) -> Option<Timestamp> {
        let buyer = self.buyers.get(buyer)?;
        matches!(buyer.stance, Stance::Subscribed)
            .then(|| buyer.periods.last().map(|period| Timestamp::from(period.from)))
            .flatten()
    }

    /// Another system reports a customer's current hour; `false` where the marketplace does not take it.
    pub(crate) fn intrude(&mut self, buyer: usize, region: &str, dimension: &str, now: Timestamp) -> bool {
        let record =
            MeteringRecord::of_customer(customer(buyer).as_str(), dimension, moment(now), FOREIGN_UNITS);
        let call = MeteringCall {
            region: region.to_owned(),
            product_code: Some(CODE.to_owned()),
            records: vec![record],
        };
        let accounts = self.accounts();
        let find = |holder: &_| {
            accounts.iter().find(|(known, _)| known == holder).map(|(_, account)| account.clone())
        };
        let before = self.books.bill().len();
        let _taken_or_not = self.books.batch(&call, moment(now), &find);
        let added: Vec<String> =
            self.books.bill().iter().skip(before).map(|entry| entry.record_id.clone()).collect();
        let is_taken = !added.is_empty();
        self.foreign.extend(added);
        is_taken
    }

    /// When a buyer's usage could be billed.
    pub(crate) fn periods(&self, buyer: usize) -> Vec<Period> {
        self.buyers.get(buyer).map(|buyer| buyer.periods.clone()).unwrap_or_default()
    }

    /// A buyer subscribes, as far as that is possible.
    pub(crate) fn subscribe(&mut self, buyer: usize, now: Timestamp, rng: &mut Rng) {
        let returns = can_return(&self.setting);
        let at = self.stamp(buyer, now);
        let licensee = self.setting.licensee(buyer);
        let identity = self.setting.identity;
        let Some(record) = self.buyers.get_mut(buyer) else { return };
        let is_first =
            record.stance == Stance::Never || (record.stance == Stance::Failed && record.periods.is_empty());
        match record.stance {
            Stance::Subscribed => {}
            Stance::Leaving { .. } => {
                close(record, at);
                open(record, at);
            }
            Stance::Gone if !returns => return,
            Stance::Never | Stance::Gone | Stance::Failed => open(record, at),
        }
        record.stance = Stance::Subscribed;
        let kind = match identity {
            Identity::Customer => FactKind::SubscribeSuccess { offer: None, trial: Trial::No },
            Identity::License if is_first => {
                FactKind::LicenseUpdated { offer: None, agreement: None, licensee: Some(licensee) }
            }
            Identity::License => FactKind::LicenseConfirmed { offer: None, agreement: None },
        };
        self.say(buyer, at, kind, rng);
    }

    /// A buyer's payment fails, where nothing is in force.
    pub(crate) fn fail(&mut self, buyer: usize, now: Timestamp, rng: &mut Rng) {
        let at = self.stamp(buyer, now);
        let is_customer = self.setting.identity == Identity::Customer;
        let Some(record) = self.buyers.get_mut(buyer) else { return };
        if is_customer && matches!(record.stance, Stance::Never | Stance::Gone | Stance::Failed) {
            record.stance = Stance::Failed;
            self.say(buyer, at, FactKind::SubscribeFail, rng);
        }
    }

    /// A buyer leaves: an hour for the final usage.
    pub(crate) fn unsubscribe(&mut self, buyer: usize, now: Timestamp, rng: &mut Rng) {
        let at = self.stamp(buyer, now);
        let identity = self.setting.identity;
        let Some(record) = self.buyers.get_mut(buyer) else { return };
        if record.stance != Stance::Subscribed {
            return;
        }
        let deadline = at.plus(FINAL_WINDOW);
        record.stance = Stance::Leaving { deadline };
        close(record, deadline);
        let kind = match identity {
            Identity::Customer => FactKind::UnsubscribePending,
            Identity::License => FactKind::LicenseDeprovisioned,
        };
        self.say(buyer, at, kind, rng);
    }

    /// The marketplace freezes a buyer's account, or lets go of it.
    pub(crate) fn freeze(&mut self, buyer: usize, is_frozen: bool) {
        if let Some(record) = self.buyers.get_mut(buyer) {
            record.is_frozen = is_frozen;
        }
    }

    /// Time has gone by: last hours end; whose did.
    pub(crate) fn pass(&mut self, now: Timestamp, rng: &mut Rng) -> Vec<usize> {
        let mut gone = Vec::new();
        for buyer in 0..self.buyers.len() {
            let Stance::Leaving { deadline } = self.stance(buyer) else { continue };
            if now < deadline {
                continue;
            }
            if let Some(record) = self.buyers.get_mut(buyer) {
                record.stance = Stance::Gone;
            }
            gone.push(buyer);
            if self.setting.identity == Identity::Customer {
                let at = self.stamp(buyer, deadline);
                self.say(buyer, at, FactKind::UnsubscribeSuccess, rng);
            }
        }
        gone
    }

    /// The copies that have arrived, in any order.
    pub(crate) fn arrived(&mut self, now: Timestamp, rng: &mut Rng) -> Vec<Notice> {
        let (mut arrived, waiting): (Vec<Notice>, Vec<Notice>) =
            self.queue.drain(..).partition(|notice| notice.arrives_at <= now);
        self.queue = waiting;
        rng.shuffle(&mut arrived);
        arrived
    }

    /// Copies that could not be taken in come again.
    pub(crate) fn put_back(&mut self, notices: Vec<Notice>) {
        self.queue.extend(notices);
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_silent(&self) -> bool {
        self.queue.is_empty()
    }

    /// What the marketplace's books know of whom a record is about, as of a moment.
    pub(crate) fn accounts(&self) -> Vec<(MeteredHolder, Account)> {
        let known = |(number, buyer): (usize, &Buyer)| {
            let holder = match self.setting.identity {
                Identity::Customer => MeteredHolder::Customer {
                    product_code: CODE.to_owned(),
                    customer_identifier: customer(number).to_string(),
                },
                Identity::License => MeteredHolder::License {
                    license_arn: self.setting.licensee(number).license_arn.to_string(),
                    account: account(number),
                },
            };
            let account = Account {
                subscription: Arc::from(self.setting.key(number).to_string()),
                product_code: CODE.to_owned(),
                account: account(number),
                periods: buyer.periods.clone(),
                is_suspended: buyer.is_frozen,
            };
            (holder, account)
        };
        self.buyers.iter().enumerate().map(known).collect()
    }

    fn say(&mut self, buyer: usize, at: Timestamp, kind: FactKind, rng: &mut Rng) {
        self.next_id += 1;
        let id = crate::setting::parse(&format!("event-{}", self.next_id));
        let fact = Fact::at_time(at, id, kind);
        let is_harsh = self.setting.temper == Temper::Harsh;
        let is_lost = is_harsh && rng.u8(0..40) == 0;
        if is_lost {
            return;
        }
        let copies = if rng.u8(0..3) == 0 { 2 } else { 1 };
        for copy in 0..copies {
            let arrives_at = at.plus(Duration::from_secs(delay(is_harsh, rng)));
            let notice = Notice { buyer, fact: fact.clone(), arrives_at };
            if copy == 0 {
                self.said.push(notice.clone());
            }
            self.queue.push(notice);
        }
    }

    fn stamp(&mut self, buyer: usize, now: Timestamp) -> Timestamp {
        let Some(record) = self.buyers.get_mut(buyer) else { return now };
        let at = record.spoken_at.map_or(now, |before| now.max(before.plus(Duration::from_millis(1))));
        record.spoken_at = Some(at);
        at
    }
}

fn delay(is_harsh: bool, rng: &mut Rng) -> u64 {
    match (is_harsh, rng.u8(0..20)) {
        (true, 0..=1) => rng.u64(1_200..4_500),
        (true, 2..=5) => rng.u64(60..1_200),
        _ => rng.u64(0..50),
    }
}

fn open(buyer: &mut Buyer, at: Timestamp) {
    buyer.periods.push(Period { from: moment(at), to: None });
}

fn close(buyer: &mut Buyer, at: Timestamp) {
    if let Some(period) = buyer.periods.last_mut() {
        period.to = Some(moment(at));
    }
}

/// The same moment in the simulator's words.
pub(crate) fn moment(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::try_from(at).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
