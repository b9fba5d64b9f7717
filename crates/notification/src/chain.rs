use std::fmt;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use stallkeeper_lifecycle::Timestamp;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::certificate::CERTIFICATE_BYTES_MAX;
use crate::topic::{Partition, Topic};

/// The intermediates that Amazon issues its services' certificates with. SNS publishes its own certificate
/// alone, and root stores hold roots only, so without these no chain would close.
/// From <https://www.amazontrust.com/repository/>.
const AMAZON_INTERMEDIATES: &[u8] = include_bytes!("trust/amazon-intermediates.pem");

/// How many certificates of one fetched file are looked at.
const CHAIN_CERTIFICATES_MAX: usize = 8;

/// The operator's trust anchors or intermediates are not certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Not PEM.
    #[error("not a PEM file of certificates: {detail}")]
    Pem {
        /// What is wrong with it.
        detail: String,
    },
    /// PEM without a certificate.
    #[error("the PEM file holds no certificate")]
    Empty,
    /// A certificate that cannot be a root.
    #[error("certificate {number} of the PEM file cannot be a root: {detail}")]
    Anchor {
        /// Its place in the file, from 1.
        number: usize,
        /// What is wrong with it.
        detail: String,
    },
}

/// Which roots are believed, and which intermediates are at hand.
///
/// The default believes Mozilla's roots and has Amazon's intermediates.
#[derive(Clone)]
pub struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    intermediates: Vec<CertificateDer<'static>>,
}

impl Default for Trust {
    fn default() -> Self {
        let intermediates =
            CertificateDer::pem_slice_iter(AMAZON_INTERMEDIATES).filter_map(Result::ok).collect();
        Self { anchors: webpki_roots::TLS_SERVER_ROOTS.to_vec(), intermediates }
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut trust = formatter.debug_struct("Trust");
        trust.field("anchors", &self.anchors.len()).field("intermediates", &self.intermediates.len()).finish()
    }
}

impl Trust {
    /// Believes the certificates of this PEM file, and no others.
    ///
    /// # Errors
    /// A file without certificates, or one that cannot be a root.
    pub fn only(roots_pem: &[u8]) -> Result<Self, TrustError> {
        let roots = certificates(roots_pem)?;
        let anchors =
            roots.iter().zip(1..).map(|(root, number)| anchor(root, number)).collect::<Result<_, _>>()?;
        Ok(Self { anchors, intermediates: Vec::new() })
    }

    /// Has the certificates of this PEM file at hand too, to close a chain with; none of them is believed
    /// for itself.
    ///
    /// # Errors
    /// A file without certificates.
    pub fn with_intermediates(mut self, intermediates_pem: &[u8]) -> Result<Self, TrustError> {
        self.intermediates.extend(certificates(intermediates_pem)?);
        Ok(self)
    }

    /// The key of the first certificate of a PEM file, if a chain from it to a root holds at `now`, it may
    /// serve as a server's, and it is SNS's in the topic's region.
    ///
    /// # Errors
    /// Why the certificate is not trusted, in words.
    pub fn check(&self, pem: &[u8], topic: &Topic, now: Timestamp) -> Result<SigningKey, String> {
        if pem.len() > CERTIFICATE_BYTES_MAX {
            return Err(format!("the file has more than {CERTIFICATE_BYTES_MAX} bytes"));
        }
        let presented = CertificateDer::pem_slice_iter(pem).take(CHAIN_CERTIFICATES_MAX);
        let presented: Vec<_> = presented.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let (leaf, rest) = presented.split_first().ok_or("the file holds no certificate")?;
        let leaf = EndEntityCert::try_from(leaf).map_err(|error| error.to_string())?;
        self.chain(&leaf, rest, now)?;
        named(&leaf, topic)?;
        Ok(SigningKey(leaf.subject_public_key_info().as_ref().to_vec()))
    }

    fn chain(
        &self,
        leaf: &EndEntityCert<'_>,
        rest: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<(), String> {
        let intermediates: Vec<CertificateDer<'_>> =
            rest.iter().chain(&self.intermediates).cloned().collect();
        let usage = KeyUsage::server_auth();
        leaf.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &self.anchors,
            &intermediates,
            unix(now),
            usage,
            None,
            None,
        )
        .map(drop)
        .map_err(|error| error.to_string())
    }
}

/// The public key of a certificate that was found trusted.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Vec<u8>);

impl SigningKey {
    /// The key as a DER-encoded `SubjectPublicKeyInfo`.
    pub fn spki(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey(..)")
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| TrustError::Pem { detail: error.to_string() })?;
    if found.is_empty() { Err(TrustError::Empty) } else { Ok(found) }
}

fn anchor(root: &CertificateDer<'_>, number: usize) -> Result<TrustAnchor<'static>, TrustError> {
    let anchor = anchor_from_trusted_cert(root);
    anchor
        .map(|anchor| anchor.to_owned())
        .map_err(|error| TrustError::Anchor { number, detail: error.to_string() })
}

/// Times before 1970 count as 1970; no certificate is from then.
fn unix(now: Timestamp) -> UnixTime {
    let micros = u64::try_from(now.as_micros()).unwrap_or(0);
    UnixTime::since_unix_epoch(Duration::from_micros(micros))
}

fn named(leaf: &EndEntityCert<'_>, topic: &Topic) -> Result<(), String> {
    let names = signing_names(topic);
    let is_one = |name: &String| {
        ServerName::try_from(name.as_str())
            .is_ok_and(|name| leaf.verify_is_valid_for_subject_name(&name).is_ok())
    };
    if names.iter().any(is_one) { Ok(()) } else { Err(format!("it is for none of {}", names.join(", "))) }
}

/// The names that SNS's signing certificates are issued for. They are not the host that publishes them:
/// older regions share `sns.amazonaws.com`, newer ones have `sns-signing.<region>`, China `sns-<region>`
/// (the AWS SDK for Java 2, `SnsHostProvider`, and the certificates themselves).
fn signing_names(topic: &Topic) -> Vec<String> {
    let (region, suffix) = (topic.region(), topic.partition().dns_suffix());
    let regional = match topic.partition() {
        Partition::Aws => format!("sns-signing.{region}.{suffix}"),
        Partition::AwsChina => format!("sns-{region}.{suffix}"),
    };
    vec![format!("sns.{suffix}"), regional, format!("sns.{region}.{suffix}")]
}
