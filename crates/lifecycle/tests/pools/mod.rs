//! Facts to draw from, by feed.

use std::ops::RangeInclusive;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use stallkeeper_lifecycle::{
    AgreementEnd, AgreementIntent, Fact, FactKind, InstanceStatus, Notice, Plan, Timestamp, Trial,
};

const START: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Feed {
    Sns,
    EventBridge,
    Spi,
    Codes,
}

impl Feed {
    fn has_times(self) -> bool {
        matches!(self, Self::Sns | Self::EventBridge)
    }
}

pub(crate) fn minute(minutes: i64) -> Timestamp {
    let distance = Duration::from_mins(minutes.unsigned_abs());
    if minutes < 0 { START.minus(distance) } else { START.plus(distance) }
}

fn success(offer: &str, trial: Trial) -> FactKind {
    FactKind::SubscribeSuccess { offer: Some(offer.parse().unwrap()), trial }
}

fn license(offer: &str) -> FactKind {
    FactKind::LicenseUpdated {
        offer: Some(offer.parse().unwrap()),
        agreement: Some("agmt-1".parse().unwrap()),
        licensee: None,
    }
}

fn confirmed(offer: &str) -> FactKind {
    FactKind::LicenseConfirmed {
        offer: Some(offer.parse().unwrap()),
        agreement: Some("agmt-2".parse().unwrap()),
    }
}

fn plan(id: &str) -> Plan {
    Plan { id: id.parse().unwrap(), items: [("seats".to_owned(), "3".to_owned())].into() }
}

fn created() -> FactKind {
    FactKind::InstanceCreated { plan: Some(plan("sku-1")), trial: Trial::No, expires_at: Some(minute(500)) }
}

fn opened(minutes: i64) -> FactKind {
    FactKind::InstanceObserved(InstanceStatus::Opened { expires_at: Some(minute(minutes)) })
}

/// The facts, their ids in the order given, where equal times shall not find the rank's order.
fn timed(facts: impl IntoIterator<Item = (i64, FactKind)>) -> Vec<Fact> {
    let fact = |(index, (at, kind))| Fact::at_time(minute(at), format!("m-{index}").parse().unwrap(), kind);
    facts.into_iter().enumerate().map(fact).collect()
}

fn received(kinds: impl IntoIterator<Item = FactKind>) -> Vec<Fact> {
    let fact =
        |(sequence, kind): (u64, _)| Fact::received(sequence, minute(10 * sequence.cast_signed()), kind);
    (1..).zip(kinds).map(fact).collect()
}

/// Each SNS kind, equal times, a window and what follows it.
pub(crate) fn sns() -> Vec<Fact> {
    timed([
        (90, FactKind::UnsubscribeSuccess),
        (30, FactKind::UnsubscribePending),
        (30, success("offer-1", Trial::No)),
        (30, FactKind::SubscribeFail),
        (40, FactKind::EntitlementUpdated),
        (89, success("offer-2", Trial::Unknown)),
        (95, FactKind::UnsubscribePending),
    ])
}

pub(crate) fn eventbridge() -> Vec<Fact> {
    timed([
        (80, FactKind::LicenseDeprovisioned),
        (30, FactKind::AgreementEnded(AgreementEnd::Cancelled)),
        (30, license("offer-1")),
        (60, confirmed("offer-2")),
        (60, license("offer-2")),
        (80, FactKind::AgreementEnded(AgreementEnd::Expired)),
        (90, FactKind::AdvisoryIssued),
    ])
}

pub(crate) fn spi() -> Vec<Fact> {
    received([
        created(),
        FactKind::InstanceUpgraded { plan: plan("sku-2") },
        FactKind::InstanceExpired,
        FactKind::InstanceRenewed { expires_at: Some(minute(900)) },
        opened(700),
        FactKind::InstanceReleased,
        FactKind::InstanceResumed,
    ])
}

pub(crate) fn codes() -> Vec<Fact> {
    received([
        FactKind::CodeRenewed { expires_at: Some(minute(300)) },
        FactKind::CodeActivated { expires_at: Some(minute(500)) },
        FactKind::CodeExpired,
        FactKind::CodeRenewed { expires_at: Some(minute(900)) },
        FactKind::CodeExpired,
        FactKind::CodeDiscarded,
        FactKind::CodeActivated { expires_at: None },
    ])
}

/// Any kind of a feed.
pub(crate) fn kind_of(feed: Feed) -> BoxedStrategy<FactKind> {
    let kinds = match feed {
        Feed::Sns => vec![
            success("offer-1", Trial::No),
            success("offer-2", Trial::Yes),
            FactKind::SubscribeSuccess { offer: None, trial: Trial::Unknown },
            FactKind::SubscribeFail,
            FactKind::UnsubscribePending,
            FactKind::UnsubscribeSuccess,
            FactKind::EntitlementUpdated,
        ],
        Feed::EventBridge => vec![
            license("offer-1"),
            license("offer-2"),
            confirmed("offer-2"),
            FactKind::LicenseUpdated { offer: None, agreement: None, licensee: None },
            FactKind::LicenseDeprovisioned,
            FactKind::AgreementCreated(AgreementIntent::New),
            FactKind::AgreementAmended,
            FactKind::AgreementEnded(AgreementEnd::Cancelled),
            FactKind::AgreementEnded(AgreementEnd::Expired),
            FactKind::AgreementEnded(AgreementEnd::Terminated),
            FactKind::AgreementEnded(AgreementEnd::Renewed),
            FactKind::AgreementEnded(AgreementEnd::Replaced),
            FactKind::AdvisoryIssued,
            FactKind::AdvisoryResolved,
            FactKind::Notice(Notice::CancellationApproved),
        ],
        Feed::Spi => vec![
            FactKind::OrderPaid,
            created(),
            FactKind::InstanceRenewed { expires_at: Some(minute(200)) },
            FactKind::InstanceRenewed { expires_at: None },
            FactKind::InstanceResumed,
            FactKind::InstanceUpgraded { plan: plan("sku-2") },
            FactKind::InstanceExpired,
            FactKind::InstanceReleased,
            FactKind::InstanceObserved(InstanceStatus::Opening),
            opened(700),
            FactKind::InstanceObserved(InstanceStatus::Expired),
            FactKind::InstanceObserved(InstanceStatus::Closed),
        ],
        Feed::Codes => vec![
            FactKind::CodeActivated { expires_at: Some(minute(500)) },
            FactKind::CodeActivated { expires_at: None },
            FactKind::CodeRenewed { expires_at: Some(minute(300)) },
            FactKind::CodeExpired,
            FactKind::CodeDiscarded,
        ],
    };
    select(kinds).boxed()
}

/// Facts of one feed, each with an id of its own, at times that often coincide.
pub(crate) fn facts_of(feed: Feed, count: RangeInclusive<usize>) -> BoxedStrategy<Vec<Fact>> {
    let drawn = proptest::collection::vec((0..30_i64, kind_of(feed)), count);
    drawn
        .prop_map(move |drawn| {
            if feed.has_times() {
                timed(drawn.into_iter().map(|(tens, kind)| (tens * 10, kind)))
            } else {
                received(drawn.into_iter().map(|(_, kind)| kind))
            }
        })
        .boxed()
}
