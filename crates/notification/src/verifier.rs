use std::fmt;
use std::sync::Arc;

use stallkeeper_lifecycle::Timestamp;

use crate::cache::{CertificateCache, Held};
use crate::certificate::{CertificateSource, FetchError};
use crate::chain::{SigningKey, Trust};
use crate::envelope::Envelope;
use crate::feed::SignaturePolicy;
use crate::host::CertificateUrl;
use crate::refusal::{Refusal, excerpt};
use crate::signature::Signed;
use crate::topic::Topic;

/// What became of the check of a signature that lets the message pass.
#[derive(Clone, Debug)]
pub enum Checked {
    /// The policy is `off`.
    Skipped,
    /// AWS signed the message.
    Verified,
    /// The policy is `warn`, and this would have kept the message out under `enforce`; to be counted and
    /// logged. It may be no more than a certificate that could not be fetched: a queue that only warns
    /// does not wait for certificates.
    Unverified(CheckError),
}

/// Why a message does not pass.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckError {
    /// It is to be quarantined.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Its certificate cannot be fetched just now: it is to be retried, never quarantined.
    #[error(transparent)]
    Retry(#[from] FetchError),
}

/// Checks the signatures of SNS envelopes; one serves all queues of a worker.
pub struct Verifier {
    policy: SignaturePolicy,
    trust: Trust,
    certificates: CertificateCache,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut verifier = formatter.debug_struct("Verifier");
        verifier.field("policy", &self.policy).field("trust", &self.trust).finish_non_exhaustive()
    }
}

impl Verifier {
    /// A verifier with an empty cache.
    pub fn new(policy: SignaturePolicy, source: Arc<dyn CertificateSource>, trust: Trust) -> Self {
        Self { policy, trust, certificates: CertificateCache::new(source) }
    }

    /// Checks an envelope as the policy says, at the wall clock's time `now`.
    ///
    /// # Errors
    /// Under `enforce` only: a message that AWS did not sign is refused, one whose certificate cannot be
    /// fetched is to be retried.
    pub async fn check(&self, envelope: &Envelope, now: Timestamp) -> Result<Checked, CheckError> {
        if self.policy == SignaturePolicy::Off {
            return Ok(Checked::Skipped);
        }
        match self.verify(envelope, now).await {
            Ok(()) => Ok(Checked::Verified),
            Err(error) if self.policy == SignaturePolicy::Warn => Ok(Checked::Unverified(error)),
            Err(error) => Err(error),
        }
    }

    async fn verify(&self, envelope: &Envelope, now: Timestamp) -> Result<(), CheckError> {
        let signed = Signed::of(envelope)?;
        let url = certificate_url(signed.certificate_url, envelope.topic())?;
        let key = self.key(&url, envelope.topic(), now).await?;
        Ok(signed.verify(&key)?)
    }

    /// The trusted key at the URL. A kept certificate that no longer holds is fetched anew, once.
    async fn key(
        &self,
        url: &CertificateUrl,
        topic: &Topic,
        now: Timestamp,
    ) -> Result<SigningKey, CheckError> {
        let held = self.certificates.get(url, now).await?;
        match self.judge(&held, url, topic, now) {
            Err(_) if held.cached => {
                let fetched = self.certificates.get(url, now).await?;
                Ok(self.judge(&fetched, url, topic, now)?)
            }
            judged => Ok(judged?),
        }
    }

    fn judge(
        &self,
        held: &Held,
        url: &CertificateUrl,
        topic: &Topic,
        now: Timestamp,
    ) -> Result<SigningKey, Refusal> {
        if let Some(key) = held.believed(now) {
            return Ok(key);
        }
        let key = self.trust.check(&held.pem, topic, now).map_err(|detail| {
            self.certificates.forget(held.number);
            Refusal::UntrustedCertificate { url: url.to_string(), detail }
        })?;
        held.believe(key.clone(), now);
        Ok(key)
    }
}

fn certificate_url(text: &str, topic: &Topic) -> Result<CertificateUrl, Refusal> {
    CertificateUrl::parse(text, topic)
        .map_err(|source| Refusal::CertificateUrl { url: excerpt(text), source })
}
