use serde::{Deserialize, Serialize};

use crate::standing::FINAL_WINDOW;
use crate::{
    AgreementEnd, AgreementId, Anomaly, End, Entry, Fact, FactKind, FactLog, Flag, InstanceStatus, Licensee,
    OfferId, Period, Plan, Standing, SuspendReason, Timestamp, Trial,
};

/// What a sorted list of facts comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folded {
    /// Where the marketplace's facts leave the subscription.
    pub standing: Standing,
    /// How many periods there have been.
    pub periods: u32,
    /// Whether AWS has warned about the buyer.
    pub advisory: Advisory,
    /// The agreement that the newest license event named.
    pub agreement: Option<AgreementId>,
    /// Whom the license was granted to, as the newest license event said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licensee: Option<Licensee>,
    /// When the marketplace last said that entitlements changed.
    pub entitlements_changed_at: Option<Timestamp>,
    /// When the marketplace last said that the license was updated, which is also how it says that a contract's
    /// entitlements changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licensed_at: Option<Timestamp>,
}

/// Whether AWS has warned about the buyer: closed, compromised or abusive accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Advisory {
    /// No warning, or it was resolved.
    #[default]
    Clear,
    /// A warning stands.
    Issued {
        /// Since when.
        at: Timestamp,
    },
}

/// Folds the facts, oldest first, and says which of them are odd.
pub fn fold(log: &FactLog) -> (Folded, Vec<Flag>) {
    let mut folded = log.base().map(|base| base.folded.clone()).unwrap_or_default();
    let mut flags = Vec::new();
    for fact in log.facts() {
        let (next, anomaly) = step(folded, fact);
        folded = next;
        if let Some(anomaly) = anomaly {
            flags.push(Flag { position: fact.position().clone(), anomaly });
        }
    }
    (folded, flags)
}

/// One fact on top of what came before it; every cell of the matrix in the README.
pub fn step(before: Folded, fact: &Fact) -> (Folded, Option<Anomaly>) {
    let at = fact.time();
    let mut after = Folded { standing: before.standing.lapsed(at), ..before };
    let mut periods = Periods { count: &mut after.periods, at };
    let standing = std::mem::take(&mut after.standing);
    let (standing, anomaly) = match fact.kind() {
        FactKind::SubscribeSuccess { offer, trial } => {
            subscribe_success(standing, &mut periods, offer.as_ref(), *trial)
        }
        FactKind::SubscribeFail => subscribe_fail(standing, at),
        FactKind::UnsubscribePending => unsubscribe_pending(standing, &mut periods),
        FactKind::UnsubscribeSuccess => unsubscribe_success(standing, at),
        FactKind::LicenseUpdated { offer, agreement, licensee } => {
            after.agreement = agreement.clone().or(after.agreement);
            after.licensee = licensee.clone().or(after.licensee);
            after.licensed_at = Some(at);
            license_updated(standing, &mut periods, offer.as_ref())
        }
        FactKind::LicenseConfirmed { offer, agreement } => {
            after.agreement = agreement.clone().or(after.agreement);
            subscribe_success(standing, &mut periods, offer.as_ref(), Trial::Unknown)
        }
        FactKind::LicenseDeprovisioned => license_deprovisioned(standing, at),
        FactKind::AgreementEnded(end) => match end {
            AgreementEnd::Cancelled | AgreementEnd::Expired | AgreementEnd::Terminated => {
                unsubscribe_pending(standing, &mut periods)
            }
            AgreementEnd::Renewed | AgreementEnd::Replaced => (standing, None),
        },
        FactKind::AdvisoryIssued => {
            after.advisory = Advisory::Issued { at };
            (standing, None)
        }
        FactKind::AdvisoryResolved => {
            after.advisory = Advisory::Clear;
            (standing, None)
        }
        FactKind::EntitlementUpdated | FactKind::AgreementAmended => {
            after.entitlements_changed_at = Some(at);
            (standing, None)
        }
        FactKind::AgreementCreated(_) | FactKind::Notice(_) | FactKind::OrderPaid => (standing, None),
        FactKind::InstanceCreated { plan, trial, expires_at } => {
            created(standing, &mut periods, plan.as_ref(), *trial, *expires_at)
        }
        FactKind::CodeActivated { expires_at } => {
            created(standing, &mut periods, None, Trial::Unknown, *expires_at)
        }
        FactKind::InstanceRenewed { expires_at } | FactKind::CodeRenewed { expires_at } => {
            renewed(standing, *expires_at)
        }
        FactKind::InstanceResumed => renewed(standing, None),
        FactKind::InstanceUpgraded { plan } => upgraded(standing, plan),
        FactKind::InstanceExpired => expired(standing, at, SuspendReason::InstanceExpired),
        FactKind::CodeExpired => expired(standing, at, SuspendReason::CodeExpired),
        FactKind::InstanceReleased | FactKind::CodeDiscarded => (released(standing, at), None),
        FactKind::InstanceObserved(status) => observed(standing, &mut periods, *status),
    };
    after.standing = standing;
    (after, anomaly)
}

