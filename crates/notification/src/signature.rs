use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters,
    UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::chain::SigningKey;
use crate::envelope::Envelope;
use crate::refusal::{Refusal, excerpt};

/// What an envelope needs for its signature to be checked, all there.
pub(crate) struct Signed<'a> {
    algorithm: &'static RsaParameters,
    signature: Vec<u8>,
    words: String,
    /// Where the envelope says that its certificate is.
    pub(crate) certificate_url: &'a str,
}

impl<'a> Signed<'a> {
    pub(crate) fn of(envelope: &'a Envelope) -> Result<Self, Refusal> {
        let version = present("SignatureVersion", envelope.signature_version.as_deref())?;
        let signature = present("Signature", envelope.signature.as_deref())?;
        Ok(Self {
            algorithm: algorithm(version)?,
            signature: STANDARD.decode(signature).map_err(|_| Refusal::BadSignature)?,
            words: string_to_sign(envelope)?,
            certificate_url: present("SigningCertURL", envelope.certificate_url.as_deref())?,
        })
    }

    /// Whether this key signed these words.
    pub(crate) fn verify(&self, key: &SigningKey) -> Result<(), Refusal> {
        let key = UnparsedPublicKey::new(self.algorithm, key.spki());
        key.verify(self.words.as_bytes(), &self.signature).map_err(|_| Refusal::BadSignature)
    }
}

/// The owner of a topic chooses the version; SHA-1 is what topics start with, so both must be understood.
fn algorithm(version: &str) -> Result<&'static RsaParameters, Refusal> {
    match version {
        "1" => Ok(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
        "2" => Ok(&RSA_PKCS1_2048_8192_SHA256),
        other => Err(Refusal::SignatureVersion { version: excerpt(other) }),
    }
}

/// The words that SNS signs: names and values of a notification, a line each, in the order of the names.
fn string_to_sign(envelope: &Envelope) -> Result<String, Refusal> {
    let fields = [
        ("Message", Some(present("Message", envelope.message.as_deref())?)),
        ("MessageId", Some(&*envelope.message_id)),
        ("Subject", envelope.subject.as_deref()),
        ("Timestamp", Some(&*envelope.timestamp)),
        ("TopicArn", Some(envelope.topic.arn())),
        ("Type", Some("Notification")),
    ];
    let present = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
    Ok(present.flat_map(|(name, value)| [name, "\n", value, "\n"]).collect())
}

fn present<'a>(field: &'static str, text: Option<&'a str>) -> Result<&'a str, Refusal> {
    text.ok_or(Refusal::Unsigned { field })
}
