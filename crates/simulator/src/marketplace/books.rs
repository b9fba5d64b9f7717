use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::marketplace::accounts::AccountBook;
use crate::marketplace::act::{Act, ActError};
use crate::marketplace::agenda::Agenda;
use crate::marketplace::buyer::Buyer;
use crate::marketplace::entry::{Entry, Standing};
use crate::marketplace::ids::Ids;
use crate::marketplace::license::License;
use crate::marketplace::notice::Notice;
use crate::marketplace::product::{Feed, Product};
use crate::marketplace::subscription::{Holder, Record, Subscription, whole_seconds};

const SUBSCRIPTIONS_MAX: usize = 1_000_000;

/// All that the marketplace holds of buyers, and what it has yet to say. Without clock and without I/O: every
/// moment comes from outside.
#[derive(Debug)]
pub(crate) struct Books {
    products: Vec<Arc<Product>>,
    ids: Ids,
    buyers: HashMap<String, Arc<Buyer>>,
    subscriptions: Vec<Subscription>,
    by_id: BTreeMap<Arc<str>, usize>,
    by_buyer: HashMap<String, Vec<usize>>,
    agenda: Agenda,
    pub(super) accounts: AccountBook,
}

/// What an act came to.
#[derive(Debug)]
pub(crate) struct Happened {
    pub(crate) entry: Entry,
    pub(crate) notices: Vec<Notice>,
}

/// What is to happen, and with whose purchase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) act: &'static str,
    pub(crate) buyer: &'a str,
    pub(crate) product: &'a str,
}

impl Books {
    pub(crate) fn new(products: &[Product], seed: u64) -> Self {
        Self {
            products: products.iter().cloned().map(Arc::new).collect(),
            ids: Ids::with_seed(seed),
            buyers: HashMap::new(),
            subscriptions: Vec::new(),
            by_id: BTreeMap::new(),
            by_buyer: HashMap::new(),
            agenda: Agenda::default(),
            accounts: AccountBook::default(),
        }
    }

    pub(crate) fn products(&self) -> &[Arc<Product>] {
        &self.products
    }

    /// Lets an act happen at a moment; an error leaves the books as they were. What is due by then has to be
    /// said before.
    pub(crate) fn act(
        &mut self,
        act: &Act,
        at: OffsetDateTime,
        crowd: Option<u32>,
    ) -> Result<Happened, ActError> {
        let product = self.product(act.product())?;
        act.fits(&product)?;
        check_name(act.buyer())?;
        let Some(place) = self.place(act, &product)? else {
            return self.first(act, &product, at, crowd);
        };
        let Some(subscription) = self.subscriptions.get_mut(place) else {
            return Err(nothing_bought(About::of(act)));
        };
        let notices = match act {
            Act::SuspendAccount(_) | Act::RestoreAccount(_) => {
                self.accounts.act(act, &subscription.record)?;
                Vec::new()
            }
            _ => subscription.act(act, at, &mut self.ids)?,
        };
        Ok(self.happened(place, at, notices))
    }

    /// Takes the next thing that is due by a moment; none when all of it is said.
    pub(crate) fn fall_due(&mut self, until: OffsetDateTime) -> Option<Notice> {
        while let Some(appointment) = self.agenda.take_due(until) {
            let subscription = self.subscriptions.get_mut(appointment.place)?;
            if let Some(notice) = subscription.end_hour(appointment.due, &mut self.ids) {
                return Some(notice);
            }
        }
        None
    }

    pub(crate) fn next_due(&self) -> Option<OffsetDateTime> {
        self.agenda.next_due()
    }

