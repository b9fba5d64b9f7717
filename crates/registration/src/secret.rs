use secrecy::{ExposeSecret, SecretString};
use stallkeeper_persistence::Digest;
use stallkeeper_runtime::{hex, sha256};

/// A secret of 32 random bytes, in the 64 digits that cookies and addresses carry.
pub(crate) fn secret(random: [u8; 32]) -> SecretString {
    SecretString::from(hex(&random))
}

/// What is stored of it.
pub(crate) fn digest_of(secret: &SecretString) -> Digest {
    sha256(secret.expose_secret().as_bytes())
}
