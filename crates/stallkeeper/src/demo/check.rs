//! Holds what the worker says against what the marketplace's books say, and what was registered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use stallkeeper_lifecycle::{Standing, SubscriptionKey, Timestamp, View, Word};
use stallkeeper_simulator::{Entry, Standing as Booked};

use super::configuration::MARKETPLACE;

/// What the worker says of every subscription that it knows.
pub type Views = BTreeMap<String, View>;

/// Which tenant each subscription was registered for.
pub type Registrations = BTreeMap<String, String>;

/// A subscription about which the worker and the books are not of one mind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mismatch {
    /// The subscription.
    pub subscription: String,
    /// What the books say.
    pub books: String,
    /// What the worker says.
    pub worker: String,
}

/// How a subscription stands, as far as both sides can tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The word for it; none where nothing is known.
    pub word: Option<&'static str>,
    /// What the tenant may do.
    pub access: &'static str,
    /// Whom it belongs to.
    pub tenant: Option<String>,
    /// When the final-usage window closes, where it is open.
    pub deadline: Option<Timestamp>,
    /// When the period in force began.
    pub since: Option<Timestamp>,
    /// The newest offer of the period in force.
    pub offer: Option<String>,
}

/// Every subscription on which the two differ, also where only one of them knows it.
pub fn compare(books: &[Entry], registrations: &Registrations, views: &Views) -> Vec<Mismatch> {
    let books: BTreeMap<String, &Entry> = books.iter().map(|entry| (key(entry), entry)).collect();
    let keys: BTreeSet<&String> = books.keys().chain(registrations.keys()).chain(views.keys()).collect();
    let differ = keys.into_iter().filter_map(|key| {
        let expected = expected(books.get(key).copied(), registrations.get(key));
        let said = said(views.get(key));
        (expected != said).then(|| Mismatch {
            subscription: key.clone(),
            books: expected.to_string(),
            worker: said.to_string(),
        })
    });
    differ.collect()
}

/// How the worker names what the books list.
pub fn key(entry: &Entry) -> String {
    format!("{MARKETPLACE}/{}", entry.id)
}

/// The same as a key.
///
/// # Errors
/// When the books name it in a way that is none.
pub(super) fn subscription_key(entry: &Entry) -> anyhow::Result<SubscriptionKey> {
    Ok(key(entry).parse()?)
}

/// What the worker should say: the marketplace's standing, and whether somebody registered.
pub fn expected(entry: Option<&Entry>, tenant: Option<&String>) -> Account {
    let Some(entry) = entry else {
        let (word, access) = tenant.map_or((None, ""), |_| (Some("registered"), "none"));
        return Account { word, access, tenant: tenant.cloned(), ..Account::default() };
    };
    let (word, access, deadline) = match (entry.standing, tenant) {
        (Booked::Subscribed, Some(_)) => ("active", "full", None),
        (Booked::Subscribed, None) => ("unclaimed", "none", None),
        (Booked::PaymentFailed, _) => ("failed", "none", None),
        (Booked::Ending { deadline }, _) => ("ending", "limited", Some(deadline)),
        (Booked::Ended, _) => ("ended", "none", None),
    };
    let in_force = matches!(entry.standing, Booked::Subscribed | Booked::Ending { .. });
    let period = entry.periods.last().filter(|_| in_force);
    Account {
        word: Some(word),
        access,
        tenant: tenant.cloned(),
        deadline: deadline.map(Timestamp::from),
        since: period.map(|period| Timestamp::from(period.from)),
        offer: period.map(|_| bare_offer(&entry.offer_id)),
    }
}

/// What the worker says.
pub fn said(view: Option<&View>) -> Account {
    let Some(view) = view else { return Account::default() };
    let deadline = match &view.standing {
        Standing::Ending { deadline, .. } if view.word == Word::Ending => Some(*deadline),
        _ => None,
    };
    let in_force = matches!(view.word, Word::Active | Word::Unclaimed | Word::Ending);
    let period = view.standing.period().filter(|_| in_force);
    Account {
        word: Some(view.word.as_str()),
        access: view.access.as_str(),
        tenant: view.binding.as_ref().map(|binding| binding.tenant.to_string()),
        deadline,
        since: period.and_then(|period| period.started_at),
        offer: period.and_then(|period| period.offer.as_ref()).map(|offer| bare_offer(offer.as_str())),
    }
}

/// Events name offers without `offer-` in front, topics with it.
fn bare_offer(offer: &str) -> String {
    offer.strip_prefix("offer-").unwrap_or(offer).to_owned()
}

impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(word) = self.word else { return formatter.write_str("nothing") };
        formatter.write_str(word)?;
        if let Some(deadline) = self.deadline {
            write!(formatter, " until {deadline}")?;
        }
        write!(formatter, " ({} access", self.access)?;
        if let Some(tenant) = &self.tenant {
            write!(formatter, ", tenant {tenant}")?;
        }
        if let Some(since) = self.since {
            write!(formatter, ", since {since}")?;
        }
        if let Some(offer) = &self.offer {
            write!(formatter, ", offer {offer}")?;
        }
        formatter.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use stallkeeper_lifecycle::{Binding, Change, Fact, FactKind, Subscription, Terms, Trial, decide};
    use stallkeeper_simulator::Period;
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
            periods: vec![Period { from: NOON, to: None }],
        }
    }

    /// What a worker says five minutes after noon that heard this, one thing a minute from noon on.
    fn heard(kinds: impl IntoIterator<Item = FactKind>) -> Views {
        let mut subscription = Subscription::default();
        let now = Timestamp::from(NOON + time::Duration::minutes(5));
        for (kind, minute) in kinds.into_iter().zip(0_i64..) {
            let at = Timestamp::from(NOON + time::Duration::minutes(minute));
            let fact = Fact::at_time(at, format!("m-{minute}").parse().unwrap(), kind);
            decide(&mut subscription, [Change::Fact(fact)], now, Terms::default());
        }
        [("aws/simsearch/customer/C1".to_owned(), subscription.view(now, Terms::default()))].into()
    }

    fn success() -> FactKind {
        FactKind::SubscribeSuccess { offer: Some("offer-1".parse().unwrap()), trial: Trial::No }
    }

    /// The same of somebody whom the worker has bound.
    fn bound(views: Views) -> Views {
        let bind = |mut view: View| {
            view.binding = Some(Binding { tenant: "acme".parse().unwrap(), user: None });
            view.word = Word::Active;
            view.access = stallkeeper_lifecycle::Access::Full;
            view
        };
        views.into_iter().map(|(key, view)| (key, bind(view))).collect()
    }

    fn registered() -> Registrations {
        [("aws/simsearch/customer/C1".to_owned(), "acme".to_owned())].into()
    }

    fn nobody() -> Registrations {
        Registrations::new()
    }

    #[test]
    fn agreement_is_no_mismatch() {
        assert_eq!(compare(&[booked(Booked::Subscribed)], &nobody(), &heard([success()])), []);
        assert_eq!(compare(&[booked(Booked::Subscribed)], &registered(), &bound(heard([success()]))), []);
        let deadline = NOON + time::Duration::minutes(61);
        let left = heard([success(), FactKind::UnsubscribePending]);
        assert_eq!(compare(&[booked(Booked::Ending { deadline })], &nobody(), &left), []);
    }

    #[test]
    fn another_standing_is_named_from_both_sides() {
        let mismatches = compare(&[booked(Booked::Ended)], &nobody(), &heard([success()]));
        let expected = Mismatch {
            subscription: "aws/simsearch/customer/C1".to_owned(),
            books: "ended (none access)".to_owned(),
            worker: "unclaimed (none access, since 2026-03-01T12:00:00Z, offer 1)".to_owned(),
        };
        assert_eq!(mismatches, [expected]);
    }

    #[test]
    fn a_registration_that_the_worker_lost_is_a_mismatch() {
        let lost = compare(&[booked(Booked::Subscribed)], &registered(), &heard([success()]));
        assert_eq!(lost.len(), 1, "{lost:?}");
        assert_eq!(compare(&[], &registered(), &Views::new()).len(), 1, "before the marketplace spoke");
        let invented = compare(&[booked(Booked::Subscribed)], &nobody(), &bound(heard([success()])));
        assert_eq!(invented.len(), 1, "{invented:?}");
    }

    #[test]
    fn another_deadline_is_a_mismatch_too() {
        let deadline = NOON + time::Duration::minutes(62);
        let left = heard([success(), FactKind::UnsubscribePending]);
        assert_eq!(compare(&[booked(Booked::Ending { deadline })], &nobody(), &left).len(), 1);
    }

    #[test]
    fn another_beginning_and_another_offer_are_mismatches_too() {
        let mut later = booked(Booked::Subscribed);
        later.periods.push(Period { from: NOON + time::Duration::MINUTE, to: None });
        assert_eq!(compare(&[later], &nobody(), &heard([success()])).len(), 1);
        let mut amended = booked(Booked::Subscribed);
        "offer-2".clone_into(&mut amended.offer_id);
        assert_eq!(compare(&[amended], &nobody(), &heard([success()])).len(), 1);
    }

    #[test]
    fn what_only_one_side_knows_is_a_mismatch() {
        let missed = compare(&[booked(Booked::Subscribed)], &nobody(), &Views::new());
        assert_eq!(missed.first().map(|mismatch| mismatch.worker.as_str()), Some("nothing"));
        let invented = compare(&[], &nobody(), &heard([success()]));
        assert_eq!(invented.first().map(|mismatch| mismatch.books.as_str()), Some("nothing"));
    }
}
