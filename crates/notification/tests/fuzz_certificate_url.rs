//! No text leads to a certificate anywhere but at SNS in the topic's region.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use bolero::{TypeGenerator, check};
use stallkeeper_notification::{CertificateUrl, Topic};

const TOPIC: &str = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-prod1";

/// Pieces that URLs go wrong with.
#[derive(Debug, TypeGenerator)]
enum Piece {
    Https,
    Http,
    Host,
    China,
    Evil,
    Pem,
    Slash,
    Backslash,
    At,
    Colon,
    Query,
    Fragment,
    Dots,
    Escape(u8),
    Text(String),
}

impl Piece {
    fn text(&self) -> String {
        let fixed = match self {
            Self::Https => "https://",
            Self::Http => "http://",
            Self::Host => "sns.us-east-1.amazonaws.com",
            Self::China => ".cn",
            Self::Evil => "evil.com",
            Self::Pem => "a.pem",
            Self::Slash => "/",
            Self::Backslash => "\\",
            Self::At => "@",
            Self::Colon => ":",
            Self::Query => "?",
            Self::Fragment => "#",
            Self::Dots => "..",
            Self::Escape(byte) => return format!("%{byte:02x}"),
            Self::Text(text) => return text.clone(),
        };
        fixed.to_owned()
    }
}

/// Judged by the text alone, without a URL parser.
fn holds(text: &str) {
    if let Ok(url) = CertificateUrl::parse(text, &Topic::parse(TOPIC).unwrap()) {
        assert_eq!(url.as_str(), text);
        let path = text.strip_prefix("https://sns.us-east-1.amazonaws.com/").unwrap();
        assert_eq!(url.path().strip_prefix('/'), Some(path));
        assert!(path.strip_suffix(".pem").is_some() && !path.starts_with('/'), "{text}");
        assert!(!path.contains(['?', '#', '@', ':', '\\', '%', ' ']), "{text}");
        assert!(!path.split('/').any(|step| step == ".."), "{text}");
    }
}

#[test]
fn fuzz_certificate_url() {
    check!().with_type::<String>().for_each(|text| holds(text));
}

#[test]
fn fuzz_certificate_url_pieces() {
    check!().with_type::<Vec<Piece>>().for_each(|pieces| {
        let tail: String = pieces.iter().map(Piece::text).collect();
        holds(&tail);
        holds(&format!("https://{tail}"));
        holds(&format!("https://sns.us-east-1.amazonaws.com{tail}.pem"));
        holds(&format!("https://sns.us-east-1.amazonaws.com/{tail}.pem"));
    });
}
