use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Response, Url, redirect};

use crate::host::CertificateUrl;

/// The longest certificate file that is fetched, in bytes. AWS's have about two thousand.
pub const CERTIFICATE_BYTES_MAX: usize = 64 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(6);

/// A certificate could not be fetched just now; nothing is said about the message, which is to be retried.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// No answer, or none that could be read to its end in time.
    #[error("the signing certificate at {url} could not be fetched")]
    Transport {
        /// Where it was looked for.
        url: String,
        /// What went wrong.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// An answer other than 200; a redirect is one, too.
    #[error("the signing certificate at {url} could not be fetched: the answer was {status}")]
    Status {
        /// Where it was looked for.
        url: String,
        /// The answer.
        status: u16,
    },
    /// More than a certificate.
    #[error("the signing certificate at {url} has more than {CERTIFICATE_BYTES_MAX} bytes")]
    TooLarge {
        /// Where it was looked for.
        url: String,
    },
    /// An answer that holds no certificate, as a login page does.
    #[error("what was answered at {url} is not a certificate")]
    NotACertificate {
        /// Where it was looked for.
        url: String,
    },
}

impl FetchError {
    /// Whether this very file is to blame, while others may well be had: a message that names it must not
    /// keep others waiting.
    pub fn is_about_this_file(&self) -> bool {
        match self {
            Self::Transport { .. } => false,
            // Too many requests, and a server's own faults, pass for every file.
            Self::Status { status, .. } => *status != 408 && *status != 429 && *status < 500,
            Self::TooLarge { .. } | Self::NotACertificate { .. } => true,
        }
    }
}

/// Where signing certificates come from.
///
/// The answer is not trusted: its chain is checked whoever gave it.
#[async_trait]
pub trait CertificateSource: Send + Sync {
    /// The PEM file at the URL, at most [`CERTIFICATE_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// It cannot be had just now.
    async fn fetch(&self, url: &CertificateUrl) -> Result<Vec<u8>, FetchError>;
}

/// The source cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Not an address that files can be fetched from.
    ///
    /// It is not repeated, as it may hold a password.
    #[error("the mirror of certificates is not an http or https URL without user, query and fragment")]
    BaseUrl,
    /// The HTTPS client does not start, as where the machine has no root certificates.
    #[error("the client that fetches signing certificates cannot start")]
    Client(#[source] reqwest::Error),
}

/// Fetches certificates over HTTPS from AWS, or from a mirror of the seller's own.
#[derive(Clone, Debug)]
pub struct HttpsCertificateSource {
    client: Client,
    base_url: Option<Url>,
}

impl HttpsCertificateSource {
    /// A source that asks AWS, or that asks `base_url` for the same path.
    ///
    /// A mirror serves workers in private networks. It may be plain HTTP, as the certificate is trusted
    /// for its chain and not for where it came from.
    ///
    /// # Errors
    /// A mirror that is no address, or an HTTPS client that does not start.
    pub fn new(base_url: Option<&str>) -> Result<Self, SourceError> {
        let base_url = base_url.map(mirror).transpose()?;
        let client = Client::builder()
            .https_only(base_url.is_none())
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build()
            .map_err(SourceError::Client)?;
        Ok(Self { client, base_url })
    }

    fn address(&self, url: &CertificateUrl) -> String {
        match &self.base_url {
            None => url.as_str().to_owned(),
            Some(base_url) => format!("{}{}", base_url.as_str().trim_end_matches('/'), url.path()),
        }
    }
}

#[async_trait]
impl CertificateSource for HttpsCertificateSource {
    async fn fetch(&self, url: &CertificateUrl) -> Result<Vec<u8>, FetchError> {
        let address = self.address(url);
        let transport = |error: reqwest::Error| FetchError::Transport {
            url: url.to_string(),
            source: Arc::new(error.without_url()),
        };
        let response = self.client.get(&address).send().await.map_err(transport)?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(FetchError::Status { url: url.to_string(), status });
        }
        let body = bounded(response).await.map_err(transport)?;
        body.ok_or_else(|| FetchError::TooLarge { url: url.to_string() })
    }
}

fn mirror(text: &str) -> Result<Url, SourceError> {
    let url = Url::parse(text).map_err(|_| SourceError::BaseUrl)?;
    let anonymous = url.username().is_empty() && url.password().is_none();
    let plain = anonymous && url.query().is_none() && url.fragment().is_none() && url.has_host();
    let fetched = matches!(url.scheme(), "http" | "https");
    (plain && fetched).then_some(url).ok_or(SourceError::BaseUrl)
}

/// The body, or nothing where it is longer than a certificate: a length that is announced proves nothing.
async fn bounded(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > CERTIFICATE_BYTES_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}
