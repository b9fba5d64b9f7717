use std::collections::BTreeMap;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use crate::marketplace::act::{Act, ActError};
use crate::marketplace::buyer::Buyer;
use crate::marketplace::customer;
use crate::marketplace::entry::{Entry, Period, Standing};
use crate::marketplace::ids::Ids;
use crate::marketplace::license::License;
use crate::marketplace::message::Message;
use crate::marketplace::notice::{Notice, Said};
use crate::marketplace::product::{Feed, Product};

/// How long the last records are taken after a buyer left (seller guide, "SaaS notifications").
pub(crate) const LAST_HOUR: Duration = Duration::HOUR;
/// How far ahead of the clock the notifications of one subscription may be, as they keep their distance.
pub(crate) const AHEAD_MAX: Duration = Duration::seconds(5);

/// One subscription as the marketplace holds it.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) record: Record,
    pub(crate) holder: Holder,
}

/// What a subscription hangs on.
#[derive(Debug)]
pub(crate) enum Holder {
    Customer,
    License(License),
}

/// What is recorded of every subscription, whatever it hangs on.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) id: Arc<str>,
    pub(crate) product: Arc<Product>,
    pub(crate) buyer: Arc<Buyer>,
    pub(crate) offer: String,
    pub(crate) trial: bool,
    pub(crate) standing: Standing,
    /// What a contract entitles to while it is in force.
    pub(crate) entitlements: BTreeMap<String, u32>,
    pub(crate) periods: Vec<Period>,
    /// When something was said about it last.
    pub(crate) said_at: Option<OffsetDateTime>,
    /// How often something was said about it.
    pub(crate) said_count: u32,
    /// The crowd whose buyer it belongs to.
    pub(crate) crowd: Option<u32>,
}

impl Subscription {
    /// Lets an act happen; an error leaves everything as it was.
    pub(crate) fn act(
        &mut self,
        act: &Act,
        at: OffsetDateTime,
        ids: &mut Ids,
    ) -> Result<Vec<Notice>, ActError> {
        match &mut self.holder {
            Holder::Customer => customer::act(&mut self.record, act, at, ids),
            Holder::License(license) => license.act(&mut self.record, act, at, ids),
        }
    }

    /// Says that the hour is over, if it is this hour that was announced and nobody came back.
    pub(crate) fn end_hour(&mut self, due: OffsetDateTime, ids: &mut Ids) -> Option<Notice> {
        if self.record.standing != (Standing::Ending { deadline: due }) {
            return None;
        }
        let last_word = match &self.holder {
            Holder::Customer => Said::Message(Message::UnsubscribeSuccess),
            Holder::License(license) => license.deprovisioned(&self.record, ids),
        };
        Some(self.record.end(due, last_word))
    }

    /// What the books say at a moment.
    pub(crate) fn entry(&self, now: OffsetDateTime) -> Entry {
        let Self { record, holder } = self;
        let license = match holder {
            Holder::Customer => None,
            Holder::License(license) => Some(license),
        };
        Entry {
            id: Arc::clone(&record.id),
            product: record.product.key.clone(),
            code: record.product.code.clone(),
            buyer: record.buyer.name.clone(),
            account: record.buyer.account.clone(),
            customer_id: license.is_none().then(|| record.buyer.customer_id.clone()),
            license_arn: license.map(License::arn),
            agreement_id: license.map(|license| license.agreement.id.clone()),
            offer_id: record.offer.clone(),
            standing: record.standing.at(now),
            trial: record.trial,
            periods: record.periods_at(now),
        }
    }
}

impl Record {
    /// A record before the first act.
    pub(crate) fn blank(id: &str, product: &Arc<Product>, buyer: &Arc<Buyer>, crowd: Option<u32>) -> Self {
        Self {
            id: id.into(),
            product: Arc::clone(product),
            buyer: Arc::clone(buyer),
            offer: String::new(),
            trial: false,
            standing: Standing::Ended,
            entitlements: BTreeMap::new(),
            periods: Vec::new(),
            said_at: None,
            said_count: 0,
            crowd,
        }
    }

    fn periods_at(&self, now: OffsetDateTime) -> Vec<Period> {
        let mut periods = self.periods.clone();
        if let (Standing::Ending { deadline }, Some(last)) = (self.standing, periods.last_mut())
            && deadline <= now
        {
            last.to = Some(deadline);
        }
        periods
    }

    /// When the first of so many things can be said: after all that was said before, in whole seconds and a
    /// second apart where events tell it.
    pub(crate) fn next_moment(&self, at: OffsetDateTime, count: i32) -> Result<OffsetDateTime, ActError> {
        let step = self.step();
        let at_earliest = match self.product.feed {
            Feed::Sns => at,
            Feed::EventBridge => whole_seconds(at),
        };
        let first = self.said_at.map_or(at_earliest, |said_at| at_earliest.max(said_at + step));
        let ahead = first + step * (count - 1) - at;
        if ahead > AHEAD_MAX {
            let ahead_secs = ahead.whole_seconds();
            return Err(ActError::AheadOfClock { subscription: self.id.to_string(), ahead_secs });
        }
        Ok(first)
    }

    /// How far apart two things are said.
    pub(crate) fn step(&self) -> Duration {
        match self.product.feed {
            Feed::Sns => Duration::MILLISECOND,
            Feed::EventBridge => Duration::SECOND,
        }
    }

    pub(crate) fn say(&mut self, at: OffsetDateTime, said: Said) -> Notice {
        self.said_at = Some(at);
        self.said_count += 1;
        Notice {
            subscription: Arc::clone(&self.id),
            product: Arc::clone(&self.product),
            buyer: Arc::clone(&self.buyer),
            at,
            said,
            crowd: self.crowd,
        }
    }

    pub(crate) fn open_period(&mut self, from: OffsetDateTime) {
        self.close_period(from);
        self.entitlements = self.product.first_entitlements();
        self.periods.push(Period { from, to: None });
    }

    fn close_period(&mut self, to: OffsetDateTime) {
        if let Some(last) = self.periods.last_mut() {
            last.to.get_or_insert(to);
        }
    }

    fn end(&mut self, due: OffsetDateTime, last_word: Said) -> Notice {
        self.standing = Standing::Ended;
        self.close_period(due);
        let at = self.said_at.map_or(due, |said_at| due.max(said_at + self.step()));
        self.say(at, last_word)
    }

    pub(crate) fn impossible(&self, act: &Act, possible: &str) -> ActError {
        ActError::Impossible {
            act: act.name(),
            subscription: self.id.to_string(),
            standing: self.standing.as_str(),
            possible: possible.to_owned(),
        }
    }
}

pub(crate) fn whole_seconds(moment: OffsetDateTime) -> OffsetDateTime {
    moment - Duration::nanoseconds(moment.nanosecond().into())
}
