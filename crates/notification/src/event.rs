use serde_json::Value;
use stallkeeper_lifecycle::{
    AgreementEnd, AgreementId, AgreementIntent, Fact, FactKind, Holder, Licensee, Notice, OfferId,
    ProductCode, SubscriptionKey,
};

use crate::feed::Feed;
use crate::fields::Fields;
use crate::license::{license_arn, license_id};
use crate::notification::{Notification, Read, Source};
use crate::refusal::{Refusal, excerpt};

/// What EventBridge calls the marketplace.
const SOURCE: &str = "aws.agreement-marketplace";

/// The seller's roles in an agreement, which AWS appends to the event's type. One seller may get either,
/// by how an offer was made; what happened is the same.
const ROLES: [&str; 2] = [" - Proposer", " - Manufacturer"];

/// What an event is about.
enum About {
    License(LicenseEvent),
    Agreement(FactKind),
}

enum LicenseEvent {
    Updated,
    Deprovisioned,
}

/// Reads an EventBridge event, which SQS carries as it is.
pub(crate) fn read(fields: Fields<'_>, feed: &Feed) -> Result<Read, Refusal> {
    expected(fields, feed)?;
    let id = fields.id("id")?;
    let time = fields.time("time")?;
    let detail = fields.object("detail")?;
    let detail_type = fields.text("detail-type")?;
    let (subject, agreement, kind) = match about(detail_type, detail)? {
        About::License(event) => of_license(&event, detail, feed)?,
        About::Agreement(kind) => {
            let agreement = agreement_id(fields, detail)?;
            (SubscriptionKey::agreement(feed.marketplace().clone(), agreement.clone()), Some(agreement), kind)
        }
    };
    let fact = Fact::at_time(time, id, kind);
    let id = fields.id("id")?;
    let notification =
        Notification { source: Source::EventBridge, id, topic: None, subject, agreement, fact };
    Ok(Read { notification, envelope: None })
}

/// Only declared events, of the marketplace, of the declared account.
fn expected(fields: Fields<'_>, feed: &Feed) -> Result<(), Refusal> {
    let bus = feed.events().ok_or(Refusal::EventsUndeclared)?;
    let source = fields.text("source")?;
    if source != SOURCE {
        return Err(Refusal::WrongSource { source_name: excerpt(source) });
    }
    let account = fields.text("account")?;
    if bus.account.as_deref().is_some_and(|declared| declared != account) {
        return Err(Refusal::WrongAccount { account: excerpt(account) });
    }
    Ok(())
}

fn about(detail_type: &str, detail: Fields<'_>) -> Result<About, Refusal> {
    let kind = match without_role(detail_type) {
        "License Updated" => return Ok(About::License(LicenseEvent::Updated)),
        "License Deprovisioned" => return Ok(About::License(LicenseEvent::Deprovisioned)),
        "Purchase Agreement Created" => FactKind::AgreementCreated(intent(detail)?),
        "Purchase Agreement Amended" => FactKind::AgreementAmended,
        "Purchase Agreement Ended" => FactKind::AgreementEnded(end(detail)?),
        "Purchase Agreement Advisory Issued" => FactKind::AdvisoryIssued,
        "Purchase Agreement Advisory Resolved" => FactKind::AdvisoryResolved,
        other => FactKind::Notice(
            notice(other).ok_or(Refusal::UnknownEvent { detail_type: excerpt(detail_type) })?,
        ),
    };
    Ok(About::Agreement(kind))
}

fn without_role(detail_type: &str) -> &str {
    ROLES.iter().find_map(|role| detail_type.strip_suffix(role)).unwrap_or(detail_type)
}

/// Events that change nothing in a buyer's standing. The card vetting ones are known by name only.
fn notice(detail_type: &str) -> Option<Notice> {
    Some(match detail_type {
        "Purchase Agreement Ending" => Notice::AgreementEnding,
        "Purchase Agreement Renewal Terms Finalized" => Notice::RenewalTermsFinalized,
        "Purchase Agreement Renewal Upcoming" => Notice::RenewalUpcoming,
        "Agreement Cancellation Request Pending Approval" => Notice::CancellationPending,
        "Agreement Cancellation Request Approved" => Notice::CancellationApproved,
        "Agreement Cancellation Request Rejected" => Notice::CancellationRejected,
        "Agreement Cancellation Request Cancelled" => Notice::CancellationWithdrawn,
        "Agreement Cancellation Request Validation Failed" => Notice::CancellationInvalid,
        "Purchase Agreement Billing Adjustment Completed" => Notice::AdjustmentCompleted,
        "Purchase Agreement Billing Adjustment Failed" => Notice::AdjustmentFailed,
        "Spend Threshold Reached" => Notice::SpendThresholdReached,
        "Vet Succeeded" => Notice::VetSucceeded,
        "Vet Failed" => Notice::VetFailed,
        _ => return None,
    })
}

