use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stallkeeper_ledger::ProductKey;
use stallkeeper_lifecycle::{TenantId, Timestamp, UserId};

use crate::{Actor, Page, StoreError};

/// The longest id of a grant, in bytes.
const ID_BYTES_MAX: usize = 128;

/// The longest reason of a grant, in bytes.
const WHY_BYTES_MAX: usize = 1_000;

/// A grant's id, given by whoever makes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GrantId(String);

/// Why a grant was given, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GrantReason(String);

/// The text cannot serve as a part of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// An id stands in a path, so it has few characters.
    #[error("a grant's id has 1 to {ID_BYTES_MAX} letters, digits, dots, hyphens, colons or underscores")]
    Id,
    /// A reason is for people to read.
    #[error("a grant's reason has 1 to {WHY_BYTES_MAX} bytes, and no control characters")]
    Why,
}

impl GrantId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GrantId {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
        let fits = (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed);
        // As a part of a path these two mean another one.
        let is_path = text == "." || text == "..";
        if fits && !is_path { Ok(Self(text.to_owned())) } else { Err(GrantError::Id) }
    }
}

impl GrantReason {
    /// The reason as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GrantReason {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let text = text.trim();
        let fits = (1..=WHY_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(GrantError::Why) }
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {
        $(
            impl TryFrom<String> for $name {
                type Error = GrantError;

                fn try_from(text: String) -> Result<Self, GrantError> {
                    text.parse()
                }
            }

            impl From<$name> for String {
                fn from(value: $name) -> Self {
                    value.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    formatter.pad(&self.0)
                }
            }
        )*
    };
}

as_text!(GrantId, GrantReason);

/// Access that the seller gives, outside any marketplace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its identity.
    pub id: GrantId,
    /// To whom.
    pub tenant: TenantId,
    /// To this user only; to all of the tenant's where there is none.
    pub user: Option<UserId>,
    /// To what.
    pub product: ProductKey,
    /// The first instant at which it is over; never where there is none.
    pub until: Option<Timestamp>,
    /// Why.
    pub why: GrantReason,
}

/// A stored grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRecord {
    /// What was given.
    pub grant: Grant,
    /// By whom it was last put.
    pub by: Actor,
    /// When it was first put.
    pub created_at: Timestamp,
    /// Who took it back, and when.
    pub revoked: Option<(Actor, Timestamp)>,
}

/// What putting a grant came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantPut {
    /// There was none with its id.
    Made,
    /// It says something else than before, or was revoked before.
    Changed,
    /// It stood there already.
    Same,
}

/// Something that was done with a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantAct {
    /// Counts up in the order of storing.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// What: `put` or `revoked`.
    pub what: String,
    /// Who did it.
    pub by: Actor,
    /// What was put, as JSON.
    pub detail: String,
}

impl GrantRecord {
    /// Whether it gives access at `now`.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.grant.until.is_none_or(|until| now < until)
    }
}

impl Grant {
    /// What is kept in the history of acts.
    ///
    /// # Errors
    /// [`StoreError::Data`] where it cannot be written as JSON.
    pub fn encode(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|error| StoreError::Data(error.into()))
    }
}

/// Access outside any marketplace.
///
/// Every method fails with [`StoreError::Unavailable`] or [`StoreError::Unreadable`]; those that write also
/// with [`StoreError::Conflict`] or [`StoreError::Data`].
#[async_trait]
pub trait GrantStore: Send + Sync + 'static {
    /// Stores a grant in place of one with the same id; the act goes into its history unless nothing changed.
    async fn put_grant(&self, grant: &Grant, by: &Actor, now: Timestamp) -> Result<GrantPut, StoreError>;

    /// Takes a grant back; one that was revoked before stays as it was. Answers it, or none where there is none.
    async fn revoke_grant(
        &self,
        id: &GrantId,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Option<GrantRecord>, StoreError>;

    /// One grant, revoked or not.
    async fn grant(&self, id: &GrantId) -> Result<Option<GrantRecord>, StoreError>;

    /// Grants of one tenant or all, in the order of their ids, revoked ones among them.
    async fn grants(
        &self,
        tenant: Option<&TenantId>,
        page: &Page<GrantId>,
    ) -> Result<Vec<GrantRecord>, StoreError>;

    /// What was done with a grant, oldest first, behind an act's number.
    async fn grant_acts(&self, id: &GrantId, page: &Page<i64>) -> Result<Vec<GrantAct>, StoreError>;
}
