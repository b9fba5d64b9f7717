//! EventBridge events.

use serde_json::{Value, json};
use stallkeeper_lifecycle::{AgreementEnd, AgreementIntent, FactKind, Licensee, Notice};
use stallkeeper_notification::{EventBus, Feed, Refusal, Source, license_id};

use crate::samples::{
    accepted, accepted_by, at, config, event, kind_of, license_event, refused, with, without,
};

const ARN: &str = "arn:aws:license-manager::123456789012:license:l-0123456789abcdef";

/// Whom the samples' license was granted to.
fn licensee() -> Licensee {
    Licensee { license_arn: ARN.parse().unwrap(), account: "210987654321".parse().unwrap() }
}

fn agreement_event(detail_type: &str) -> Value {
    event(
        detail_type,
        &json!({ "agreement": { "id": "agmt-example", "intent": "NEW", "status": "CANCELLED" } }),
    )
}

#[test]
fn an_updated_license_tells_its_offer_and_its_agreement() {
    let notification = accepted(&license_event("License Updated - Manufacturer", ARN)).notification;
    assert_eq!(notification.source, Source::EventBridge);
    assert_eq!(notification.id.as_str(), "01234567-0123-0123-0123-0123456789ab");
    assert_eq!(notification.fact.time(), at("2026-11-22T10:00:00Z"));
    assert_eq!(notification.topic, None);
    assert_eq!(notification.subject.to_string(), "aws/prod2/license/l-0123456789abcdef");
    let agreement = Some("agmt-example".parse().unwrap());
    assert_eq!(notification.agreement, agreement);
    let offer = Some("abcexample123".parse().unwrap());
    let licensee = Some(licensee());
    assert_eq!(notification.fact.kind(), &FactKind::LicenseUpdated { offer, agreement, licensee });
}

#[test]
fn a_deprovisioned_license_keeps_its_subject() {
    let notification = accepted(&license_event("License Deprovisioned - Manufacturer", ARN)).notification;
    assert_eq!(notification.subject.to_string(), "aws/prod2/license/l-0123456789abcdef");
    assert_eq!(notification.fact.kind(), &FactKind::LicenseDeprovisioned);
}

#[test]
fn a_license_event_may_lack_its_offer_and_its_agreement() {
    let body = license_event("License Updated - Manufacturer", ARN);
    let body = without(without(body, "detail.offer"), "detail.agreement");
    assert_eq!(
        kind_of(&body),
        FactKind::LicenseUpdated { offer: None, agreement: None, licensee: Some(licensee()) }
    );
}

#[test]
fn usage_is_reported_under_the_arn_that_calls_take_however_events_print_it() {
    for spelling in [
        ARN,
        "aws:license-manager::123456789012:license:l-0123456789abcdef",
        "aws:license-manager:us-east-1:123456789012:l-0123456789abcdef",
        "arn:aws:license-manager:us-east-1:123456789012:l-0123456789abcdef",
    ] {
        let kind = kind_of(&license_event("License Updated - Manufacturer", spelling));
        let FactKind::LicenseUpdated { licensee: heard, .. } = kind else { panic!("another fact") };
        assert_eq!(heard, Some(licensee()), "{spelling}");
    }
}

#[test]
fn a_license_without_its_buyers_account_is_heard_all_the_same() {
    let body = without(license_event("License Updated - Manufacturer", ARN), "detail.acceptor");
    let FactKind::LicenseUpdated { licensee, .. } = kind_of(&body) else { panic!("another fact") };
    assert_eq!(licensee, None);
}

#[test]
fn a_license_is_the_same_in_every_spelling_of_its_arn() {
    let spellings = [
        ARN,
        "arn:aws:license-manager::123456789012:license/l-0123456789abcdef",
        "aws:license-manager:us-east-1:123456789012:l-0123456789abcdef",
        "arn:aws:license-manager:us-east-1:123456789012:license:l-0123456789abcdef",
        "license-manager::123456789012:license:l-0123456789abcdef",
        " l-0123456789abcdef ",
    ];
    for arn in spellings {
        assert_eq!(license_id(arn).unwrap().as_str(), "l-0123456789abcdef", "{arn}");
    }
}

#[test]
fn what_does_not_end_in_a_license_is_none() {
    for arn in [
        "",
        "l-",
        "arn:aws:license-manager::1:license:",
        "arn:aws:license-manager::1:license:x-1",
        "l-a b",
        "l-ä",
    ] {
        assert_eq!(license_id(arn), Err(Refusal::BadLicenseArn { arn: arn.to_owned() }), "{arn}");
    }
}

