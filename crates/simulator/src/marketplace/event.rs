use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::marketplace::moment::to_second;
use crate::marketplace::notice::Notice;
use crate::server::{MARKETPLACE_ACCOUNT, REGION, SELLER_ACCOUNT};

/// What is said through the event bus, with the ids that it says it under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The event's own id.
    pub(crate) id: String,
    pub(crate) request_id: String,
    /// The agreement that it is about.
    pub(crate) agreement_id: String,
    pub(crate) offer: String,
    pub(crate) kind: EventKind,
}

/// Which event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    AgreementCreated { term: Term, origin: Origin },
    AgreementAmended { term: Term },
    AgreementEnded { status: EndStatus },
    LicenseUpdated { license: String },
    LicenseDeprovisioned { license: String },
    AdvisoryIssued,
    AdvisoryResolved,
}

/// From when until when an agreement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) starts: OffsetDateTime,
    pub(crate) ends: OffsetDateTime,
}

/// Where an agreement comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    New,
    Renewal { previous: String },
}

/// Why an agreement is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndStatus {
    Cancelled,
    Renewed,
}

impl Event {
    /// The event's type without the seller's role.
    pub(crate) fn what(&self) -> &'static str {
        match self.kind {
            EventKind::AgreementCreated { .. } => "Purchase Agreement Created",
            EventKind::AgreementAmended { .. } => "Purchase Agreement Amended",
            EventKind::AgreementEnded { .. } => "Purchase Agreement Ended",
            EventKind::LicenseUpdated { .. } => "License Updated",
            EventKind::LicenseDeprovisioned { .. } => "License Deprovisioned",
            EventKind::AdvisoryIssued => "Purchase Agreement Advisory Issued",
            EventKind::AdvisoryResolved => "Purchase Agreement Advisory Resolved",
        }
    }

    /// With a direct offer the seller hears of agreements as proposer only, and of the rest as manufacturer.
    fn role(&self) -> &'static str {
        match self.kind {
            EventKind::AgreementCreated { .. }
            | EventKind::AgreementAmended { .. }
            | EventKind::AgreementEnded { .. } => "Proposer",
            EventKind::LicenseUpdated { .. }
            | EventKind::LicenseDeprovisioned { .. }
            | EventKind::AdvisoryIssued
            | EventKind::AdvisoryResolved => "Manufacturer",
        }
    }

    /// The event as it arrives (seller guide, "Amazon EventBridge events").
    pub(crate) fn body(&self, notice: &Notice) -> Value {
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": format!("{} - {}", self.what(), self.role()),
            "source": "aws.agreement-marketplace",
            "account": SELLER_ACCOUNT,
            "time": to_second(notice.at),
            "region": REGION,
            "resources": [format!("arn:aws:aws-marketplace::aws:agreement:{}", self.agreement_id)],
            "detail": self.detail(notice),
        })
    }

    fn detail(&self, notice: &Notice) -> Value {
        let mut detail = json!({
            "requestId": self.request_id,
            "catalog": "AWSMarketplace",
            "agreement": {"id": self.agreement_id},
            "acceptor": {"accountId": notice.buyer.account},
        });
        match &self.kind {
            EventKind::AgreementCreated { term, origin } => {
                merge(&mut detail, self.parties(notice));
                merge(&mut detail, agreement_in_force(*term, notice.at, origin.intent()));
                if let Origin::Renewal { previous } = origin {
                    merge(&mut detail, json!({"agreement": {"previousAgreementId": previous}}));
                }
            }
            EventKind::AgreementAmended { term } => {
                merge(&mut detail, self.parties(notice));
                merge(&mut detail, agreement_in_force(*term, notice.at, "AMEND"));
                merge(&mut detail, json!({"agreement": {"autoRenewalEnabled": true}}));
            }
            EventKind::AgreementEnded { status } => merge(
                &mut detail,
                json!({
                    "agreement": {"status": status.as_str()},
                    "proposer": {"accountId": SELLER_ACCOUNT},
                    "offer": {"id": self.offer},
                }),
            ),
            EventKind::LicenseUpdated { license } | EventKind::LicenseDeprovisioned { license } => {
                merge(&mut detail, self.license(notice, license));
            }
            EventKind::AdvisoryIssued => merge(&mut detail, advisory(notice, "issuedAt")),
            EventKind::AdvisoryResolved => merge(&mut detail, advisory(notice, "resolvedAt")),
        }
        detail
    }

    fn parties(&self, notice: &Notice) -> Value {
        json!({
            "proposer": {"accountId": SELLER_ACCOUNT},
            "offer": {"id": self.offer},
            "resaleAuthorization": {"id": null},
            "product": {"id": notice.product.id, "title": notice.product.key},
        })
    }

    /// AWS' own examples print both ids short: the license's ARN without `arn:`, the offer without `offer-`.
    fn license(&self, notice: &Notice, license: &str) -> Value {
        json!({
            "product": {"code": notice.product.code, "id": notice.product.id},
            "license": {"arn": format!("aws:license-manager:{REGION}:{MARKETPLACE_ACCOUNT}:{license}")},
            "proposer": {"accountId": SELLER_ACCOUNT},
            "offer": {"id": self.offer.strip_prefix("offer-").unwrap_or(&self.offer)},
        })
    }
}

impl Origin {
    fn intent(&self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Renewal { .. } => "RENEW",
        }
    }
}

impl EndStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "CANCELLED",
            Self::Renewed => "RENEWED",
        }
    }
}

fn agreement_in_force(term: Term, accepted: OffsetDateTime, intent: &str) -> Value {
    json!({"agreement": {
        "intent": intent,
        "status": "ACTIVE",
        "acceptanceTime": to_second(accepted),
        "startTime": to_second(term.starts),
        "endTime": to_second(term.ends),
    }})
}

fn advisory(notice: &Notice, moment: &str) -> Value {
    json!({
        "product": {"code": notice.product.code, "id": notice.product.id},
        "advisory": {moment: to_second(notice.at)},
    })
}

/// Adds the fields of one object to another, one level deep into objects that both have.
fn merge(into: &mut Value, from: Value) {
    let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) else { return };
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}
