use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest id that is accepted, in bytes.
const ID_BYTES_MAX: usize = 256;

/// The text cannot serve as this kind of id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing, or blanks only.
    #[error("{what} is empty")]
    Empty {
        /// The kind of id.
        what: &'static str,
    },
    /// More than 256 bytes.
    #[error("{what} has {bytes} bytes, at most {ID_BYTES_MAX} are accepted")]
    TooLong {
        /// The kind of id.
        what: &'static str,
        /// The length of the text.
        bytes: usize,
    },
    /// A control character, or a slash where the id is a part of a key.
    #[error("{what} has a character that an id cannot have: {character:?}")]
    Character {
        /// The kind of id.
        what: &'static str,
        /// The first such character.
        character: char,
    },
    /// A key whose parts are not `marketplace/product/holder kind/holder`.
    #[error("not a subscription's key, which reads marketplace/product/kind/id with the kind one of {kinds}", kinds = Holder::KINDS.join(", "))]
    Key,
}

/// Which characters an id may have.
#[derive(Clone, Copy)]
enum Charset {
    /// All but control characters.
    Opaque,
    /// No slash either, as the id stands before one in a key.
    Segment,
}

fn checked(what: &'static str, text: &str, charset: Charset) -> Result<String, IdError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(IdError::Empty { what });
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong { what, bytes: text.len() });
    }
    let refused = |character: char| match charset {
        Charset::Opaque => character.is_control(),
        Charset::Segment => character.is_control() || character == '/' || character.is_whitespace(),
    };
    match text.chars().find(|character| refused(*character)) {
        Some(character) => Err(IdError::Character { what, character }),
        None => Ok(text.to_owned()),
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $charset:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Takes the text without the blanks around it.
            ///
            /// # Errors
            /// Text that is empty, has more than 256 bytes, or a character that this id cannot have.
            fn from_str(text: &str) -> Result<Self, IdError> {
                checked($what, text, Charset::$charset).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
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

text_id!(
    /// The seller's name for a configured marketplace, such as `aws` or `aws-china`.
    MarketplaceName, "marketplace name", Segment
);
text_id!(
    /// The marketplace's code of one listing.
    ProductCode, "product code", Segment
);
text_id!(
    /// A buyer as older AWS listings name him (`CustomerIdentifier`).
    CustomerId, "customer id", Opaque
);
text_id!(
    /// The trailing `l-…` part of an AWS `LicenseArn`; AWS prints the ARN in several spellings.
    LicenseId, "license id", Opaque
);
text_id!(
    /// An AWS `LicenseArn`, as calls take it.
    LicenseArn, "license arn", Opaque
);
text_id!(
    /// A buyer's AWS account (`CustomerAWSAccountId`), twelve digits as a rule.
    AccountId, "account id", Opaque
);
text_id!(
    /// An AWS agreement (`agmt-…`).
    AgreementId, "agreement id", Opaque
);
text_id!(
    /// An instance of Alibaba's SPI mode (`orderBizId`).
    InstanceId, "instance id", Opaque
);
text_id!(
    /// A licence code of Alibaba's License mode.
    LicenseCode, "license code", Opaque
);
text_id!(
    /// The offer under which a buyer subscribed.
    OfferId, "offer id", Opaque
);
text_id!(
    /// What was bought, in Alibaba's words the SKU.
    PlanId, "plan id", Opaque
);
text_id!(
    /// A marketplace's id of one notification.
    EventId, "event id", Opaque
);
text_id!(
    /// A tenant of the seller's app, in the seller's words.
    TenantId, "tenant id", Opaque
);
text_id!(
    /// A user of the seller's app, in the seller's words.
    UserId, "user id", Opaque
);

impl ProductCode {
    /// Stands in the key of an agreement, as its events name no product.
    pub fn unknown() -> Self {
        Self("-".to_owned())
    }
}

/// Whom a subscription belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A buyer of an AWS listing from before concurrent agreements.
    Customer(CustomerId),
    /// One license of an AWS listing with concurrent agreements.
    License(LicenseId),
    /// An agreement whose license is not known yet: it keeps facts until a license names it.
    Agreement(AgreementId),
    /// An instance of Alibaba's SPI mode.
    Instance(InstanceId),
    /// A licence code of Alibaba's License mode.
    LicenseCode(LicenseCode),
}

impl Holder {
    const KINDS: [&str; 5] = ["customer", "license", "agreement", "instance", "code"];

    /// The word for the kind of holder, as it stands in a key.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Customer(_) => "customer",
            Self::License(_) => "license",
            Self::Agreement(_) => "agreement",
            Self::Instance(_) => "instance",
            Self::LicenseCode(_) => "code",
        }
    }

    /// The holder's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Customer(id) => id.as_str(),
            Self::License(id) => id.as_str(),
            Self::Agreement(id) => id.as_str(),
            Self::Instance(id) => id.as_str(),
            Self::LicenseCode(id) => id.as_str(),
        }
    }

    fn parse(kind: &str, id: &str) -> Result<Self, IdError> {
        match kind {
            "customer" => id.parse().map(Self::Customer),
            "license" => id.parse().map(Self::License),
            "agreement" => id.parse().map(Self::Agreement),
            "instance" => id.parse().map(Self::Instance),
            "code" => id.parse().map(Self::LicenseCode),
            _ => Err(IdError::Key),
        }
    }
}

/// What identifies a subscription: one holder's relation to one listing.
///
/// Written `marketplace/product/kind/id`, for example `aws/3f9k2/customer/X01EXAMPLEX`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubscriptionKey {
    /// The configured marketplace.
    pub marketplace: MarketplaceName,
    /// The listing's code there.
    pub product: ProductCode,
    /// Whom the subscription belongs to.
    pub holder: Holder,
}

impl SubscriptionKey {
    /// The key under which an agreement's facts are kept.
    pub fn agreement(marketplace: MarketplaceName, agreement: AgreementId) -> Self {
        Self { marketplace, product: ProductCode::unknown(), holder: Holder::Agreement(agreement) }
    }

    /// Whether this is an agreement's own row rather than a subscription.
    pub fn is_agreement(&self) -> bool {
        matches!(self.holder, Holder::Agreement(_))
    }
}

impl fmt::Display for SubscriptionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}/{}", self.marketplace, self.product, self.holder.kind(), self.holder.id())
    }
}

impl FromStr for SubscriptionKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut parts = text.splitn(4, '/');
        let mut next = || parts.next().ok_or(IdError::Key);
        let (marketplace, product, kind, id) = (next()?, next()?, next()?, next()?);
        Ok(Self {
            marketplace: marketplace.parse()?,
            product: product.parse()?,
            holder: Holder::parse(kind, id)?,
        })
    }
}

impl TryFrom<String> for SubscriptionKey {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<SubscriptionKey> for String {
    fn from(key: SubscriptionKey) -> Self {
        key.to_string()
    }
}
