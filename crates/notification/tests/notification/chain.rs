//! Which certificates are believed.

use stallkeeper_notification::{Topic, Trust, TrustError};

use crate::samples::{SUBSCRIPTION, at, topic};

const ROOT: &[u8] = include_bytes!("../vectors/root.pem");
const OTHER_ROOT: &[u8] = include_bytes!("../vectors/other-root.pem");
const INTERMEDIATE: &[u8] = include_bytes!("../vectors/intermediate.pem");
const LEAF: &[u8] = include_bytes!("../vectors/leaf.pem");
const LEAF_CHAIN: &[u8] = include_bytes!("../vectors/leaf-chain.pem");
const REGIONAL_CHAIN: &[u8] = include_bytes!("../vectors/regional-chain.pem");
const CHINA_CHAIN: &[u8] = include_bytes!("../vectors/china-chain.pem");
const WRONG_NAME: &[u8] = include_bytes!("../vectors/wrong-name-chain.pem");
const WRONG_PURPOSE: &[u8] = include_bytes!("../vectors/wrong-purpose-chain.pem");
const NOW: &str = "2027-01-01T00:00:00Z";

fn trust() -> Trust {
    Trust::only(ROOT).unwrap()
}

fn here() -> Topic {
    topic(SUBSCRIPTION)
}

fn reason(trust: &Trust, pem: &[u8], now: &str) -> String {
    trust.check(pem, &here(), at(now)).unwrap_err()
}

#[test]
fn a_chain_to_a_trusted_root_is_believed() {
    assert!(trust().check(LEAF_CHAIN, &here(), at(NOW)).is_ok());
}

#[test]
fn a_certificate_of_the_region_is_believed() {
    assert!(trust().check(REGIONAL_CHAIN, &here(), at(NOW)).is_ok());
}

#[test]
fn a_certificate_of_china_is_believed_for_china_only() {
    let china = topic("arn:aws-cn:sns:cn-north-1:287250355862:aws-mp-subscription-notification-prod1");
    assert!(trust().check(CHINA_CHAIN, &china, at(NOW)).is_ok());
    assert!(reason(&trust(), CHINA_CHAIN, NOW).contains("is for none of"));
    assert!(trust().check(LEAF_CHAIN, &china, at(NOW)).is_err());
}

#[test]
fn a_missing_intermediate_is_found_among_the_configured_ones() {
    assert!(reason(&trust(), LEAF, NOW).contains("UnknownIssuer"));
    let trust = trust().with_intermediates(INTERMEDIATE).unwrap();
    assert!(trust.check(LEAF, &here(), at(NOW)).is_ok());
}

#[test]
fn an_intermediate_alone_proves_nothing() {
    let trust = Trust::only(OTHER_ROOT).unwrap().with_intermediates(INTERMEDIATE).unwrap();
    assert!(reason(&trust, LEAF, NOW).contains("UnknownIssuer"));
}

#[test]
fn another_root_is_not_believed() {
    assert!(reason(&Trust::only(OTHER_ROOT).unwrap(), LEAF_CHAIN, NOW).contains("UnknownIssuer"));
    assert!(reason(&Trust::default(), LEAF_CHAIN, NOW).contains("UnknownIssuer"));
}

#[test]
fn a_certificate_is_believed_only_between_its_dates() {
    assert!(reason(&trust(), LEAF_CHAIN, "2127-01-01T00:00:00Z").contains("CertExpired"));
    assert!(reason(&trust(), LEAF_CHAIN, "2026-01-01T00:00:00Z").contains("CertNotValidYet"));
}

#[test]
fn a_certificate_of_another_service_is_not_believed() {
    assert!(reason(&trust(), WRONG_NAME, NOW).contains("is for none of sns.amazonaws.com"));
}

#[test]
fn a_certificate_for_another_purpose_is_not_believed() {
    assert!(reason(&trust(), WRONG_PURPOSE, NOW).contains("RequiredEkuNotFound"));
}

#[test]
fn the_root_itself_is_no_signing_certificate() {
    assert!(trust().check(ROOT, &here(), at(NOW)).is_err());
}

#[test]
fn a_file_without_certificates_is_not_believed() {
    for pem in [&b""[..], b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(trust().check(pem, &here(), at(NOW)).is_err());
    }
}

#[test]
fn amazons_intermediates_are_at_hand_by_default() {
    assert!(format!("{:?}", Trust::default()).ends_with("intermediates: 4 }"));
}

#[test]
fn a_certificate_that_sns_signs_with_is_believed_by_default() {
    let pem = include_bytes!("../vectors/aws-sns-2026.pem");
    assert!(Trust::default().check(pem, &here(), at("2026-06-01T00:00:00Z")).is_ok());
    assert!(reason(&Trust::default(), pem, "2026-10-15T00:00:00Z").contains("CertExpired"));
}

#[test]
fn roots_that_are_none_are_refused() {
    assert_eq!(Trust::only(b"").unwrap_err(), TrustError::Empty);
    let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(Trust::only(broken).unwrap_err(), TrustError::Anchor { number: 1, .. }));
    let cut = b"-----BEGIN CERTIFICATE-----\nAAAA\n";
    assert!(matches!(Trust::only(cut).unwrap_err(), TrustError::Pem { .. }));
}