type Stepped = (Standing, Option<Anomaly>);

/// Opens new periods at the time of the fact at hand.
struct Periods<'a> {
    count: &'a mut u32,
    at: Timestamp,
}

impl Periods<'_> {
    fn open(&mut self, entry: Entry) -> Period {
        *self.count = self.count.saturating_add(1);
        Period {
            number: *self.count,
            started_at: Some(self.at),
            entry,
            offer: None,
            trial: Trial::Unknown,
            plan: None,
            expires_at: None,
        }
    }

    fn unseen(&mut self) -> Period {
        Period { started_at: None, ..self.open(Entry::Unseen) }
    }
}

fn refreshed(period: Period, offer: Option<&OfferId>, trial: Trial) -> Period {
    Period {
        offer: offer.cloned().or(period.offer),
        trial: if trial == Trial::Unknown { period.trial } else { trial },
        ..period
    }
}

fn ending(period: Period, since: Timestamp) -> Standing {
    let deadline = since.plus(FINAL_WINDOW);
    Standing::Ending { period, since, deadline, attempts_until: deadline }
}

fn over(at: Timestamp, period: Option<Period>) -> Standing {
    Standing::Ended { at, end: End::Said, period, attempts_until: None }
}

fn subscribe_success(
    standing: Standing,
    periods: &mut Periods<'_>,
    offer: Option<&OfferId>,
    trial: Trial,
) -> Stepped {
    let entry = match standing {
        Standing::Subscribed(period) | Standing::Suspended { period, .. } => {
            return (Standing::Subscribed(refreshed(period, offer, trial)), None);
        }
        Standing::Ended { end: End::Final, .. } => return (standing, Some(Anomaly::AfterFinalEnd)),
        Standing::Ending { .. } => Entry::Resumed,
        Standing::None | Standing::Failed { .. } | Standing::Ended { .. } => Entry::New,
    };
    (Standing::Subscribed(refreshed(periods.open(entry), offer, trial)), None)
}

fn license_updated(standing: Standing, periods: &mut Periods<'_>, offer: Option<&OfferId>) -> Stepped {
    match standing {
        Standing::Ended { end: End::Final, .. } => (standing, Some(Anomaly::AfterFinalEnd)),
        Standing::Ending { .. } | Standing::Ended { .. } => (standing, Some(Anomaly::Unconfirmed)),
        Standing::None | Standing::Subscribed(_) | Standing::Failed { .. } | Standing::Suspended { .. } => {
            subscribe_success(standing, periods, offer, Trial::Unknown)
        }
    }
}

fn subscribe_fail(standing: Standing, at: Timestamp) -> Stepped {
    match standing {
        Standing::Ended { end: End::Final, .. } => (standing, Some(Anomaly::AfterFinalEnd)),
        Standing::None | Standing::Failed { .. } | Standing::Ended { .. } => (Standing::Failed { at }, None),
        Standing::Subscribed(_) | Standing::Suspended { .. } | Standing::Ending { .. } => {
            (standing, Some(Anomaly::FailOutOfPlace))
        }
    }
}

fn unsubscribe_pending(standing: Standing, periods: &mut Periods<'_>) -> Stepped {
    match standing {
        Standing::None => (ending(periods.unseen(), periods.at), Some(Anomaly::SuccessLost)),
        Standing::Subscribed(period) | Standing::Suspended { period, .. } => {
            (ending(period, periods.at), None)
        }
        Standing::Failed { .. } => (over(periods.at, None), None),
        Standing::Ending { .. } | Standing::Ended { .. } => (standing, None),
    }
}

fn unsubscribe_success(standing: Standing, at: Timestamp) -> Stepped {
    match standing {
        Standing::None | Standing::Failed { .. } => (over(at, None), None),
        Standing::Subscribed(period) => (over(at, Some(period)), Some(Anomaly::PendingLost)),
        Standing::Suspended { period, .. } | Standing::Ending { period, .. } => {
            (over(at, Some(period)), None)
        }
        Standing::Ended { at, end: End::Lapsed, period, .. } => (over(at, period), None),
        Standing::Ended { end: End::Said | End::Final, .. } => (standing, None),
    }
}

