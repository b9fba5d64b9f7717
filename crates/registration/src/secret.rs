use aws_lc_rs::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use stallkeeper_persistence::Digest;

/// A secret of 32 random bytes, in the 64 digits that cookies and addresses carry.
pub(crate) fn secret(random: [u8; 32]) -> SecretString {
    use std::fmt::Write as _;

    let digits = random.iter().fold(String::with_capacity(64), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(digits, "{byte:02x}");
        digits
    });
    SecretString::from(digits)
}

/// What is stored of it.
pub(crate) fn digest_of(secret: &SecretString) -> Digest {
    let mut bytes = Digest::default();
    let digest = digest(&SHA256, secret.expose_secret().as_bytes());
    for (byte, of_digest) in bytes.iter_mut().zip(digest.as_ref()) {
        *byte = *of_digest;
    }
    bytes
}
