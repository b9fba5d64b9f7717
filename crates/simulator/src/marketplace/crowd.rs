use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::marketplace::act::{Act, Purchase, Whose};
use crate::marketplace::books::Books;
use crate::marketplace::entry::Standing;
use crate::marketplace::product::{Feed, Pricing, Product};
use crate::marketplace::subscription::{Holder, LAST_HOUR, Record, Subscription};

/// How many notifications there are about one buyer, so that subscriptions have histories.
const NOTIFICATIONS_PER_BUYER: u64 = 8;
/// How many licenses of one product a buyer holds at most at a time.
const LICENSES_MAX: usize = 3;
/// How often somebody is asked before a newcomer comes instead.
const TRIES: usize = 16;
/// How many events of a license there are at most where the clock is not moved: each is a second after the
/// last, and they must not run ahead of the clock.
const EVENTS_AT_ONCE_MAX: u32 = 6;

/// A crowd that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CrowdPlan {
    /// How many notifications its acts make in all; 1 to 1,000,000.
    pub notifications: u64,
    /// The seed of its chance: the same seed in a fresh simulator makes the same acts.
    #[serde(default)]
    pub seed: u64,
    /// How many notifications are published in a second at most; as fast as it goes where it is left out.
    #[serde(default)]
    pub rate_per_sec: Option<f64>,
    /// How much of the marketplace's time the whole crowd spans, in seconds, below ten days: the clock is moved
    /// along evenly. Where it is left out the crowd does not move the clock.
    #[serde(default)]
    pub span_secs: Option<u64>,
}

/// How far a crowd has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CrowdProgress {
    /// How many notifications it is to make.
    pub planned: u64,
    /// How many were published.
    pub published: u64,
    /// Whether it is over.
    pub done: bool,
}

/// A crowd does not come.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CrowdError {
    /// One runs: wait until it is done.
    #[error("a crowd is running ({published} of {planned} notifications); wait until it is done")]
    Running {
        /// How many it makes.
        planned: u64,
        /// How many it made.
        published: u64,
    },
    /// A number out of its bounds: take another one.
    #[error("{0}")]
    BadPlan(&'static str),
}

impl CrowdPlan {
    /// A crowd as fast as it goes, without moving the clock.
    pub fn new(notifications: u64, seed: u64) -> Self {
        Self { notifications, seed, rate_per_sec: None, span_secs: None }
    }

    pub(crate) fn check(&self, products: &[Arc<Product>]) -> Result<(), CrowdError> {
        if !(1..=1_000_000).contains(&self.notifications) {
            return Err(CrowdError::BadPlan("`notifications` is 1 to 1000000"));
        }
        if self.rate_per_sec.is_some_and(|rate| !(rate.is_finite() && rate >= 0.1)) {
            return Err(CrowdError::BadPlan("`rate_per_sec` is at least 0.1"));
        }
        if self.span_secs.is_some_and(|span| !(1..864_000).contains(&span)) {
            return Err(CrowdError::BadPlan("`span_secs` is 1 to 863999: below ten days"));
        }
        if products.is_empty() {
            return Err(CrowdError::BadPlan("there is no product to buy; start the simulator with one"));
        }
        if self.notifications == 1 && products.iter().all(|product| product.feed == Feed::EventBridge) {
            return Err(CrowdError::BadPlan(
                "`notifications` is at least 2, as every purchase of these products makes two events",
            ));
        }
        Ok(())
    }
}

/// The moment that a crowd decides at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Present {
    pub(crate) at: OffsetDateTime,
    /// Until when the clock is moved; none where it is not moved.
    pub(crate) until: Option<OffsetDateTime>,
    /// How many more notifications there may be, beside those that will be made by hours that end.
    pub(crate) budget: u64,
    pub(crate) published: u64,
}

/// Random buyers. What they do follows from the seed and the books alone.
#[derive(Debug)]
pub(crate) struct Crowd {
    chance: fastrand::Rng,
    run: u32,
    buyers: u64,
    /// The key of what the latest newcomer bought.
    bought_last: String,
    products: Vec<Arc<Product>>,
}

