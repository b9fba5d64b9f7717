//! What happens to a subscription of a license, and what the event bus says of it.

use time::{Duration, OffsetDateTime};

use crate::marketplace::act::{Act, ActError};
use crate::marketplace::entry::Standing;
use crate::marketplace::event::{EndStatus, Event, EventKind, Origin, Term};
use crate::marketplace::ids::Ids;
use crate::marketplace::notice::{Notice, Said};
use crate::marketplace::product::Pricing;
use crate::marketplace::subscription::{LAST_HOUR, Record};
use crate::server::MARKETPLACE_ACCOUNT;

/// A license and the agreement that it stands on.
#[derive(Debug)]
pub(crate) struct License {
    /// `l-…`
    pub(crate) id: String,
    pub(crate) agreement: Agreement,
    /// The agreement that the marketplace warned of and has not cleared.
    warned_of: Option<String>,
}

/// An agreement in force.
#[derive(Debug)]
pub(crate) struct Agreement {
    pub(crate) id: String,
    term: Term,
}

impl License {
    /// A new license, of which nothing was said yet.
    pub(crate) fn draw(pricing: Pricing, starts: OffsetDateTime, ids: &mut Ids) -> Self {
        let agreement = Agreement::draw(pricing, starts, ids);
        Self { id: ids.license(), agreement, warned_of: None }
    }

    /// Whether the marketplace warned of it and did not take that back.
    pub(crate) fn is_warned_of(&self) -> bool {
        self.warned_of.is_some()
    }

    /// The ARN that calls take.
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:license-manager::{MARKETPLACE_ACCOUNT}:license:{}", self.id)
    }

    /// Lets an act happen; an error leaves everything as it was.
    pub(crate) fn act(
        &mut self,
        record: &mut Record,
        act: &Act,
        at: OffsetDateTime,
        ids: &mut Ids,
    ) -> Result<Vec<Notice>, ActError> {
        let warned = self.warned_of.is_some();
        match (act, record.standing) {
            (Act::Subscribe(_), Standing::Ended) if record.periods.is_empty() => self.begin(record, at, ids),
            (Act::Amend(_), Standing::Subscribed) => self.amend(record, at, ids),
            (Act::Renew(_), Standing::Subscribed) => self.renew(record, at, ids),
            (Act::Unsubscribe(_), Standing::Subscribed) => self.cancel(record, at, ids),
            (Act::IssueAdvisory(_), Standing::Subscribed) if !warned => self.warn(record, at, ids),
            (Act::ResolveAdvisory(_), _) if warned => self.clear(record, at, ids),
            _ => Err(record.impossible(act, possible(record.standing, warned))),
        }
    }

    fn begin(
        &mut self,
        record: &mut Record,
        at: OffsetDateTime,
        ids: &mut Ids,
    ) -> Result<Vec<Notice>, ActError> {
        let first = record.next_moment(at, 2)?;
        record.offer = ids.offer();
        record.standing = Standing::Subscribed;
        record.open_period(first + record.step());
        let created = EventKind::AgreementCreated { term: self.agreement.term, origin: Origin::New };
        let said = [self.event(record, created, ids), self.updated(record, ids)];
        Ok(in_turn(record, first, said))
    }

    fn amend(
        &mut self,
        record: &mut Record,
        at: OffsetDateTime,
        ids: &mut Ids,
    ) -> Result<Vec<Notice>, ActError> {
        let first = record.next_moment(at, 2)?;
        record.offer = ids.offer();
        let amended = EventKind::AgreementAmended { term: self.agreement.term };
        let said = [self.event(record, amended, ids), self.updated(record, ids)];
        Ok(in_turn(record, first, said))
    }

    /// The new agreement, the end of the old one, and the license that now names the new one.
    fn renew(
        &mut self,
        record: &mut Record,
        at: OffsetDateTime,
        ids: &mut Ids,
    ) -> Result<Vec<Notice>, ActError> {
        let first = record.next_moment(at, 3)?;
        let ended = EventKind::AgreementEnded { status: EndStatus::Renewed };
        let ended = self.event(record, ended, ids);
        let renewed = Agreement::draw(record.product.pricing, first, ids);
        let previous = std::mem::replace(&mut self.agreement, renewed).id;
        let created =
            EventKind::AgreementCreated { term: self.agreement.term, origin: Origin::Renewal { previous } };
        let said = [self.event(record, created, ids), ended, self.updated(record, ids)];
        Ok(in_turn(record, first, said))
    }

    fn cancel(
        &mut self,
        record: &mut Record,
        at: OffsetDateTime,
        ids: &mut Ids,
    ) -> Result<Vec<Notice>, ActError> {
        let at = record.next_moment(at, 1)?;
        record.standing = Standing::Ending { deadline: at + LAST_HOUR };
        let cancelled = EventKind::AgreementEnded { status: EndStatus::Cancelled };
        Ok(vec![record.say(at, self.event(record, cancelled, ids))])
    }

    fn warn(
        &mut self,
        record: &mut Record,
        at: OffsetDateTime,
        ids: &mut Ids,
    ) -> Result<Vec<Notice>, ActError> {
        let at = record.next_moment(at, 1)?;
        self.warned_of = Some(self.agreement.id.clone());
        Ok(vec![record.say(at, self.event(record, EventKind::AdvisoryIssued, ids))])
    }

    /// Clears the agreement that was warned of, although another one may have followed it.
    fn clear(
        &mut self,
        record: &mut Record,
        at: OffsetDateTime,
        ids: &mut Ids,
    ) -> Result<Vec<Notice>, ActError> {
        let at = record.next_moment(at, 1)?;
        let warned_of = self.warned_of.take().unwrap_or_else(|| self.agreement.id.clone());
        let resolved = event_of(warned_of, record, EventKind::AdvisoryResolved, ids);
        Ok(vec![record.say(at, resolved)])
    }

    fn updated(&self, record: &Record, ids: &mut Ids) -> Said {
        self.event(record, EventKind::LicenseUpdated { license: self.id.clone() }, ids)
    }

    /// The last word on a license.
    pub(crate) fn deprovisioned(&self, record: &Record, ids: &mut Ids) -> Said {
        self.event(record, EventKind::LicenseDeprovisioned { license: self.id.clone() }, ids)
    }

    /// An event of the agreement in force.
    fn event(&self, record: &Record, kind: EventKind, ids: &mut Ids) -> Said {
        event_of(self.agreement.id.clone(), record, kind, ids)
    }
}