/// AWS's texts disagree on whether this opens or closes the final hour: the deadline is counted from
/// whichever came first, attempts are allowed until an hour after this.
fn license_deprovisioned(standing: Standing, at: Timestamp) -> Stepped {
    let until = at.plus(FINAL_WINDOW);
    let standing = match standing {
        Standing::None | Standing::Failed { .. } => over(at, None),
        Standing::Subscribed(period) | Standing::Suspended { period, .. } => ending(period, at),
        Standing::Ending { period, since, deadline, attempts_until } => {
            Standing::Ending { period, since, deadline, attempts_until: attempts_until.max(until) }
        }
        Standing::Ended { end: End::Final, .. } => standing,
        Standing::Ended { at, end, period, attempts_until } => {
            Standing::Ended { at, end, period, attempts_until: attempts_until.max(Some(until)) }
        }
    };
    (standing, None)
}

fn created(
    standing: Standing,
    periods: &mut Periods<'_>,
    plan: Option<&Plan>,
    trial: Trial,
    expires_at: Option<Timestamp>,
) -> Stepped {
    match standing {
        Standing::None | Standing::Failed { .. } => {
            let period = Period { plan: plan.cloned(), trial, expires_at, ..periods.open(Entry::New) };
            (Standing::Subscribed(period), None)
        }
        Standing::Subscribed(_) | Standing::Suspended { .. } | Standing::Ending { .. } => (standing, None),
        Standing::Ended { .. } => (standing, Some(Anomaly::CallOutOfPlace)),
    }
}

fn renewed(standing: Standing, expires_at: Option<Timestamp>) -> Stepped {
    match standing {
        Standing::Subscribed(period)
        | Standing::Suspended { period, .. }
        | Standing::Ending { period, .. } => {
            let moved_back = period.expires_at.zip(expires_at).is_some_and(|(old, new)| new < old);
            let period = Period { expires_at: expires_at.or(period.expires_at), ..period };
            (Standing::Subscribed(period), moved_back.then_some(Anomaly::ExpiryMovedBack))
        }
        Standing::None | Standing::Failed { .. } | Standing::Ended { .. } => {
            (standing, Some(Anomaly::CallOutOfPlace))
        }
    }
}

fn upgraded(standing: Standing, plan: &Plan) -> Stepped {
    let set = |period: Period| Period { plan: Some(plan.clone()), ..period };
    match standing {
        Standing::Subscribed(period) => (Standing::Subscribed(set(period)), None),
        Standing::Suspended { period, since, reason } => {
            (Standing::Suspended { period: set(period), since, reason }, None)
        }
        Standing::Ending { period, since, deadline, attempts_until } => {
            (Standing::Ending { period: set(period), since, deadline, attempts_until }, None)
        }
        Standing::None | Standing::Failed { .. } | Standing::Ended { .. } => {
            (standing, Some(Anomaly::CallOutOfPlace))
        }
    }
}

fn expired(standing: Standing, since: Timestamp, reason: SuspendReason) -> Stepped {
    match standing {
        Standing::Subscribed(period) => (Standing::Suspended { period, since, reason }, None),
        Standing::None
        | Standing::Failed { .. }
        | Standing::Suspended { .. }
        | Standing::Ending { .. }
        | Standing::Ended { .. } => (standing, None),
    }
}

fn released(standing: Standing, at: Timestamp) -> Standing {
    let (at, period) = match standing {
        Standing::Ended { at, period, .. } => (at, period),
        Standing::None | Standing::Failed { .. } => (at, None),
        Standing::Subscribed(period)
        | Standing::Suspended { period, .. }
        | Standing::Ending { period, .. } => (at, Some(period)),
    };
    Standing::Ended { at, end: End::Final, period, attempts_until: None }
}

fn observed(standing: Standing, periods: &mut Periods<'_>, status: InstanceStatus) -> Stepped {
    match status {
        InstanceStatus::Opening => (standing, None),
        InstanceStatus::Opened { expires_at } => match standing {
            Standing::None | Standing::Failed { .. } => {
                created(standing, periods, None, Trial::Unknown, expires_at)
            }
            Standing::Subscribed(_)
            | Standing::Suspended { .. }
            | Standing::Ending { .. }
            | Standing::Ended { .. } => renewed(standing, expires_at),
        },
        InstanceStatus::Expired => expired(standing, periods.at, SuspendReason::InstanceExpired),
        InstanceStatus::Closed => (released(standing, periods.at), None),
    }
}
