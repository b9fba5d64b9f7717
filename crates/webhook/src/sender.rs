use std::error::Error;
use std::sync::Arc;

use reqwest::{Client, Response, header, redirect};

use crate::resolver::JudgedResolver;
use crate::{AddressRefused, Endpoint, Lookup, Message, signature_header};

/// How much of an answer is read, in bytes; the rest is dropped.
pub const RESPONSE_BYTES_MAX: usize = 1024;

/// Sends messages to one endpoint.
pub struct Sender {
    client: Client,
    endpoint: Endpoint,
}

/// Why an endpoint cannot be sent to at all.
#[derive(Debug, thiserror::Error)]
#[error("the HTTPS client does not start")]
pub struct SenderError(#[source] reqwest::Error);

/// The endpoint took the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The status that it answered, 200 to 299.
    pub status: u16,
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The endpoint's name has an address that must not be reached.
    #[error(transparent)]
    Address(AddressRefused),
    /// No whole answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// No connection, or one that broke.
    #[error("the endpoint could not be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It points elsewhere, which is not followed.
    #[error("answered {status}: a redirect, which is not followed")]
    Redirect {
        /// The status.
        status: u16,
    },
    /// A cloud's service did not take it.
    #[error("not taken: {0}")]
    Service(String),
    /// It refused.
    #[error("answered {status}")]
    Status {
        /// The status.
        status: u16,
        /// The beginning of what it said.
        body: String,
    },
}

impl Sender {
    /// A sender whose names are looked up by `lookup`, each address judged before it is connected to.
    ///
    /// # Errors
    /// An HTTPS client that does not start.
    pub fn new(endpoint: Endpoint, lookup: Arc<dyn Lookup>) -> Result<Self, SenderError> {
        let resolver = JudgedResolver { lookup, reach: endpoint.reach };
        let client = Client::builder()
            .user_agent("stallkeeper")
            .redirect(redirect::Policy::none())
            // A proxy would look names up by itself.
            .no_proxy()
            .dns_resolver(Arc::new(resolver))
            .tls_certs_merge(endpoint.certificates.iter().cloned())
            .timeout(endpoint.timeout)
            .build()
            .map_err(SenderError)?;
        Ok(Self { client, endpoint })
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Makes one attempt; `at` is the time in seconds since 1970.
    ///
    /// # Errors
    /// Anything but an answer of 200 to 299 in time.
    pub async fn send(&self, message: &Message, at: i64) -> Result<Accepted, DeliveryError> {
        let body = message.body.clone().into_bytes();
        let signature = signature_header(&self.endpoint.secrets, &message.id, at, &body);
        let request = self
            .client
            .post(self.endpoint.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id.as_str())
            .header("webhook-timestamp", at)
            .header("webhook-signature", signature)
            .body(body);
        let response = request.send().await.map_err(failure)?;
        judge(response).await
    }
}

async fn judge(response: Response) -> Result<Accepted, DeliveryError> {
    let status = response.status();
    let code = status.as_u16();
    if status.is_success() {
        return Ok(Accepted { status: code });
    }
    if status.is_redirection() {
        return Err(DeliveryError::Redirect { status: code });
    }
    Err(DeliveryError::Status { status: code, body: beginning(response).await })
}

/// What was read of the answer before it ended, broke off or became too long.
async fn beginning(mut response: Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = RESPONSE_BYTES_MAX - body.len();
        body.extend(chunk.iter().take(room));
        if chunk.len() >= room {
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

fn failure(error: reqwest::Error) -> DeliveryError {
    if let Some(refused) = refused_address(&error) {
        return DeliveryError::Address(refused);
    }
    if error.is_timeout() {
        return DeliveryError::TimedOut;
    }
    DeliveryError::Unreachable(error.without_url())
}

fn refused_address(error: &reqwest::Error) -> Option<AddressRefused> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |error| (*error).source())
        .find_map(|error| error.downcast_ref::<AddressRefused>().copied())
}