/// An act that somebody may choose.
struct Choice {
    weight: u32,
    act: Act,
    /// How many notifications it makes before the crowd ends, now and by an hour that ends.
    cost: u64,
}

impl Crowd {
    pub(crate) fn new(seed: u64, run: u32, products: &[Arc<Product>]) -> Self {
        Self {
            chance: fastrand::Rng::with_seed(seed),
            run,
            buyers: 0,
            bought_last: String::new(),
            products: products.to_vec(),
        }
    }

    /// What happens next.
    pub(crate) fn next(&mut self, books: &Books, present: &Present) -> Act {
        let hears_of_customers = self.products.iter().any(|product| product.feed == Feed::Sns);
        match present.budget {
            // With licenses alone a single notification can be left over: only a newcomer has room for it.
            1 if !hears_of_customers => self.warn_of_newcomer(),
            2 | 3 if !hears_of_customers => self.newcomer(present),
            _ if self.buyers * NOTIFICATIONS_PER_BUYER <= present.published => self.newcomer(present),
            _ => {
                let leaves_one = |choice: &Choice| !hears_of_customers && present.budget == choice.cost + 1;
                for _ in 0..TRIES {
                    let mut choices = self.choices(books, present);
                    choices.retain(|choice| choice.cost <= present.budget && !leaves_one(choice));
                    if let Some(act) = self.choose(choices) {
                        return act;
                    }
                }
                self.newcomer(present)
            }
        }
    }

    fn newcomer(&mut self, present: &Present) -> Act {
        self.buyers += 1;
        let buyer = self.name(self.buyers);
        let affordable: Vec<Arc<Product>> = self
            .products
            .iter()
            .filter(|product| cost_of_purchase(product) <= present.budget)
            .map(Arc::clone)
            .collect();
        let Some(product) = self.pick(&affordable) else { return self.last_word(&buyer) };
        self.bought_last.clone_from(&product.key);
        match product.feed {
            Feed::Sns if self.chance.u32(..8) == 0 => Act::FailPayment(Whose::only(&buyer, &product.key)),
            _ => self.subscribe(&buyer, product),
        }
    }

    /// What makes a single notification, where no purchase does.
    fn last_word(&self, buyer: &str) -> Act {
        let of_customers = self.products.iter().find(|product| product.feed == Feed::Sns);
        match of_customers {
            Some(product) => Act::FailPayment(Whose::only(buyer, &product.key)),
            None => self.warn_of_newcomer(),
        }
    }

    /// The latest newcomer has a single license of the product that was bought last.
    fn warn_of_newcomer(&self) -> Act {
        Act::IssueAdvisory(Whose::only(&self.name(self.buyers), &self.bought_last))
    }

    /// What a random buyer may do with a random product.
    fn choices(&mut self, books: &Books, present: &Present) -> Vec<Choice> {
        let buyer = self.chance.u64(1..=self.buyers);
        let buyer = self.name(buyer);
        let products = self.products.clone();
        let Some(product) = self.pick(&products) else { return Vec::new() };
        let purchases: Vec<&Subscription> =
            books.purchases(&buyer, &product.key).map(|(_, purchase)| purchase).collect();
        match product.feed {
            Feed::Sns => {
                let record = purchases.first().map(|purchase| &purchase.record);
                self.choices_of_customer(&buyer, product, record, present)
            }
            Feed::EventBridge => self.choices_of_licenses(&buyer, product, &purchases, present),
        }
    }

    fn choices_of_customer(
        &mut self,
        buyer: &str,
        product: &Product,
        record: Option<&Record>,
        present: &Present,
    ) -> Vec<Choice> {
        let whose = || Whose::only(buyer, &product.key);
        let subscribe = self.subscribe(buyer, product);
        let cost_of_purchase = cost_of_purchase(product);
        match record.map(|record| record.standing.at(present.at)) {
            None | Some(Standing::PaymentFailed | Standing::Ended) => {
                vec![
                    Choice::new(4, subscribe, cost_of_purchase),
                    Choice::new(1, Act::FailPayment(whose()), 1),
                ]
            }
            Some(Standing::Subscribed) => {
                let cost = 1 + u64::from(present.sees(present.at + LAST_HOUR));
                let mut choices = vec![
                    Choice::new(4, Act::Unsubscribe(whose()), cost),
                    Choice::new(3, Act::Amend(whose()), 1),
                ];
                if product.pricing == Pricing::Contract {
                    choices.push(Choice::new(3, Act::ChangeEntitlements(whose().into()), 1));
                }
                choices
            }
            // Half of them let the hour end.
            Some(Standing::Ending { deadline }) if self.chance.bool() => {
                vec![Choice::new(1, subscribe, cost_of_purchase - u64::from(present.sees(deadline)))]
            }
            Some(Standing::Ending { .. }) => Vec::new(),
        }
    }

