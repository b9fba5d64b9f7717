use stallkeeper_lifecycle::{
    MarketplaceName, ProductCode, Standing, Subscription, SubscriptionKey, TenantId, Timestamp, Word,
};

use crate::StoreError;

/// How many rows a listing returns at the most.
pub const PAGE_MAX: u32 = 1_000;

/// One subscription with the columns by which it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRecord {
    /// Its identity.
    pub key: SubscriptionKey,
    /// All that is known of it.
    pub subscription: Subscription,
    /// When it was last written.
    pub updated_at: Timestamp,
}

impl SubscriptionRecord {
    /// The word by which listings find it: that which was last announced.
    pub fn word(&self) -> Word {
        self.subscription.announced.as_ref().map_or(Word::Unknown, |view| view.word)
    }

    /// The tenant by which listings find it.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.subscription.binding.as_ref().map(|binding| &binding.tenant)
    }

    /// When its final-usage window closes.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.subscription.announced.as_ref().map(|view| &view.standing) {
            Some(Standing::Ending { deadline, .. }) => Some(*deadline),
            _ => None,
        }
    }

    /// All that is known of it, as text for the store.
    ///
    /// # Errors
    /// [`StoreError::Data`] where it cannot be written as JSON.
    pub fn encode(&self) -> Result<String, StoreError> {
        serde_json::to_string(&self.subscription).map_err(|error| StoreError::Data(error.into()))
    }

    /// What [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] where the text is not of this version's form.
    pub fn decode(key: SubscriptionKey, state: &str, updated_at: Timestamp) -> Result<Self, StoreError> {
        let subscription =
            serde_json::from_str(state).map_err(|error| StoreError::unreadable(key.to_string(), error))?;
        Ok(Self { key, subscription, updated_at })
    }
}

/// Which subscriptions a listing is about; each is answered by an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionFilter {
    /// All of them.
    All,
    /// Those of one tenant.
    Tenant(TenantId),
    /// Those of one listing.
    Listing(MarketplaceName, ProductCode),
    /// Those whose last announced word is this.
    Word(Word),
}

/// A part of a listing: at most `limit` rows (never over [`PAGE_MAX`]) behind `after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<Position> {
    /// The last row of the part before.
    pub after: Option<Position>,
    /// How many rows.
    pub limit: u32,
}

impl<Position> Page<Position> {
    /// The first rows.
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }

    /// The number of rows, within bounds, as databases take it.
    pub fn rows(&self) -> i64 {
        i64::from(self.limit.min(PAGE_MAX))
    }
}
