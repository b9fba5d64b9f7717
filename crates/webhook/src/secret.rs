use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

/// What a secret begins with, by Standard Webhooks.
const PREFIX: &str = "whsec_";

/// The shortest key, in bytes, by Standard Webhooks.
const KEY_BYTES_MIN: usize = 24;

/// The longest key, in bytes, by Standard Webhooks.
const KEY_BYTES_MAX: usize = 64;

/// A key that signs; it cannot be read back.
#[derive(Clone, Debug)]
pub struct SigningSecret(hmac::Key);

/// Why a secret is refused; never with the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Written in another way.
    #[error("a secret is written as {PREFIX} and the key in base64")]
    Form,
    /// Too easily guessed, or longer than receivers take.
    #[error("a secret's key has {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes, this one has {0}")]
    Length(usize),
}

impl SigningSecret {
    /// The secret that is written as `whsec_` and 24 to 64 bytes in base64.
    ///
    /// # Errors
    /// Another form or length.
    pub fn parse(text: &SecretString) -> Result<Self, SecretError> {
        let encoded = text.expose_secret().strip_prefix(PREFIX).ok_or(SecretError::Form)?;
        let key = STANDARD.decode(encoded).map_err(|_| SecretError::Form)?;
        if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) {
            return Err(SecretError::Length(key.len()));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    pub(crate) fn sign(&self, parts: [&[u8]; 5]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        STANDARD.encode(context.sign())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SigningSecret, SecretError> {
        SigningSecret::parse(&SecretString::from(text.to_owned()))
    }

    #[test]
    fn a_secret_without_its_prefix_or_not_in_base64_is_refused() {
        for text in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_###", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZI"] {
            assert_eq!(parse(text).unwrap_err(), SecretError::Form, "{text:?}");
        }
    }

    #[test]
    fn a_secret_that_is_too_short_or_too_long_is_refused() {
        for (bytes, good) in [(0, false), (23, false), (24, true), (64, true), (65, false)] {
            let text = format!("{PREFIX}{}", STANDARD.encode(vec![7_u8; bytes]));
            assert_eq!(parse(&text).is_ok(), good, "{bytes} bytes");
        }
    }

    #[test]
    fn neither_a_secret_nor_its_refusal_shows_it() {
        let secret = parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert!(!format!("{secret:?}").contains("MfKQ"));
        assert!(!parse("whsec_MfKQ").unwrap_err().to_string().contains("MfKQ"));
    }
}
