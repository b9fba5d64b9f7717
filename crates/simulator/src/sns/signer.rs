use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SigningKey, date_time_ymd,
};

use super::sha1::Sha1Key;

/// Whom SNS' own certificates of older regions are issued to.
const DNS_NAME: &str = "sns.amazonaws.com";
/// Where SNS in the marketplace's region publishes them.
const PUBLISHED_AT: &str = "https://sns.us-east-1.amazonaws.com";
/// The marketplace's clock can be moved: certificates hold for all the time that it can reach sensibly.
const VALID_YEARS: (i32, i32) = (2020, 2100);

/// The key that signs envelopes, and its certificate under a root of its own.
pub struct Signer {
    key: KeyPair,
    sha1_key: Sha1Key,
    path: String,
    certificate_pem: String,
    root_pem: String,
}

/// What the owner of a topic chose to sign with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureVersion {
    /// RSA with SHA-1.
    One,
    /// RSA with SHA-256.
    #[default]
    Two,
}

/// There is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// No key could be made; trying again may help.
    #[error("cannot make a key to sign with")]
    Key(#[source] rcgen::Error),
    /// The key that was made is not of the form that was asked for.
    #[error("the key to sign with cannot be read")]
    KeyForm,
    /// What was kept is no signer: delete it, and a new one is made.
    #[error("this is not a signing key in PEM with its certificate and their root's")]
    Kept,
    /// No certificate could be made.
    #[error("cannot issue the certificate to sign with")]
    Certificate(#[source] rcgen::Error),
    /// The key does not sign.
    #[error("cannot sign")]
    Sign,
}

impl SignatureVersion {
    /// The version of a topic's attribute or an envelope's field.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "1" => Some(Self::One),
            "2" => Some(Self::Two),
            _ => None,
        }
    }

    /// As envelopes write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
        }
    }
}

impl Signer {
    /// Makes new keys and their certificates.
    ///
    /// The search for an RSA key's primes takes some 60 ms, now and then 300: do it on a blocking thread
    /// while the rest starts.
    ///
    /// # Errors
    /// The machine gives no randomness, or the certificates cannot be issued.
    pub fn new() -> Result<Self, SignerError> {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(SignerError::Key)?;
        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(SignerError::Key)?;
        let sha1_key = Sha1Key::from_pkcs8(key.serialized_der()).ok_or(SignerError::KeyForm)?;
        let (root, leaf) = issue(root_key, &key).map_err(SignerError::Certificate)?;
        Ok(Self::of(key, sha1_key, leaf.pem(), root.pem()))
    }

    /// The signer that [`Signer::to_pem`] wrote.
    ///
    /// # Errors
    /// [`SignerError::Kept`] where it is something else.
    pub fn from_pem(pem: &str) -> Result<Self, SignerError> {
        let blocks = pem.split("-----BEGIN").skip(1).map(|block| format!("-----BEGIN{block}"));
        let blocks: Vec<String> = blocks.collect();
        let [key, certificate, root] = <[String; 3]>::try_from(blocks).map_err(|_| SignerError::Kept)?;
        let key = KeyPair::from_pem_and_sign_algo(&key, &PKCS_RSA_SHA256).map_err(|_| SignerError::Kept)?;
        let sha1_key = Sha1Key::from_pkcs8(key.serialized_der()).ok_or(SignerError::Kept)?;
        Ok(Self::of(key, sha1_key, certificate, root))
    }

    /// Everything in PEM, to be signed with again later: the private key, its certificate, the root's.
    pub fn to_pem(&self) -> String {
        [&self.key.serialize_pem(), &self.certificate_pem, &self.root_pem].map(String::as_str).concat()
    }

    fn of(key: KeyPair, sha1_key: Sha1Key, certificate_pem: String, root_pem: String) -> Self {
        let path = format!("/SimpleNotificationService-{}.pem", fingerprint(&certificate_pem));
        Self { key, sha1_key, path, certificate_pem, root_pem }
    }

    /// The root's certificate, in PEM, for whoever checks signatures.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// The certificate that signatures are checked with, in PEM; the root issued it itself.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Where the certificate is to be served: `/SimpleNotificationService-<hex>.pem`.
    pub fn certificate_path(&self) -> &str {
        &self.path
    }

    /// Where envelopes say that the certificate is, as SNS does.
    pub fn certificate_url(&self) -> String {
        format!("{PUBLISHED_AT}{}", self.path)
    }

    /// Signs words, in base64.
    ///
    /// # Errors
    /// The key does not sign, which does not happen to a key that was just made.
    pub fn sign(&self, words: &str, version: SignatureVersion) -> Result<String, SignerError> {
        let signature = match version {
            SignatureVersion::One => self.sha1_key.sign(words.as_bytes()),
            SignatureVersion::Two => self.key.sign(words.as_bytes()).ok(),
        };
        signature.map(|signature| STANDARD.encode(signature)).ok_or(SignerError::Sign)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signer").field("path", &self.path).finish_non_exhaustive()
    }
}

fn issue(root_key: KeyPair, key: &KeyPair) -> Result<(Certificate, Certificate), rcgen::Error> {
    let mut root = params("Stallkeeper simulator's root", Vec::new())?;
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let root_certificate = root.self_signed(&root_key)?;
    let mut leaf = params(DNS_NAME, vec![DNS_NAME.to_owned()])?;
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let leaf_certificate = leaf.signed_by(key, &Issuer::new(root, root_key))?;
    Ok((root_certificate, leaf_certificate))
}

fn params(name: &str, dns_names: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(dns_names)?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(VALID_YEARS.0, 1, 1);
    params.not_after = date_time_ymd(VALID_YEARS.1, 1, 1);
    Ok(params)
}

fn fingerprint(certificate_pem: &str) -> String {
    let hash = digest(&SHA256, certificate_pem.as_bytes());
    hash.as_ref().iter().take(16).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signer_that_was_kept_signs_under_the_same_certificates() {
        let signer = Signer::new().unwrap();
        let again = Signer::from_pem(&signer.to_pem()).unwrap();
        assert_eq!(again.root_pem(), signer.root_pem());
        assert_eq!(again.certificate_pem(), signer.certificate_pem());
        assert_eq!(again.certificate_url(), signer.certificate_url());
        for version in [SignatureVersion::One, SignatureVersion::Two] {
            assert_eq!(again.sign("words", version).unwrap(), signer.sign("words", version).unwrap());
        }
    }

    #[test]
    fn a_file_that_was_cut_off_is_no_signer() {
        let kept = Signer::new().unwrap().to_pem();
        let (without_root, _) = kept.rsplit_once("-----BEGIN").unwrap();
        assert!(matches!(Signer::from_pem(without_root), Err(SignerError::Kept)));
        assert!(matches!(Signer::from_pem(""), Err(SignerError::Kept)));
    }
}