    fn choices_of_licenses(
        &mut self,
        buyer: &str,
        product: &Product,
        purchases: &[&Subscription],
        present: &Present,
    ) -> Vec<Choice> {
        let current: Vec<&Subscription> = purchases
            .iter()
            .copied()
            .filter(|purchase| purchase.record.standing == Standing::Subscribed)
            .collect();
        let mut choices = Vec::new();
        if current.len() < LICENSES_MAX {
            choices.push(Choice::new(2, self.subscribe(buyer, product), cost_of_purchase(product)));
        }
        let Some(one) = self.pick(&current).copied() else { return choices };
        let whose = || Whose::only(buyer, &product.key).with_subscription(&one.record.id);
        let warned = matches!(&one.holder, Holder::License(license) if license.is_warned_of());
        let advisory = if warned { Act::ResolveAdvisory(whose()) } else { Act::IssueAdvisory(whose()) };
        let leaving = 1 + u64::from(present.sees(present.at + LAST_HOUR));
        for (weight, act, events, cost) in [
            (4, Act::Amend(whose()), 2, 2),
            (2, Act::Renew(whose()), 3, 3),
            (4, Act::Unsubscribe(whose()), 1, leaving),
            (2, advisory, 1, 1),
        ] {
            if present.has_room(&one.record, events) {
                choices.push(Choice::new(weight, act, cost));
            }
        }
        choices
    }

    fn subscribe(&mut self, buyer: &str, product: &Product) -> Act {
        let trial = product.feed == Feed::Sns && self.chance.u32(..4) == 0;
        Act::Subscribe(Purchase { buyer: buyer.to_owned(), product: product.key.clone(), trial })
    }

    /// One of them, in proportion to their weights.
    fn choose(&mut self, choices: Vec<Choice>) -> Option<Act> {
        let total: u32 = choices.iter().map(|choice| choice.weight).sum();
        if total == 0 {
            return None;
        }
        let mut ticket = self.chance.u32(..total);
        for choice in choices {
            match ticket.checked_sub(choice.weight) {
                None => return Some(choice.act),
                Some(rest) => ticket = rest,
            }
        }
        None
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { all.get(self.chance.usize(..all.len())) }
    }

    fn name(&self, number: u64) -> String {
        format!("crowd{}-{number:06}", self.run)
    }
}

/// How many notifications a purchase makes.
fn cost_of_purchase(product: &Product) -> u64 {
    match (product.feed, product.pricing) {
        // The agreement's and the license's; or what a contract entitles to, which is said beside.
        (Feed::EventBridge, _) | (Feed::Sns, Pricing::Contract) => 2,
        (Feed::Sns, _) => 1,
    }
}

impl Choice {
    fn new(weight: u32, act: Act, cost: u64) -> Self {
        Self { weight, act, cost }
    }
}

impl Present {
    /// Whether the crowd moves the clock to that moment.
    fn sees(&self, moment: OffsetDateTime) -> bool {
        // A license's hour begins at a whole second, which may be the one before.
        self.until.is_some_and(|until| moment <= until + time::Duration::SECOND)
    }

    /// Whether so many events of a license can be told without running ahead of the clock.
    fn has_room(&self, record: &Record, events: u32) -> bool {
        match self.until {
            None => record.said_count + events <= EVENTS_AT_ONCE_MAX,
            Some(_) => i32::try_from(events).is_ok_and(|count| record.next_moment(self.at, count).is_ok()),
        }
    }
}
