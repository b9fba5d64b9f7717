use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use stallkeeper_runtime::sha256;

/// Shorter tokens can be guessed.
const TOKEN_BYTES_MIN: usize = 16;

/// What a token's bearer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum Scope {
    /// Report usage, and say up to when it is complete: `usage:write`.
    UsageWrite,
    /// Read what became of usage, and which final-usage windows are open: `usage:read`.
    UsageRead,
    /// Ask who may use what, and see grants: `entitlements:read`.
    EntitlementsRead,
    /// Give and revoke grants: `grants:write`.
    GrantsWrite,
    /// Read subscriptions, their histories and what changed: `subscriptions:read`.
    SubscriptionsRead,
    /// See registrations, with what buyers say of themselves: `registrations:read`.
    RegistrationsRead,
    /// Take buyers' codes and name their tenants: `registrations:write`.
    RegistrationsWrite,
}

/// No scope is called so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope {0:?}: expected one of {all}", all = Scope::ALL.map(Scope::as_str).join(", "))]
pub struct UnknownScope(String);

/// A token as it is configured. Two may have the same scopes: that is how one is replaced while both are valid.
#[derive(Clone, Debug)]
pub struct ApiToken {
    /// Whose it is, for people.
    pub name: String,
    /// What the bearer sends, or its digest.
    pub token: TokenSecret,
    /// What the bearer may do.
    pub scopes: BTreeSet<Scope>,
}

/// How a token is known to the worker.
#[derive(Clone, Debug)]
pub enum TokenSecret {
    /// By itself.
    Plain(SecretString),
    /// By its SHA-256 digest only, of which nobody makes the token again.
    Sha256([u8; 32]),
}

/// The text is no SHA-256 digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a SHA-256 digest, 64 hexadecimal digits")]
pub struct NoDigest;

/// Why tokens cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It can be guessed.
    #[error("token {name:?} has less than {TOKEN_BYTES_MIN} characters; make a longer one")]
    Short {
        /// The token's name.
        name: String,
    },
    /// It cannot stand in a header.
    #[error("token {name:?} has blanks or characters that an HTTP header cannot carry")]
    Characters {
        /// The token's name.
        name: String,
    },
    /// Two tokens are the same, so that nobody could tell which scopes hold.
    #[error("tokens {first:?} and {second:?} are the same; make each its own")]
    Same {
        /// The earlier one's name.
        first: String,
        /// The later one's name.
        second: String,
    },
}

/// The tokens that open `/v1`, of which only digests are kept; without any it stays closed. Cheap to clone.
#[derive(Clone, Default)]
pub struct ApiTokens(Arc<[Known]>);

struct Known {
    name: Arc<str>,
    digest: Digest,
    scopes: BTreeSet<Scope>,
}

pub(crate) type Digest = [u8; 32];

/// What a caller's token comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission<'a> {
    /// With the token's name.
    Admitted(&'a Arc<str>),
    /// There is no token at all.
    Closed,
    /// None was sent, or one that is not known.
    Unknown,
    /// The bearer may not do this.
    OutOfScope,
}

impl ApiTokens {
    /// Tokens from the configuration.
    ///
    /// # Errors
    /// A token that is too short or cannot be sent, and two that are the same.
    pub fn new(tokens: impl IntoIterator<Item = ApiToken>) -> Result<Self, TokenError> {
        let mut known: Vec<Known> = Vec::new();
        for ApiToken { name, token, scopes } in tokens {
            if let TokenSecret::Plain(text) = &token {
                let text = text.expose_secret();
                if text.len() < TOKEN_BYTES_MIN {
                    return Err(TokenError::Short { name });
                }
                if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err(TokenError::Characters { name });
                }
            }
            let digest = token.digest();
            if let Some(first) = known.iter().find(|known| known.digest == digest) {
                return Err(TokenError::Same { first: first.name.to_string(), second: name });
            }
            known.push(Known { name: name.into(), digest, scopes });
        }
        Ok(Self(known.into()))
    }

    /// Looks at what stands behind `Bearer`, in the same time whichever token it is or resembles.
    pub(crate) fn admit(&self, presented: Option<&str>, scope: Scope) -> Admission<'_> {
        if self.0.is_empty() {
            return Admission::Closed;
        }
        let Some(presented) = presented.map(digest_of) else { return Admission::Unknown };
        let is_it = |known: &&Known| verify_slices_are_equal(&known.digest, &presented).is_ok();
        // Every digest is looked at, so that the time does not tell which one it is.
        let found = self.0.iter().filter(is_it).fold(None, |first, known| first.or(Some(known)));
        match found {
            None => Admission::Unknown,
            Some(known) if known.scopes.contains(&scope) => Admission::Admitted(&known.name),
            Some(_) => Admission::OutOfScope,
        }
    }
}

impl TokenSecret {
    /// The SHA-256 digest by which bearers are known.
    pub fn digest(&self) -> [u8; 32] {
        match self {
            Self::Plain(token) => digest_of(token.expose_secret()),
            Self::Sha256(digest) => *digest,
        }
    }
}

impl From<String> for TokenSecret {
    fn from(token: String) -> Self {
        Self::Plain(token.into())
    }
}

impl FromStr for TokenSecret {
    type Err = NoDigest;

    /// Reads a digest as `sha256sum` prints it.
    fn from_str(hex: &str) -> Result<Self, NoDigest> {
        let digits: Option<Vec<u32>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
        let bytes = digits.ok_or(NoDigest)?.chunks(2).map(byte).collect::<Result<Vec<u8>, _>>()?;
        bytes.try_into().map(Self::Sha256).map_err(|_| NoDigest)
    }
}

/// The byte of two hexadecimal digits.
fn byte(digits: &[u32]) -> Result<u8, NoDigest> {
    match digits {
        [high, low] => u8::try_from(high * 16 + low).map_err(|_| NoDigest),
        _ => Err(NoDigest),
    }
}

pub(crate) fn digest_of(token: &str) -> Digest {
    sha256(token.as_bytes())
}

impl fmt::Debug for ApiTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|known| (&known.name, &known.scopes));
        formatter.debug_map().entries(names).finish()
    }
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::UsageWrite,
        Self::UsageRead,
        Self::EntitlementsRead,
        Self::GrantsWrite,
        Self::SubscriptionsRead,
        Self::RegistrationsRead,
        Self::RegistrationsWrite,
    ];

    /// The word by which the configuration names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UsageWrite => "usage:write",
            Self::UsageRead => "usage:read",
            Self::EntitlementsRead => "entitlements:read",
            Self::GrantsWrite => "grants:write",
            Self::SubscriptionsRead => "subscriptions:read",
            Self::RegistrationsRead => "registrations:read",
            Self::RegistrationsWrite => "registrations:write",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(word: &str) -> Result<Self, UnknownScope> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == word);
        found.ok_or_else(|| UnknownScope(word.to_owned()))
    }
}

impl TryFrom<String> for Scope {
    type Error = UnknownScope;

    fn try_from(word: String) -> Result<Self, UnknownScope> {
        word.parse()
    }
}