impl Agreement {
    /// The end of its term.
    pub(crate) fn ends(&self) -> OffsetDateTime {
        self.term.ends
    }

    /// An agreement from a moment on: for a year with a contract, without an end in sight else.
    fn draw(pricing: Pricing, starts: OffsetDateTime, ids: &mut Ids) -> Self {
        let days = match pricing {
            Pricing::Contract => 365,
            Pricing::Subscription => 36_500,
        };
        Self { id: ids.agreement(), term: Term { starts, ends: starts + Duration::days(days) } }
    }
}

fn event_of(agreement_id: String, record: &Record, kind: EventKind, ids: &mut Ids) -> Said {
    let offer = record.offer.clone();
    Said::Event(Event { id: ids.uuid(), request_id: ids.uuid(), agreement_id, offer, kind })
}

fn in_turn<const N: usize>(record: &mut Record, first: OffsetDateTime, said: [Said; N]) -> Vec<Notice> {
    let mut at = first;
    let mut notices = Vec::with_capacity(N);
    for said in said {
        notices.push(record.say(at, said));
        at += record.step();
    }
    notices
}

fn possible(standing: Standing, warned: bool) -> &'static str {
    match (standing, warned) {
        (Standing::Subscribed, false) => "amend, renew, unsubscribe, issue-advisory",
        (Standing::Subscribed, true) => "amend, renew, unsubscribe, resolve-advisory",
        (_, true) => "resolve-advisory, or subscribe for a new license",
        (_, false) => "subscribe for a new license",
    }
}
