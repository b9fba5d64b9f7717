use stallkeeper_lifecycle::{IdError, ProductCode, Timestamp};

use crate::host::CertificateUrlError;
use crate::read::MAX_BODY_BYTES;

/// The longest piece of a message that is repeated in a refusal, in characters.
const EXCERPT_CHARS_MAX: usize = 120;

/// Why a message is quarantined: it could not be understood, or not believed.
///
/// What is quoted of the message is cut short, and control characters are written as escapes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More bytes than SQS lets through.
    #[error("the message has {bytes} bytes, at most {MAX_BODY_BYTES} are read")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not text.
    #[error("the message is not UTF-8 from byte {valid_up_to} on")]
    NotUtf8 {
        /// How much of it is.
        valid_up_to: usize,
    },
    /// A NUL, written out or as an escape: no marketplace sends one, and some databases cannot store it.
    #[error("the message holds a NUL character")]
    Nul,
    /// Text that is not JSON, or is nested too deep.
    #[error("{what} is not JSON: {detail}")]
    NotJson {
        /// The body, or the `Message` in it.
        what: &'static str,
        /// What the parser says.
        detail: String,
    },
    /// JSON that is neither an envelope, nor a bare message, nor an event.
    #[error("the message is neither an SNS envelope, nor a marketplace message, nor an EventBridge event")]
    UnknownShape,
    /// Something that must be there is not.
    #[error("the field {field} is missing or empty")]
    MissingField {
        /// Its path.
        field: &'static str,
    },
    /// Of another type than documented, or not a time.
    #[error("the field {field} is {found}, expected {expected}")]
    WrongType {
        /// Its path.
        field: &'static str,
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// Text that cannot serve as an id.
    #[error("the field {field} is not an id")]
    BadId {
        /// Its path.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: IdError,
    },
    /// SNS asks for, or announces the end of, a subscription.
    #[error(
        "an SNS {kind}, which an SQS subscription in the same account never sends: confirm or remove the subscription by hand"
    )]
    Handshake {
        /// `SubscriptionConfirmation` or `UnsubscribeConfirmation`.
        kind: &'static str,
    },
    /// Another kind of envelope.
    #[error("the envelope is of the unknown type {kind:?}")]
    UnknownType {
        /// The `Type`.
        kind: String,
    },
    /// A bare message on a queue that does not declare raw delivery.
    #[error(
        "a message without its SNS envelope: turn raw delivery off on the subscription, or declare it for this queue"
    )]
    RawUndeclared,
    /// An event on a queue that does not declare EventBridge.
    #[error(
        "an EventBridge event on a queue that expects none: declare events for this queue, or point the rule elsewhere"
    )]
    EventsUndeclared,
    /// A topic that is not listened to.
    #[error("the topic {arn} is not in this queue's list")]
    WrongTopic {
        /// The `TopicArn`.
        arn: String,
    },
    /// A message about another product than its topic's.
    #[error("the message is about the product {product}, its topic about {expected}")]
    ProductNotOfTopic {
        /// What the message says.
        product: ProductCode,
        /// What the topic allows.
        expected: ProductCode,
    },
    /// A license of a product that is not one of the listings.
    #[error("the product {product} is not among the marketplace's listings: add the listing and replay")]
    UnknownProduct {
        /// What the event says.
        product: ProductCode,
    },
    /// An action that is not documented.
    #[error("the action {action:?} is not known to this version")]
    UnknownAction {
        /// The `action`.
        action: String,
    },
    /// An event of another service.
    #[error("the event comes from {source_name:?}, expected aws.agreement-marketplace")]
    WrongSource {
        /// The `source`.
        source_name: String,
    },
    /// An event of another account.
    #[error("the event comes from the account {account:?}, which is not the declared one")]
    WrongAccount {
        /// The `account`.
        account: String,
    },
    /// An event type that is not documented.
    #[error("the event type {detail_type:?} is not known to this version")]
    UnknownEvent {
        /// The `detail-type`.
        detail_type: String,
    },
    /// An agreement was created for an unknown reason.
    #[error("the agreement's intent {intent:?} is not known to this version")]
    UnknownIntent {
        /// The `intent`.
        intent: String,
    },
    /// An agreement ended in an unknown way.
    #[error("the agreement's status {status:?} is not known to this version as an end")]
    UnknownStatus {
        /// The `status`.
        status: String,
    },
    /// Not a license's ARN in any spelling seen.
    #[error("{arn:?} does not end in a license's id (l-…)")]
    BadLicenseArn {
        /// The `license.arn`.
        arn: String,
    },
    /// A time from the future would outrank every true fact until then.
    #[error(
        "the message is from {time}, which lies in the future at {received_at}: check this machine's clock, then replay"
    )]
    FutureTime {
        /// The message's time.
        time: Timestamp,
        /// The wall clock's reading at receipt.
        received_at: Timestamp,
    },
    /// The envelope lacks what is needed to check its signature.
    #[error("the envelope cannot be verified, its {field} is missing or not text")]
    Unsigned {
        /// The field.
        field: &'static str,
    },
    /// Neither version 1 nor 2.
    #[error("the signature version {version:?} is not known")]
    SignatureVersion {
        /// The `SignatureVersion`.
        version: String,
    },
    /// A certificate from a place where AWS does not publish it.
    #[error("the signing certificate is not at AWS: {url}")]
    CertificateUrl {
        /// The `SigningCertURL`.
        url: String,
        /// The rule that it breaks.
        #[source]
        source: CertificateUrlError,
    },
    /// A certificate that no trusted root vouches for, now and for this purpose.
    #[error("the signing certificate at {url} is not trusted: {detail}")]
    UntrustedCertificate {
        /// Where it was fetched.
        url: String,
        /// What the chain check says.
        detail: String,
    },
    /// The signature is not that of these words by this certificate's key.
    #[error("the signature does not match the message")]
    BadSignature,
}

