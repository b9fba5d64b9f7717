//! Many buyers who come and go.

use std::time::Duration;

use crate::{Database, Envelope, Product};

/// What each buyer does, and how many minutes ago.
const VISIT: [(&str, u64); 3] =
    [("subscribe-success", 40), ("unsubscribe-pending", 30), ("unsubscribe-success", 20)];

/// Notifications of ever new buyers of one product, each of whom subscribes, leaves and is gone.
#[derive(Debug)]
pub struct Sales {
    product: Product,
    buyers: usize,
}

impl Sales {
    /// Nobody has come yet.
    pub fn of(product: &Product) -> Self {
        Self { product: product.clone(), buyers: 0 }
    }

    /// How many notifications there have been.
    pub fn notifications(&self) -> usize {
        self.buyers * VISIT.len()
    }

    /// So many new buyers: all of their last words first, and what came before these after them.
    pub fn visits(&mut self, buyers: usize) -> Vec<String> {
        let first = self.buyers;
        self.buyers += buyers;
        let of_all = |(action, minutes): &(&str, u64)| {
            let ago = Duration::from_mins(*minutes);
            (first..self.buyers)
                .map(|buyer| self.product.envelope(action, &format!("buyer-{buyer}")).ago(ago))
                .collect::<Vec<Envelope>>()
        };
        VISIT.iter().rev().flat_map(of_all).map(|envelope| envelope.text()).collect()
    }

    /// Each notification was applied once, and every buyer is gone.
    pub async fn assert_settled(&self, database: &Database) {
        let count = self.notifications();
        assert_eq!(database.count("inbox WHERE outcome = 'applied'").await, count);
        assert_eq!(database.count("history WHERE event IS NOT NULL AND outcome = 'applied'").await, count);
        assert_eq!(database.count("(SELECT DISTINCT event FROM history) AS events").await, count, "by event");
        assert_eq!(database.count("history").await, count, "lines of history that no notification wrote");
        assert_eq!(database.count("subscriptions").await, self.buyers);
        assert_eq!(database.count("subscriptions WHERE word = 'ended'").await, self.buyers);
        assert_eq!(database.count("quarantine").await, 0);
        let lines = "SELECT subscription FROM history GROUP BY subscription HAVING count(*) <> 3";
        assert_eq!(database.rows(lines).await, Vec::<Vec<String>>::new(), "not three lines of history each");
    }
}
