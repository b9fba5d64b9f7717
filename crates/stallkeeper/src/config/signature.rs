use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use stallkeeper_notification::{
    HttpsCertificateSource, SignaturePolicy, SourceError, Trust, TrustError, Verifier,
};
use url::Url;

use super::Config;
use super::section::Section;

/// What is done about the signatures of notifications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureConfig {
    /// Whether they are looked at, and what follows.
    pub policy: SignaturePolicy,
    /// Where signing certificates are fetched instead of at AWS, as from a private network.
    pub certificate_base_url: Option<Url>,
    /// A PEM file of the only roots that are trusted, in place of the public ones.
    pub trusted_roots: Option<PathBuf>,
    /// A PEM file of intermediates besides Amazon's.
    pub intermediates: Option<PathBuf>,
}

/// Signatures cannot be checked as configured.
#[derive(Debug, thiserror::Error)]
pub enum TrustFileError {
    /// A file cannot be read.
    #[error("{key}: {} cannot be read", path.display())]
    Unreadable {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file holds no such certificates.
    #[error("{key}: {} cannot be used", path.display())]
    Unusable {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: TrustError,
    },
    /// Certificates cannot be fetched so.
    #[error("signature.certificate_base_url cannot be used")]
    Source(#[from] SourceError),
}

impl Config {
    /// What checks signatures: one serves all queues.
    ///
    /// # Errors
    /// A file of certificates that cannot be read or used, or a client that does not start.
    pub fn verifier(&self) -> Result<Verifier, TrustFileError> {
        let base_url = self.signature.certificate_base_url.as_ref().map(Url::as_str);
        let source = HttpsCertificateSource::new(base_url)?;
        Ok(Verifier::new(self.signature.policy, Arc::new(source), self.signature.trust()?))
    }
}

impl SignatureConfig {
    /// The trusted roots and intermediates, read from their files.
    ///
    /// # Errors
    /// A file that cannot be read or used.
    pub fn trust(&self) -> Result<Trust, TrustFileError> {
        const ROOTS: &str = "signature.trusted_roots";
        const INTERMEDIATES: &str = "signature.intermediates";
        let trust = match &self.trusted_roots {
            None => Trust::default(),
            Some(path) => Trust::only(&pem(ROOTS, path)?).map_err(unusable(ROOTS, path))?,
        };
        match &self.intermediates {
            None => Ok(trust),
            Some(path) => {
                trust.with_intermediates(&pem(INTERMEDIATES, path)?).map_err(unusable(INTERMEDIATES, path))
            }
        }
    }
}

fn pem(key: &'static str, path: &Path) -> Result<Vec<u8>, TrustFileError> {
    std::fs::read(path).map_err(|source| TrustFileError::Unreadable { key, path: path.to_owned(), source })
}

fn unusable(key: &'static str, path: &Path) -> impl FnOnce(TrustError) -> TrustFileError {
    move |source| TrustFileError::Unusable { key, path: path.to_owned(), source }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PolicyWord {
    Off,
    Warn,
    Enforce,
}

/// The address stands in logs, so that it cannot hold a password.
fn base_url(section: &Section<'_>) -> Option<Url> {
    const KEY: &str = "certificate_base_url";
    let url: Url = section.text(KEY)?;
    if !url.username().is_empty() || url.password().is_some() {
        section.refuse(KEY, "expected a URL without a name or password, as it is logged");
        return None;
    }
    Some(url)
}

pub(super) fn read(section: &Section<'_>) -> SignatureConfig {
    let policy = match section.word("policy") {
        Some(PolicyWord::Off) => SignaturePolicy::Off,
        Some(PolicyWord::Enforce) => SignaturePolicy::Enforce,
        Some(PolicyWord::Warn) | None => SignaturePolicy::Warn,
    };
    SignatureConfig {
        policy,
        certificate_base_url: base_url(section),
        trusted_roots: section.text("trusted_roots"),
        intermediates: section.text("intermediates"),
    }
}
