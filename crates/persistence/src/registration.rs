use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stallkeeper_lifecycle::{AccountId, AgreementId, LicenseArn, SubscriptionKey, TenantId, Timestamp};

use crate::{Page, StoreError};

/// For how long a registration waits for its tenant after the buyer was last seen; then it is removed with what he
/// wrote, and he may come again.
pub(crate) const REGISTRATION_LASTS: Duration = Duration::from_hours(30 * 24);

/// The digits of an id: 16 random bytes.
const ID_DIGITS: usize = 32;

/// The longest name of a company or a person, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// The longest address that mail can be sent to, in bytes (RFC 5321, 4.5.3.1.3).
const EMAIL_BYTES_MAX: usize = 254;

/// What is kept of a secret that only somebody's browser or app knows: its SHA-256.
pub type Digest = [u8; 32];

/// A text is no id of a registration or a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id, which has {ID_DIGITS} hexadecimal digits in lower case")]
pub struct NotAnId;

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id of these random bytes.
            pub fn new(random: [u8; 16]) -> Self {
                Self(format!("{:032x}", u128::from_be_bytes(random)))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                let fits = text.len() == ID_DIGITS && text.bytes().all(is_digit);
                if fits { Ok(Self(text.to_owned())) } else { Err(NotAnId) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }
    };
}

random_id!(
    /// A registration's id; it opens nothing by itself.
    RegistrationId
);
random_id!(
    /// A visit's id, which stands in the address of its page; only the browser of the visit is shown that page.
    VisitId
);

/// What a buyer wrote cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DetailsError {
    /// Nothing, or blanks only.
    #[error("is empty")]
    Empty,
    /// More than anybody needs.
    #[error("is too long")]
    TooLong,
    /// A character that no name or address has.
    #[error("has a character that cannot be taken")]
    Character,
    /// No mail can be sent there.
    #[error("is not an e-mail address")]
    Address,
}

macro_rules! written {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// It as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = DetailsError;

            /// Takes the text without the blanks around it.
            fn from_str(text: &str) -> Result<Self, DetailsError> {
                let check: fn(&str) -> Result<(), DetailsError> = $check;
                let text = text.trim();
                check(text)?;
                Ok(Self(text.to_owned()))
            }
        }
    };
}

written!(
    /// What the buyer's company is called.
    Company, name
);
written!(
    /// What the buyer is called.
    ContactName, name
);
written!(
    /// Where the buyer gets mail; addresses of free mail are as good as any.
    Email, address
);

fn name(text: &str) -> Result<(), DetailsError> {
    plain(text, NAME_BYTES_MAX)
}

fn plain(text: &str, bytes_max: usize) -> Result<(), DetailsError> {
    match text {
        "" => Err(DetailsError::Empty),
        text if text.len() > bytes_max => Err(DetailsError::TooLong),
        text if text.chars().any(char::is_control) => Err(DetailsError::Character),
        _ => Ok(()),
    }
}

/// Only a mail that arrives proves an address, so no more is asked than that one could be sent.
fn address(text: &str) -> Result<(), DetailsError> {
    plain(text, EMAIL_BYTES_MAX)?;
    let Some((mailbox, domain)) = text.rsplit_once('@') else { return Err(DetailsError::Address) };
    let is_domain = domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
    let fits = !mailbox.is_empty() && !mailbox.contains('@') && is_domain;
    if fits && !text.contains(char::is_whitespace) { Ok(()) } else { Err(DetailsError::Address) }
}

/// What a buyer says of himself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// His company.
    pub company: Company,
    /// He.
    pub contact: ContactName,
    /// Where he gets mail.
    pub email: Email,
}

/// A buyer whom a marketplace vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRegistration {
    /// Its id, unless the subscription has one already.
    pub id: RegistrationId,
    /// What he may register for.
    pub subscription: SubscriptionKey,
    /// His account with the marketplace.
    pub account: Option<AccountId>,
    /// His license, where the listing has such.
    pub license_arn: Option<LicenseArn>,
    /// His agreement, where the marketplace names it.
    pub agreement: Option<AgreementId>,
}

/// One time that a buyer comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVisit {
    /// Its id.
    pub id: VisitId,
    /// Of the secret in his browser's cookie.
    pub browser: Digest,
    /// From when on the page is shown to nobody.
    pub ends_at: Timestamp,
}

