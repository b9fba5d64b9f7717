//! Where a signing certificate may come from.

use stallkeeper_notification::{CertificateUrl, CertificateUrlError};

use crate::samples::{SUBSCRIPTION, topic};

const CHINA: &str = "arn:aws-cn:sns:cn-north-1:287250355862:aws-mp-subscription-notification-prod1";

#[test]
fn a_certificate_of_the_topics_region_is_taken_in_both_partitions() {
    let cases = [
        (SUBSCRIPTION, "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-7506a1e35b36.pem"),
        (SUBSCRIPTION, "https://sns.us-east-1.amazonaws.com/a/b_c.pem"),
        (CHINA, "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-7506a1e35b36.pem"),
    ];
    for (arn, url) in cases {
        assert_eq!(CertificateUrl::parse(url, &topic(arn)).unwrap().as_str(), url);
    }
}

#[test]
fn everything_else_is_refused_for_its_reason() {
    let host = || CertificateUrlError::Host { expected: "sns.us-east-1.amazonaws.com".to_owned() };
    let long = format!("https://sns.us-east-1.amazonaws.com/{}.pem", "x".repeat(600));
    let cases = [
        ("", CertificateUrlError::Unclear),
        ("sns.us-east-1.amazonaws.com/a.pem", CertificateUrlError::Unclear),
        ("http://sns.us-east-1.amazonaws.com/a.pem", CertificateUrlError::Scheme),
        ("https://evil.com/a.pem", host()),
        ("https://sns.us-east-1.amazonaws.com.evil.com/a.pem", host()),
        ("https://evil.com/sns.us-east-1.amazonaws.com/a.pem", host()),
        ("https://sns.us-east-1.amazonaws.com.cn/a.pem", host()),
        ("https://sns.us-west-2.amazonaws.com/a.pem", host()),
        ("https://sns.us-east-1.amazonaws.com./a.pem", host()),
        ("https://s3.us-east-1.amazonaws.com/sns/a.pem", host()),
        ("https://xsns.us-east-1.amazonaws.com/a.pem", host()),
        ("https://sns.us-east-1.amazonaws.com@evil.com/a.pem", CertificateUrlError::Extra),
        ("https://user:word@sns.us-east-1.amazonaws.com/a.pem", CertificateUrlError::Extra),
        ("https://sns.us-east-1.amazonaws.com:8443/a.pem", CertificateUrlError::Extra),
        ("https://sns.us-east-1.amazonaws.com/a.pem?x=.pem", CertificateUrlError::Extra),
        ("https://sns.us-east-1.amazonaws.com/a.pem#b", CertificateUrlError::Extra),
        ("https://sns.us-east-1.amazonaws.com:443/a.pem", CertificateUrlError::Unclear),
        ("https://SNS.us-east-1.amazonaws.com/a.pem", CertificateUrlError::Unclear),
        ("https://sns.us-east-1.amazonaws.com\\@evil.com/a.pem", CertificateUrlError::Unclear),
        ("https://sns.us-east-1.amazonaws.com/x/../a.pem", CertificateUrlError::Unclear),
        (" https://sns.us-east-1.amazonaws.com/a.pem", CertificateUrlError::Unclear),
        ("https://sns.us-east-1.amazonaws.com/a\n.pem", CertificateUrlError::Unclear),
        ("https://sns.us-east-1.amazonaws.com/a.pem/b", CertificateUrlError::Path),
        ("https://sns.us-east-1.amazonaws.com/.pem", CertificateUrlError::Path),
        ("https://sns.us-east-1.amazonaws.com//evil.com/a.pem", CertificateUrlError::Path),
        ("https://sns.us-east-1.amazonaws.com/%2e%2e%2fa.pem", CertificateUrlError::Path),
        ("https://sns.us-east-1.amazonaws.com/", CertificateUrlError::Path),
        (&long, CertificateUrlError::TooLong),
    ];
    for (url, expected) in cases {
        assert_eq!(CertificateUrl::parse(url, &topic(SUBSCRIPTION)), Err(expected), "{url}");
    }
}

#[test]
fn a_topic_of_china_takes_no_certificate_from_elsewhere() {
    for host in
        ["sns.cn-north-1.amazonaws.com", "sns.us-east-1.amazonaws.com", "sns.cn-northwest-1.amazonaws.com.cn"]
    {
        let url = CertificateUrl::parse(&format!("https://{host}/a.pem"), &topic(CHINA));
        assert!(matches!(url, Err(CertificateUrlError::Host { .. })), "{host}");
    }
}
