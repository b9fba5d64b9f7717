#![doc = include_str!("../README.md")]

mod action;
mod cache;
mod certificate;
mod chain;
mod envelope;
mod event;
mod feed;
mod fields;
mod host;
mod license;
mod notification;
mod read;
mod refusal;
mod signature;
mod topic;
mod verifier;

pub use cache::CERTIFICATES_MAX;
pub use certificate::{
    CERTIFICATE_BYTES_MAX, CertificateSource, FetchError, HttpsCertificateSource, SourceError,
};
pub use chain::{SigningKey, Trust, TrustError};
pub use envelope::Envelope;
pub use feed::{Delivery, EventBus, Feed, FeedConfig, FeedError, SignaturePolicy};
pub use host::{CertificateUrl, CertificateUrlError};
pub use license::{license_arn, license_id};
pub use notification::{Notification, QueueMeta, Read, Source};
pub use read::{MAX_BODY_BYTES, is_bare, read};
pub use refusal::Refusal;
pub use topic::{Partition, Topic, TopicError, TopicKind};
pub use verifier::{CheckError, Checked, Verifier};
