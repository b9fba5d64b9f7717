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
    /// An answer other than 200.
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
    #[error("{base_url:?} is not an http or https URL without query and fragment")]
    BaseUrl {
        /// What was given.
        base_url: String,
    },
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
            url: address.clone(),
            source: Arc::new(error.without_url()),
        };
        let response = self.client.get(&address).send().await.map_err(transport)?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(FetchError::Status { url: address, status });
        }
        let body = bounded(response).await.map_err(transport)?;
        body.ok_or(FetchError::TooLarge { url: address })
    }
}

fn mirror(text: &str) -> Result<Url, SourceError> {
    let refused = || SourceError::BaseUrl { base_url: text.to_owned() };
    let url = Url::parse(text).map_err(|_| refused())?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.has_host();
    let fetched = matches!(url.scheme(), "http" | "https");
    (plain && fetched).then_some(url).ok_or_else(refused)
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
