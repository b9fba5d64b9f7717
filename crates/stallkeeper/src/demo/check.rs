//! Holds what the worker says against what the marketplace's books say.

use std::collections::BTreeMap;

use serde::Serialize;
use stallkeeper_lifecycle::{Standing, SubscriptionKey, Timestamp, View, Word};
use stallkeeper_simulator::{Entry, Standing as Booked};

use super::configuration::MARKETPLACE;

/// A subscription about which the worker and the books are not of one mind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// The subscription.
    pub subscription: String,
    /// What the books say.
    pub books: String,
    /// What the worker says.
    pub worker: String,
}

/// What somebody says who knows nothing of a subscription.
const NOTHING: &str = "nothing";

/// What the worker says of every subscription that it knows.
pub type Views = BTreeMap<String, View>;

/// Every subscription on which the two differ, also where only one of them knows it.
pub fn compare(books: &[Entry], views: &Views) -> Vec<Mismatch> {
    let listed: BTreeMap<String, &Entry> = books.iter().map(|entry| (key(entry), entry)).collect();
    let said = listed.iter().filter_map(|(key, entry)| differ(key, entry, views.get(key)));
    let unknown = views.iter().filter(|(key, view)| !listed.contains_key(*key) && was_sold(view));
    said.chain(unknown.map(|(key, view)| Mismatch {
        subscription: key.clone(),
        books: NOTHING.to_owned(),
        worker: words(view),
    }))
    .collect()
}

/// How the worker names what the books list.
pub(super) fn key(entry: &Entry) -> String {
    format!("{MARKETPLACE}/{}", entry.id)
}

/// The same as a key.
///
/// # Errors
/// When the books name it in a way that is none.
pub(super) fn subscription_key(entry: &Entry) -> anyhow::Result<SubscriptionKey> {
    Ok(key(entry).parse()?)
}

/// One subscription as both sides see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The subscription.
    pub key: String,
    /// Who bought.
    pub buyer: String,
    /// What the books say.
    pub books: String,
    /// What the worker says.
    pub worker: String,
    /// Whom the worker bound it to.
    pub tenant: String,
    /// What the worker allows.
    pub access: String,
}

/// Every subscription of the books.
pub fn rows(books: &[Entry], views: &Views) -> Vec<Row> {
    let row = |entry: &Entry| {
        let view = views.get(&key(entry));
        let binding = view.and_then(|view| view.binding.as_ref());
        Row {
            key: key(entry),
            buyer: entry.buyer.clone(),
            books: expected(entry, binding.is_some()),
            worker: view.map_or_else(|| NOTHING.to_owned(), words),
            tenant: binding.map(|binding| binding.tenant.to_string()).unwrap_or_default(),
            access: view.map(|view| view.access.as_str().to_owned()).unwrap_or_default(),
        }
    };
    books.iter().map(row).collect()
}

/// Somebody who only registered stands in no books yet.
fn was_sold(view: &View) -> bool {
    view.word != Word::Registered
}

fn differ(key: &str, entry: &Entry, view: Option<&View>) -> Option<Mismatch> {
    let bound = view.is_some_and(|view| view.binding.is_some());
    let expected = expected(entry, bound);
    let worker = view.map_or_else(|| NOTHING.to_owned(), words);
    (expected != worker).then(|| Mismatch { subscription: key.to_owned(), books: expected, worker })
}

/// What the books' entry reads like in the worker's words.
fn expected(entry: &Entry, bound: bool) -> String {
    match entry.standing {
        Booked::Subscribed if bound => Word::Active.as_str().to_owned(),
        Booked::Subscribed => Word::Unclaimed.as_str().to_owned(),
        Booked::PaymentFailed => Word::Failed.as_str().to_owned(),
        Booked::Ending { deadline } => ending(Timestamp::from(deadline)),
        Booked::Ended => Word::Ended.as_str().to_owned(),
    }
}

fn words(view: &View) -> String {
    match &view.standing {
        Standing::Ending { deadline, .. } if view.word == Word::Ending => ending(*deadline),
        _ => view.word.as_str().to_owned(),
    }
}

fn ending(deadline: Timestamp) -> String {
    format!("{} until {deadline}", Word::Ending.as_str())
}

#[cfg(test)]
mod tests {
    use stallkeeper_lifecycle::{Fact, FactKind, Subscription, Terms, Trial, decide};
    use time::macros::datetime;

    use super::*;

    const NOON: time::OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    fn booked(standing: Booked) -> Entry {
        Entry {
            id: "simsearch/customer/C1".into(),
            product: "search".to_owned(),
            code: "simsearch".to_owned(),
            buyer: "aurora".to_owned(),
            account: "111122223333".to_owned(),
            customer_id: Some("C1".to_owned()),
            license_arn: None,
            agreement_id: None,
            offer_id: "offer-1".to_owned(),
            standing,
            trial: false,
            periods: Vec::new(),
        }
    }

    /// What a worker says five minutes after noon that heard this, one thing a minute from noon on.
    fn heard(kinds: impl IntoIterator<Item = FactKind>) -> Views {
        let mut subscription = Subscription::default();
        let now = Timestamp::from(NOON + time::Duration::minutes(5));
        for (kind, minute) in kinds.into_iter().zip(0_i64..) {
            let at = Timestamp::from(NOON + time::Duration::minutes(minute));
            let fact = Fact::at_time(at, format!("m-{minute}").parse().unwrap(), kind);
            decide(&mut subscription, [stallkeeper_lifecycle::Change::Fact(fact)], now, Terms::default());
        }
        [("aws/simsearch/customer/C1".to_owned(), subscription.view(now, Terms::default()))].into()
    }

    fn success() -> FactKind {
        FactKind::SubscribeSuccess { offer: None, trial: Trial::No }
    }

    #[test]
    fn agreement_is_no_mismatch() {
        assert_eq!(compare(&[booked(Booked::Subscribed)], &heard([success()])), []);
        let deadline = NOON + time::Duration::minutes(61);
        let left = heard([success(), FactKind::UnsubscribePending]);
        assert_eq!(compare(&[booked(Booked::Ending { deadline })], &left), []);
    }

    #[test]
    fn another_standing_is_named_from_both_sides() {
        let mismatches = compare(&[booked(Booked::Ended)], &heard([success()]));
        let expected = Mismatch {
            subscription: "aws/simsearch/customer/C1".to_owned(),
            books: "ended".to_owned(),
            worker: "unclaimed".to_owned(),
        };
        assert_eq!(mismatches, [expected]);
    }

    #[test]
    fn another_deadline_is_a_mismatch_too() {
        let deadline = NOON + time::Duration::minutes(62);
        let left = heard([success(), FactKind::UnsubscribePending]);
        assert_eq!(compare(&[booked(Booked::Ending { deadline })], &left).len(), 1);
    }

    #[test]
    fn what_only_one_side_knows_is_a_mismatch() {
        let missed = compare(&[booked(Booked::Subscribed)], &Views::new());
        assert_eq!(missed.first().map(|mismatch| mismatch.worker.as_str()), Some(NOTHING));
        let invented = compare(&[], &heard([success()]));
        assert_eq!(invented.first().map(|mismatch| mismatch.books.as_str()), Some(NOTHING));
    }
}
