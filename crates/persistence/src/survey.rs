use async_trait::async_trait;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp, Word};

use crate::usage::{LossLine, RecordLine};
use crate::{HistoryRecord, Page, StoreError, SubscriptionRecord};

/// How far listings for people count: from here on, there are "so many or more".
pub const COUNT_MAX: u64 = 10_000;

/// Reading for people who look over all of it: what is urgent or new comes first.
///
/// Every method fails with [`StoreError::Unavailable`] or [`StoreError::Unreadable`].
#[async_trait]
pub trait SurveyStore: Send + Sync + 'static {
    /// How many subscriptions have each word, in the order of [`Word::ALL`]; counted up to [`COUNT_MAX`].
    async fn word_counts(&self) -> Result<Vec<(Word, u64)>, StoreError>;

    /// Subscriptions whose holder's id begins so, in the order of ids, then of keys; an empty beginning finds nothing.
    async fn subscriptions_by_id(
        &self,
        prefix: &str,
        page: &Page<SubscriptionKey>,
    ) -> Result<Vec<SubscriptionRecord>, StoreError>;

    /// Metered subscriptions whose final-usage window is open at `now`, the first to close first.
    async fn closing(&self, now: Timestamp, limit: u32) -> Result<Vec<SubscriptionRecord>, StoreError>;

    /// A subscription's history, newest first, before a line's number.
    async fn latest_history(
        &self,
        key: &SubscriptionKey,
        page: &Page<i64>,
    ) -> Result<Vec<HistoryRecord>, StoreError>;

    /// Frozen records, the first whose time is over first.
    async fn expiring(&self, limit: u32) -> Result<Vec<RecordLine>, StoreError>;

    /// Losses, newest first, before a line's number; of one subscription or all.
    async fn latest_losses(
        &self,
        subscription: Option<&SubscriptionKey>,
        page: &Page<i64>,
    ) -> Result<Vec<LossLine>, StoreError>;
}

/// The first text behind all those that begin with `prefix`, in the order of bytes; `None` where there is no such text.
pub fn behind_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // The order of UTF-8 is that of code points, of which a range in the middle is no character.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_prefix_is_behind_all_that_begin_so() {
        for (prefix, behind) in
            [("ab", "ac"), ("a\u{10ffff}", "b"), ("\u{d7ff}", "\u{e000}"), ("aé", "aê"), ("a%", "a&")]
        {
            assert_eq!(behind_prefix(prefix).as_deref(), Some(behind));
            assert!(format!("{prefix}\u{10ffff}zzz").as_str() < behind);
        }
        for prefix in ["", "\u{10ffff}"] {
            assert_eq!(behind_prefix(prefix), None);
        }
    }
}