impl Refusal {
    /// The word for it in quarantine and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too-large",
            Self::NotUtf8 { .. } => "not-utf8",
            Self::Nul => "nul",
            Self::NotJson { .. } => "not-json",
            Self::UnknownShape => "unknown-shape",
            Self::MissingField { .. } => "missing-field",
            Self::WrongType { .. } => "wrong-type",
            Self::BadId { .. } => "bad-id",
            Self::Handshake { .. } => "handshake",
            Self::UnknownType { .. } => "unknown-type",
            Self::RawUndeclared => "raw-undeclared",
            Self::EventsUndeclared => "events-undeclared",
            Self::WrongTopic { .. } => "wrong-topic",
            Self::ProductNotOfTopic { .. } => "product-not-of-topic",
            Self::UnknownProduct { .. } => "unknown-product",
            Self::UnknownAction { .. } => "unknown-action",
            Self::WrongSource { .. } => "wrong-source",
            Self::WrongAccount { .. } => "wrong-account",
            Self::UnknownEvent { .. } => "unknown-event",
            Self::UnknownIntent { .. } => "unknown-intent",
            Self::UnknownStatus { .. } => "unknown-status",
            Self::BadLicenseArn { .. } => "bad-license-arn",
            Self::FutureTime { .. } => "future-time",
            Self::Unsigned { .. } => "unsigned",
            Self::SignatureVersion { .. } => "signature-version",
            Self::CertificateUrl { .. } => "certificate-url",
            Self::UntrustedCertificate { .. } => "untrusted-certificate",
            Self::BadSignature => "bad-signature",
        }
    }
}

/// A piece of a message as it may stand in a refusal: short, on one line.
pub(crate) fn excerpt(text: &str) -> String {
    let mut out: String = text.chars().take(EXCERPT_CHARS_MAX).flat_map(escaped).collect();
    if text.chars().nth(EXCERPT_CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}

fn escaped(character: char) -> impl Iterator<Item = char> {
    let plain = (!character.is_control()).then_some(character);
    let escape = character.is_control().then(|| character.escape_default());
    plain.into_iter().chain(escape.into_iter().flatten())
}