    /// The entries after an id, at most so many.
    pub(crate) fn entries(&self, after: Option<&str>, limit: usize, now: OffsetDateTime) -> Vec<Entry> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let places = self.by_id.range::<str, _>((after, Bound::Unbounded));
        places
            .filter_map(|(_, place)| self.subscriptions.get(*place))
            .take(limit)
            .map(|one| one.entry(now))
            .collect()
    }

    /// The entries of one buyer in the order of purchase; none where nobody of that name bought anything.
    pub(crate) fn entries_of(&self, buyer: &str, now: OffsetDateTime) -> Vec<Entry> {
        self.of_buyer(buyer).map(|(_, subscription)| subscription.entry(now)).collect()
    }

    /// A buyer's subscriptions of one product, in the order of purchase.
    pub(crate) fn purchases<'a>(
        &'a self,
        buyer: &str,
        product: &'a str,
    ) -> impl Iterator<Item = (usize, &'a Subscription)> {
        self.of_buyer(buyer).filter(move |(_, subscription)| subscription.record.product.key == product)
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<&Subscription> {
        self.by_id.get(id).and_then(|place| self.at(*place))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Subscription> {
        self.subscriptions.iter()
    }

    pub(crate) fn at(&self, place: usize) -> Option<&Subscription> {
        self.subscriptions.get(place)
    }

    pub(crate) fn of_buyer(&self, buyer: &str) -> impl Iterator<Item = (usize, &Subscription)> {
        let places = self.by_buyer.get(buyer).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|place| Some((*place, self.subscriptions.get(*place)?)))
    }

    pub(crate) fn product(&self, key: &str) -> Result<Arc<Product>, ActError> {
        let product = self.products.iter().find(|product| product.key == key);
        product.map(Arc::clone).ok_or_else(|| {
            let known: Vec<&str> = self.products.iter().map(|product| product.key.as_str()).collect();
            ActError::UnknownProduct { product: key.to_owned(), known: known.join(", ") }
        })
    }

    /// Which subscription an act is about; none where it makes a new one.
    fn place(&self, act: &Act, product: &Product) -> Result<Option<usize>, ActError> {
        let purchases: Vec<(usize, &Subscription)> = self.purchases(act.buyer(), &product.key).collect();
        if let Some(id) = act.subscription() {
            return Self::find(id, act.buyer(), product, &purchases).map(Some);
        }
        match (product.feed, act) {
            // Whichever of the account's purchases.
            (_, Act::SuspendAccount(_) | Act::RestoreAccount(_)) => {
                purchases.first().map(|(place, _)| Some(*place)).ok_or_else(|| nothing_bought(About::of(act)))
            }
            (Feed::EventBridge, Act::Subscribe(_)) => Ok(None),
            (Feed::EventBridge, _) => only_current(About::of(act), &purchases).map(Some),
            (Feed::Sns, Act::Subscribe(_) | Act::FailPayment(_)) => {
                Ok(purchases.first().map(|(place, _)| *place))
            }
            (Feed::Sns, _) => match purchases.first() {
                Some((place, _)) => Ok(Some(*place)),
                None => Err(nothing_bought(About::of(act))),
            },
        }
    }

    /// The place of one of these purchases, by its id.
    pub(crate) fn find(
        id: &str,
        buyer: &str,
        product: &Product,
        purchases: &[(usize, &Subscription)],
    ) -> Result<usize, ActError> {
        let named = purchases.iter().find(|(_, subscription)| &*subscription.record.id == id);
        named.map(|(place, _)| *place).ok_or_else(|| ActError::UnknownSubscription {
            buyer: buyer.to_owned(),
            product: product.key.clone(),
            subscription: id.to_owned(),
            known: ids_of(purchases),
        })
    }

    /// An act that makes a subscription.
    fn first(
        &mut self,
        act: &Act,
        product: &Arc<Product>,
        at: OffsetDateTime,
        crowd: Option<u32>,
    ) -> Result<Happened, ActError> {
        if self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return Err(ActError::Full { max: SUBSCRIPTIONS_MAX });
        }
        let mut subscription = self.blank(act.buyer(), product, at, crowd);
        let notices = subscription.act(act, at, &mut self.ids)?;
        let place = self.subscriptions.len();
        self.by_id.insert(Arc::clone(&subscription.record.id), place);
        self.by_buyer.entry(act.buyer().to_owned()).or_default().push(place);
        self.accounts.note(&subscription, place);
        self.subscriptions.push(subscription);
        Ok(self.happened(place, at, notices))
    }

    /// A buyer of that name; whoever is new becomes known.
    pub(crate) fn buyer(&mut self, name: &str) -> Arc<Buyer> {
        let buyers = self.buyers.entry(name.to_owned());
        Arc::clone(buyers.or_insert_with_key(|name| Arc::new(Buyer::new(name, &mut self.ids))))
    }

    fn blank(
        &mut self,
        buyer: &str,
        product: &Arc<Product>,
        at: OffsetDateTime,
        crowd: Option<u32>,
    ) -> Subscription {
        let buyer = self.buyer(buyer);
        let (id, holder) = match product.feed {
            Feed::Sns => (format!("{}/customer/{}", product.code, buyer.customer_id), Holder::Customer),
            Feed::EventBridge => {
                let license = License::draw(product.pricing, whole_seconds(at), &mut self.ids);
                (format!("{}/license/{}", product.code, license.id), Holder::License(license))
            }
        };
        Subscription { record: Record::blank(&id, product, &buyer, crowd), holder }
    }

    fn happened(&mut self, place: usize, at: OffsetDateTime, notices: Vec<Notice>) -> Happened {
        #[expect(
            clippy::indexing_slicing,
            reason = "whoever calls found or put a subscription at this place"
        )]
        let subscription = &self.subscriptions[place];
        // An appointment for an hour that is on the agenda already is void by then.
        if let Standing::Ending { deadline } = subscription.record.standing {
            self.agenda.add(deadline, place);
        }
        Happened { entry: subscription.entry(at), notices }
    }
}

impl<'a> About<'a> {
    fn of(act: &'a Act) -> Self {
        Self { act: act.name(), buyer: act.buyer(), product: act.product() }
    }
}

/// A buyer's only license in force.
pub(crate) fn only_current(
    about: About<'_>,
    purchases: &[(usize, &Subscription)],
) -> Result<usize, ActError> {
    let current: Vec<(usize, &Subscription)> = purchases
        .iter()
        .filter(|(_, subscription)| subscription.record.standing == Standing::Subscribed)
        .copied()
        .collect();
    match (current.as_slice(), purchases) {
        ([(place, _)], _) | ([], [(place, _)]) => Ok(*place),
        ([], []) => Err(nothing_bought(about)),
        (_, _) => Err(ActError::SeveralLicenses {
            buyer: about.buyer.to_owned(),
            product: about.product.to_owned(),
            known: ids_of(if current.is_empty() { purchases } else { &current }),
        }),
    }
}

pub(crate) fn nothing_bought(about: About<'_>) -> ActError {
    let About { act, buyer, product } = about;
    ActError::NothingBought { buyer: buyer.to_owned(), product: product.to_owned(), act }
}

fn ids_of(purchases: &[(usize, &Subscription)]) -> String {
    let ids: Vec<&str> = purchases.iter().map(|(_, subscription)| &*subscription.record.id).collect();
    ids.join(", ")
}

pub(crate) fn check_name(name: &str) -> Result<(), ActError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if (1..=64).contains(&name.len()) && name.chars().all(plain) { Ok(()) } else { Err(ActError::BadName) }
}