/// A registration: there is at most one of a subscription, however often its buyer comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationRecord {
    /// Its id.
    pub id: RegistrationId,
    /// What it is for.
    pub subscription: SubscriptionKey,
    /// The buyer's account with the marketplace.
    pub account: Option<AccountId>,
    /// His license.
    pub license_arn: Option<LicenseArn>,
    /// His agreement.
    pub agreement: Option<AgreementId>,
    /// What he says of himself, and since when.
    pub details: Option<(Details, Timestamp)>,
    /// When he first came.
    pub created_at: Timestamp,
    /// When he last came.
    pub seen_at: Timestamp,
    /// From when on it is forgotten.
    pub ends_at: Timestamp,
    /// The tenant that the subscription is bound to.
    pub tenant: Option<TenantId>,
}

/// Which registrations are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationFilter {
    /// All of them.
    All,
    /// Those whose buyer said who he is, and who waits for a tenant.
    Pending,
}

/// When a registration is forgotten whose buyer was last seen at `seen_at`.
pub fn registration_ends_at(seen_at: Timestamp) -> Timestamp {
    seen_at.plus(REGISTRATION_LASTS)
}

/// Buyers on their way to a tenant. Tokens never come here.
///
/// Every method fails with [`StoreError::Unavailable`] or [`StoreError::Unreadable`]; those that write also
/// with [`StoreError::Conflict`] or [`StoreError::Data`].
#[async_trait]
pub trait RegistrationStore: Send + Sync + 'static {
    /// Stores that a buyer came: his registration, unless the subscription has one, which then lasts anew, and his
    /// visit.
    async fn register(
        &self,
        registration: &NewRegistration,
        visit: &NewVisit,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The registration of a visit that is not over, as long as it is asked for from the visit's own browser.
    async fn visited(
        &self,
        visit: &VisitId,
        browser: &Digest,
        now: Timestamp,
    ) -> Result<Option<RegistrationRecord>, StoreError>;

    /// Stores what a buyer says of himself, in place of what he said before.
    async fn put_details(
        &self,
        id: &RegistrationId,
        details: &Details,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Stores the digest of a code that the buyer takes to the seller's app, in place of the visit's code before.
    async fn put_code(&self, visit: &VisitId, code: &Digest, ends_at: Timestamp) -> Result<(), StoreError>;

    /// Takes a code: the first to bring it before it is over gets the registration, and nobody after him.
    async fn take_code(
        &self,
        code: &Digest,
        now: Timestamp,
    ) -> Result<Option<RegistrationRecord>, StoreError>;

    /// One registration that is not forgotten.
    async fn registration(
        &self,
        id: &RegistrationId,
        now: Timestamp,
    ) -> Result<Option<RegistrationRecord>, StoreError>;

    /// Registrations that are not forgotten, in the order of their ids.
    async fn registrations(
        &self,
        filter: RegistrationFilter,
        page: &Page<RegistrationId>,
        now: Timestamp,
    ) -> Result<Vec<RegistrationRecord>, StoreError>;

    /// Removes registrations and visits that are over, at most `limit` of each; answers how many.
    async fn prune_registrations(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_any_that_mail_could_be_sent_to() {
        for fine in ["a@b.cn", " mia.o'neil+aws@gmail.com ", "李@例子.中国", "a@sub.example.co.uk"] {
            assert!(fine.parse::<Email>().is_ok(), "{fine}");
        }
        for (text, why) in [
            ("", DetailsError::Empty),
            ("mia", DetailsError::Address),
            ("@example.com", DetailsError::Address),
            ("mia@localhost", DetailsError::Address),
            ("mia@example..com", DetailsError::Address),
            ("mia@x@example.com", DetailsError::Address),
            ("mia @example.com", DetailsError::Address),
            ("mia@example.com\r\nBcc: x@example.com", DetailsError::Character),
        ] {
            assert_eq!(text.parse::<Email>().unwrap_err(), why, "{text:?}");
        }
        let long = format!("{}@example.com", "a".repeat(EMAIL_BYTES_MAX));
        assert_eq!(long.parse::<Email>().unwrap_err(), DetailsError::TooLong);
    }

    #[test]
    fn an_id_is_32_digits_and_nothing_else() {
        let id = RegistrationId::new([0xab; 16]);
        assert_eq!(id.as_str(), "ab".repeat(16));
        assert_eq!(id.as_str().parse(), Ok(id));
        for text in ["", "../../etc/passwd", &"AB".repeat(16), &"ab".repeat(17)] {
            assert!(text.parse::<VisitId>().is_err(), "{text}");
        }
    }
}
