use std::fmt;

use reqwest::Url;

use crate::topic::Topic;

/// The longest certificate URL that is looked at, in bytes. AWS's have about ninety.
const URL_BYTES_MAX: usize = 512;

/// A place where AWS publishes the certificates that SNS signs with in the topic's own region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateUrl(Url);

/// The rule that a certificate's URL breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateUrlError {
    /// Not a URL, or one that reads differently once it is written out plainly.
    #[error("it is not a plainly written URL")]
    Unclear,
    /// Longer than any of AWS's.
    #[error("it has more than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// Anything but `https`.
    #[error("its scheme is not https")]
    Scheme,
    /// A user, a password, a port, a query or a fragment.
    #[error("it has more than a host and a path")]
    Extra,
    /// Not SNS in the topic's region and partition.
    #[error("its host is not {expected}")]
    Host {
        /// The only host that may sign for the topic.
        expected: String,
    },
    /// Not the plain path of a `.pem` file.
    #[error("its path is not that of a .pem file")]
    Path,
}

impl CertificateUrl {
    /// The URL, if it is one where AWS publishes certificates for the topic: `https`, the host exactly
    /// `sns.<region>.amazonaws.com` (China: `.amazonaws.com.cn`) with the topic's region, and the path of
    /// a `.pem` file, nothing else.
    ///
    /// The text must be as plain as AWS writes it: what a parser would tidy up (upper case, backslashes,
    /// blanks, `..`, a default port) is refused, so that no two parsers can read it differently.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &str, topic: &Topic) -> Result<Self, CertificateUrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(CertificateUrlError::TooLong);
        }
        let url = Url::parse(text).map_err(|_| CertificateUrlError::Unclear)?;
        if url.as_str() != text {
            return Err(CertificateUrlError::Unclear);
        }
        if url.scheme() != "https" {
            return Err(CertificateUrlError::Scheme);
        }
        if has_extra(&url) {
            return Err(CertificateUrlError::Extra);
        }
        let expected = host(topic);
        if url.host_str() != Some(expected.as_str()) {
            return Err(CertificateUrlError::Host { expected });
        }
        if !is_pem_path(url.path()) {
            return Err(CertificateUrlError::Path);
        }
        Ok(Self(url))
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Its path, which starts with a slash.
    pub fn path(&self) -> &str {
        self.0.path()
    }
}

impl fmt::Display for CertificateUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

fn host(topic: &Topic) -> String {
    format!("sns.{}.{}", topic.region(), topic.partition().dns_suffix())
}

fn has_extra(url: &Url) -> bool {
    let user = !url.username().is_empty() || url.password().is_some();
    user || url.port().is_some() || url.query().is_some() || url.fragment().is_some()
}

fn is_pem_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    let named = path.strip_suffix(".pem").is_some_and(|stem| !stem.ends_with('/'));
    named && !path.contains("//") && path.bytes().all(plain)
}
