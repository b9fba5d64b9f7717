//! Whatever stands where a certificate is expected, nothing but a certificate of a trusted root is believed.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bolero::check;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_notification::{Topic, Trust};

const TOPIC: &str = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-prod1";
const LEAF: &str = include_str!("vectors/leaf.pem");
const INTERMEDIATE: &str = include_str!("vectors/intermediate.pem");

static TRUST: LazyLock<Trust> = LazyLock::new(|| Trust::only(include_bytes!("vectors/root.pem")).unwrap());

fn believed(pem: &[u8]) -> bool {
    let now: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
    TRUST.check(pem, &Topic::parse(TOPIC).unwrap(), now).is_ok()
}

fn der(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(lines).unwrap()
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
}

#[test]
fn fuzz_certificate_file() {
    check!().for_each(|bytes: &[u8]| assert!(!believed(bytes)));
}

#[test]
fn fuzz_certificate_der() {
    check!().for_each(|bytes: &[u8]| assert!(!believed(pem(bytes).as_bytes())));
}

#[test]
fn fuzz_certificate_roots() {
    check!().for_each(|bytes: &[u8]| {
        let roots = Trust::only(pem(bytes).as_bytes());
        assert!(roots.is_err() || !bytes.is_empty());
    });
}

/// One byte of a good chain's leaf or intermediate changed: neither is believed any more.
#[test]
fn fuzz_certificate_flips() {
    let (leaf, intermediate) = (der(LEAF), der(INTERMEDIATE));
    assert!(believed(format!("{}{}", pem(&leaf), pem(&intermediate)).as_bytes()));
    check!().with_type::<(bool, u16, u8)>().for_each(|(in_leaf, place, flip)| {
        let (mut leaf, mut intermediate) = (leaf.clone(), intermediate.clone());
        let changed = if *in_leaf { &mut leaf } else { &mut intermediate };
        let place = usize::from(*place) % changed.len();
        changed[place] ^= flip;
        let file = format!("{}{}", pem(&leaf), pem(&intermediate));
        assert_eq!(
            believed(file.as_bytes()),
            *flip == 0,
            "byte {place} of {}",
            if *in_leaf { "leaf" } else { "intermediate" }
        );
    });
}