fn intent(detail: Fields<'_>) -> Result<AgreementIntent, Refusal> {
    match detail.object("detail.agreement")?.text("detail.agreement.intent")? {
        "NEW" => Ok(AgreementIntent::New),
        "RENEW" => Ok(AgreementIntent::Renew),
        "REPLACE" => Ok(AgreementIntent::Replace),
        intent => Err(Refusal::UnknownIntent { intent: excerpt(intent) }),
    }
}

fn end(detail: Fields<'_>) -> Result<AgreementEnd, Refusal> {
    match detail.object("detail.agreement")?.text("detail.agreement.status")? {
        "CANCELLED" => Ok(AgreementEnd::Cancelled),
        "EXPIRED" => Ok(AgreementEnd::Expired),
        "TERMINATED" => Ok(AgreementEnd::Terminated),
        "RENEWED" => Ok(AgreementEnd::Renewed),
        "REPLACED" => Ok(AgreementEnd::Replaced),
        status => Err(Refusal::UnknownStatus { status: excerpt(status) }),
    }
}

type Subject = (SubscriptionKey, Option<AgreementId>, FactKind);

fn of_license(event: &LicenseEvent, detail: Fields<'_>, feed: &Feed) -> Result<Subject, Refusal> {
    let product: ProductCode = detail.object("detail.product")?.id("detail.product.code")?;
    if !feed.products().contains(&product) {
        return Err(Refusal::UnknownProduct { product });
    }
    let arn = detail.object("detail.license")?.text("detail.license.arn")?;
    let license = license_id(arn)?;
    let agreement = match detail.optional_object("detail.agreement")? {
        Some(agreement) => agreement.optional_id("detail.agreement.id")?,
        None => None,
    };
    let kind = match event {
        LicenseEvent::Updated => {
            let licensee = licensee(arn, detail)?;
            FactKind::LicenseUpdated { offer: offer(detail)?, agreement: agreement.clone(), licensee }
        }
        LicenseEvent::Deprovisioned => FactKind::LicenseDeprovisioned,
    };
    let marketplace = feed.marketplace().clone();
    let subject = SubscriptionKey { marketplace, product, holder: Holder::License(license) };
    Ok((subject, agreement, kind))
}

/// Whom a license was granted to, where the event says so.
fn licensee(arn: &str, detail: Fields<'_>) -> Result<Option<Licensee>, Refusal> {
    let Some(acceptor) = detail.optional_object("detail.acceptor")? else { return Ok(None) };
    let Some(account) = acceptor.optional_id("detail.acceptor.accountId")? else { return Ok(None) };
    Ok(Some(Licensee { license_arn: license_arn(arn)?, account }))
}

/// AWS prints offers with and without `offer-` in front; they are kept as they come.
fn offer(detail: Fields<'_>) -> Result<Option<OfferId>, Refusal> {
    match detail.optional_object("detail.offer")? {
        Some(offer) => offer.optional_id("detail.offer.id"),
        None => Ok(None),
    }
}

/// The agreement that an event is about: in its detail, or else at the end of the ARN that it lists.
fn agreement_id(fields: Fields<'_>, detail: Fields<'_>) -> Result<AgreementId, Refusal> {
    const FIELD: &str = "detail.agreement.id";
    if let Some(agreement) = detail.optional_object("detail.agreement")?
        && let Some(id) = agreement.optional_id(FIELD)?
    {
        return Ok(id);
    }
    let listed = fields.value("resources").and_then(Value::as_array).into_iter().flatten();
    let mut ids = listed.filter_map(Value::as_str).filter_map(|arn| arn.trim().rsplit([':', '/']).next());
    let id = ids.find(|id| id.starts_with("agmt-")).ok_or(Refusal::MissingField { field: FIELD })?;
    id.parse().map_err(|source| Refusal::BadId { field: FIELD, source })
}