#[test]
fn every_agreement_event_becomes_its_fact_in_both_roles_and_in_none() {
    let cases = [
        ("Purchase Agreement Created", FactKind::AgreementCreated(AgreementIntent::New)),
        ("Purchase Agreement Amended", FactKind::AgreementAmended),
        ("Purchase Agreement Ended", FactKind::AgreementEnded(AgreementEnd::Cancelled)),
        ("Purchase Agreement Advisory Issued", FactKind::AdvisoryIssued),
        ("Purchase Agreement Advisory Resolved", FactKind::AdvisoryResolved),
        ("Purchase Agreement Ending", FactKind::Notice(Notice::AgreementEnding)),
        ("Purchase Agreement Renewal Terms Finalized", FactKind::Notice(Notice::RenewalTermsFinalized)),
        ("Purchase Agreement Renewal Upcoming", FactKind::Notice(Notice::RenewalUpcoming)),
        ("Agreement Cancellation Request Pending Approval", FactKind::Notice(Notice::CancellationPending)),
        ("Agreement Cancellation Request Approved", FactKind::Notice(Notice::CancellationApproved)),
        ("Agreement Cancellation Request Rejected", FactKind::Notice(Notice::CancellationRejected)),
        ("Agreement Cancellation Request Cancelled", FactKind::Notice(Notice::CancellationWithdrawn)),
        ("Agreement Cancellation Request Validation Failed", FactKind::Notice(Notice::CancellationInvalid)),
        ("Purchase Agreement Billing Adjustment Completed", FactKind::Notice(Notice::AdjustmentCompleted)),
        ("Purchase Agreement Billing Adjustment Failed", FactKind::Notice(Notice::AdjustmentFailed)),
        ("Spend Threshold Reached", FactKind::Notice(Notice::SpendThresholdReached)),
        ("Vet Succeeded", FactKind::Notice(Notice::VetSucceeded)),
        ("Vet Failed", FactKind::Notice(Notice::VetFailed)),
    ];
    for (detail_type, expected) in cases {
        for role in ["", " - Proposer", " - Manufacturer"] {
            let notification = accepted(&agreement_event(&format!("{detail_type}{role}"))).notification;
            assert_eq!(notification.fact.kind(), &expected, "{detail_type}{role}");
            assert_eq!(notification.subject.to_string(), "aws/-/agreement/agmt-example");
            assert_eq!(notification.agreement, Some("agmt-example".parse().unwrap()));
        }
    }
}

#[test]
fn every_intent_is_told_apart_and_another_is_refused_by_name() {
    let cases = [
        ("NEW", AgreementIntent::New),
        ("RENEW", AgreementIntent::Renew),
        ("REPLACE", AgreementIntent::Replace),
    ];
    let created = |intent: &str| {
        with(agreement_event("Purchase Agreement Created - Proposer"), "detail.agreement.intent", intent)
    };
    for (intent, expected) in cases {
        assert_eq!(kind_of(&created(intent)), FactKind::AgreementCreated(expected));
    }
    assert_eq!(refused(&created("MERGE")), Refusal::UnknownIntent { intent: "MERGE".to_owned() });
}

#[test]
fn every_end_is_told_apart_and_another_status_is_refused_by_name() {
    let cases = [
        ("CANCELLED", AgreementEnd::Cancelled),
        ("EXPIRED", AgreementEnd::Expired),
        ("TERMINATED", AgreementEnd::Terminated),
        ("RENEWED", AgreementEnd::Renewed),
        ("REPLACED", AgreementEnd::Replaced),
    ];
    let ended = |status: &str| {
        with(agreement_event("Purchase Agreement Ended - Manufacturer"), "detail.agreement.status", status)
    };
    for (status, expected) in cases {
        assert_eq!(kind_of(&ended(status)), FactKind::AgreementEnded(expected));
    }
    assert_eq!(refused(&ended("ACTIVE")), Refusal::UnknownStatus { status: "ACTIVE".to_owned() });
}

#[test]
fn an_agreement_that_the_detail_does_not_name_is_taken_from_the_listed_resource() {
    let body = event("Vet Failed", &json!({ "catalog": "AWSMarketplace" }));
    assert_eq!(accepted(&body).notification.subject.to_string(), "aws/-/agreement/agmt-listed");
    let refusal = refused(&with(body, "resources", json!([])));
    assert_eq!(refusal, Refusal::MissingField { field: "detail.agreement.id" });
}

#[test]
fn an_event_of_any_account_is_taken_where_none_is_declared() {
    let feed =
        Feed::new(stallkeeper_notification::FeedConfig { events: Some(EventBus::default()), ..config() });
    let body = with(agreement_event("Purchase Agreement Amended"), "account", "999999999999");
    assert_eq!(accepted_by(&feed.unwrap(), &body).notification.fact.kind(), &FactKind::AgreementAmended);
}
