use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;
use time::OffsetDateTime;

use crate::marketplace::moment;

/// How many notifications the journal remembers; the oldest are forgotten first.
const NOTIFICATIONS_MAX: usize = 1_000_000;

/// Something that was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notification {
    /// Counted from 1 in the order of publication.
    pub number: u64,
    /// SNS' message id, or the event's id.
    pub id: String,
    /// The action, or the event's type without its role.
    pub what: &'static str,
    /// The id of the subscription that it is about.
    pub subscription: Arc<str>,
    /// When it was said, by the marketplace's clock.
    #[serde(serialize_with = "moment::serialize")]
    pub at: OffsetDateTime,
    /// How many copies were put into queues: 0 where it was lost or nobody listens.
    pub copies: usize,
}

/// All that was published, in order.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    notifications: VecDeque<Notification>,
    written: u64,
}

impl Journal {
    /// Numbers a notification and remembers it.
    pub(crate) fn write(&mut self, notification: Notification) -> Notification {
        self.written += 1;
        if self.notifications.len() == NOTIFICATIONS_MAX {
            self.notifications.pop_front();
        }
        let notification = Notification { number: self.written, ..notification };
        self.notifications.push_back(notification.clone());
        notification
    }

    /// Those after a number, at most so many.
    pub(crate) fn after(&self, number: u64, limit: usize) -> Vec<Notification> {
        let forgotten = self.written - self.notifications.len() as u64;
        let skipped = usize::try_from(number.saturating_sub(forgotten)).unwrap_or(usize::MAX);
        let from = skipped.min(self.notifications.len());
        self.notifications.range(from..).take(limit).cloned().collect()
    }

    /// How many were written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_page_by_page() {
        let mut journal = Journal::default();
        for id in ["a", "b", "c"] {
            journal.write(Notification {
                number: 0,
                id: id.into(),
                what: "subscribe-success",
                subscription: "s".into(),
                at: OffsetDateTime::UNIX_EPOCH,
                copies: 1,
            });
        }
        let page = |after, limit| {
            let page = journal.after(after, limit);
            page.into_iter().map(|line| (line.number, line.id)).collect::<Vec<_>>()
        };
        assert_eq!(page(0, 2), [(1, "a".to_owned()), (2, "b".to_owned())]);
        assert_eq!(page(2, 2), [(3, "c".to_owned())]);
        assert_eq!(page(3, 2), []);
        assert_eq!(page(u64::MAX, 2), []);
    }
}
