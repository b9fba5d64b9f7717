use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use stallkeeper_lifecycle::{Access, Timestamp, Trial, Word};
use stallkeeper_persistence::GrantId;

use crate::amount::{Adding, Amount};
use crate::catalog::ProductNumber;
use crate::entry::Entry;
use crate::grants::Granted;
use crate::index::{Index, Listing};

/// How many subscriptions an answer names at the most.
pub const RESTS_ON_MAX: usize = 100;

/// What is asked: may this tenant, or this user of it, use that product?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask<'a> {
    /// The seller's tenant.
    pub tenant: &'a str,
    /// One of its users; the tenant as a whole where there is none.
    pub user: Option<&'a str>,
    /// The seller's own key of the product.
    pub product: &'a str,
}

/// Who may use what, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What may be done.
    pub access: Access,
    /// Why.
    pub reason: Reason,
    /// What the marketplace's answers grant, in the order of names; nothing without access.
    pub dimensions: Vec<Dimension>,
    /// The plan of the subscription that decides.
    pub plan: Option<String>,
    /// Whether a free trial is part of it; none where no subscription decides.
    pub trial: Option<Trial>,
    /// Until when it holds at least: the marketplace's date, or the end of the grant that decides.
    pub expires_at: Option<Timestamp>,
    /// Where to buy it, where that would help.
    pub subscribe_url: Option<Arc<str>>,
    /// When access ends, where the buyer leaves.
    pub ending: Option<Timestamp>,
    /// The subscriptions that it rests on, in the order of their keys, at most [`RESTS_ON_MAX`].
    pub subscriptions: Vec<RestsOn>,
    /// The grants that it rests on, in the order of their ids.
    pub grants: Vec<GrantId>,
}

/// Why access is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Subscribed.
    Active,
    /// The buyer leaves; the final-usage window is open.
    Ending,
    /// The seller gave access, outside any marketplace.
    Granted,
    /// Registered, and the marketplace has not confirmed yet what was bought.
    Pending,
    /// The payment failed.
    PaymentFailed,
    /// Frozen, reversibly.
    Suspended,
    /// Over.
    Ended,
    /// The tenant came through a marketplace, or has a grant, but has not bought this product.
    NotSubscribed,
    /// The tenant never came through a marketplace and has no grant: a customer of the seller's own.
    NotManaged,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Active,
        Self::Ending,
        Self::Granted,
        Self::Pending,
        Self::PaymentFailed,
        Self::Suspended,
        Self::Ended,
        Self::NotSubscribed,
        Self::NotManaged,
    ];

    /// The word as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Ending => "ending",
            Self::Granted => "granted",
            Self::Pending => "pending",
            Self::PaymentFailed => "payment_failed",
            Self::Suspended => "suspended",
            Self::Ended => "ended",
            Self::NotSubscribed => "not_subscribed",
            Self::NotManaged => "not_managed",
        }
    }

    /// Whether buying the product is what the buyer can do about it.
    fn is_mended_by_buying(self) -> bool {
        matches!(self, Self::PaymentFailed | Self::Ended | Self::NotSubscribed | Self::NotManaged)
    }

    /// The reason that a subscription gives.
    fn of(word: Word) -> Self {
        match word {
            Word::Active | Word::Unknown | Word::Registered | Word::Unclaimed => Self::Pending,
            Word::Ending => Self::Ending,
            Word::Failed => Self::PaymentFailed,
            Word::Suspended => Self::Suspended,
            Word::Ended => Self::Ended,
        }
    }
}

/// One dimension that a tenant is entitled to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// The seller's name of it; the marketplace's where the configuration has none.
    pub name: String,
    /// How many.
    pub amount: Amount,
    /// The earliest date until which a part of it holds at least.
    pub expires_at: Option<Timestamp>,
}

/// A subscription that an answer rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestsOn {
    /// `marketplace/product/kind/id`
    pub key: String,
    /// Where it stands.
    pub word: Word,
    /// What it gives.
    pub access: Access,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The configuration has no such product.
    #[error("no product is called {0:?}")]
    UnknownProduct(String),
    /// A subscription of the tenant cannot be read, so that any answer could be wrong.
    #[error("the subscription {0} cannot be read by this version of the worker")]
    Unreadable(String),
}

/// A subscription of the product that is for who is asked about, as it looks now.
struct Candidate<'a> {
    entry: &'a Entry,
    listing: &'a Listing,
    word: Word,
    access: Access,
}

impl Candidate<'_> {
    fn reason(&self) -> Reason {
        match (self.word, self.access) {
            (Word::Active, Access::Full | Access::Limited) => Reason::Active,
            (word, _) => Reason::of(word),
        }
    }

    /// Of two with the same access, the one that tells the buyer more decides.
    fn rank(&self) -> (Access, Reverse<u8>) {
        let rank = match self.reason() {
            Reason::Active => 0,
            Reason::Ending => 1,
            Reason::Pending => 2,
            Reason::PaymentFailed => 3,
            Reason::Suspended => 4,
            Reason::Ended | Reason::Granted | Reason::NotSubscribed | Reason::NotManaged => 5,
        };
        (self.access, Reverse(rank))
    }

    fn key(&self) -> String {
        let (kind, id) = self.entry.holder();
        format!("{}/{}/{kind}/{id}", self.listing.marketplace, self.listing.code)
    }
}

impl Index {
    /// May this tenant, or user, use that product at `now`?
    ///
    /// # Errors
    /// An unknown product, and a tenant of whom something cannot be read.
    pub fn answer(&self, ask: &Ask<'_>, now: Timestamp) -> Result<Answer, Refused> {
        let number = self.catalog().number(ask.product);
        let product = number.ok_or_else(|| Refused::UnknownProduct(ask.product.to_owned()))?;
        if let Some(key) = self.unreadable_of(ask.tenant) {
            return Err(Refused::Unreadable(key.to_owned()));
        }
        let candidates = self.candidates(ask, product, now);
        let grants = self.grants_of(ask.tenant);
        let grants: Vec<&Granted> = grants.iter().filter(|grant| grant.is_about(product, ask.user)).collect();
        // Of several that decide, the first in the order of keys.
        let best = candidates.iter().rev().max_by_key(|candidate| candidate.rank());
        let holding = || grants.iter().filter(|grant| grant.holds_at(now));
        let is_granted = holding().next().is_some();
        let mut answer = match best {
            Some(best) if best.access == Access::Full || !is_granted => of_subscription(best),
            _ if is_granted => of_grants(holding()),
            _ => none(self.why_not(ask.tenant, !grants.is_empty())),
        };
        answer.grants = holding().map(|grant| grant.id.clone()).collect();
        answer.dimensions = dimensions(&candidates);
        if answer.reason != Reason::Granted && answer.expires_at.is_none() {
            answer.expires_at = answer.dimensions.iter().filter_map(|one| one.expires_at).min();
        }
        if answer.access == Access::None && answer.reason.is_mended_by_buying() {
            answer.subscribe_url = self.subscribe_url(ask.tenant, product);
        }
        let rests_on = |candidate: &Candidate<'_>| RestsOn {
            key: candidate.key(),
            word: candidate.word,
            access: candidate.access,
        };
        answer.subscriptions = candidates.iter().take(RESTS_ON_MAX).map(rests_on).collect();
        Ok(answer)
    }

    /// The product's subscriptions, in the order of their keys.
    fn candidates<'index>(
        &'index self,
        ask: &Ask<'_>,
        product: ProductNumber,
        now: Timestamp,
    ) -> Vec<Candidate<'index>> {
        let of = |entry: &'index Entry| {
            let listing = self.listing(entry.listing)?;
            let look = entry.look(now);
            Some(Candidate { entry, listing, word: look.word, access: look.access })
        };
        let is_asked_for = |candidate: &Candidate<'_>| {
            candidate.listing.product == Some(product) && candidate.entry.is_for(ask.user)
        };
        let mut candidates: Vec<Candidate<'_>> =
            self.entries_of(ask.tenant).filter_map(of).filter(is_asked_for).collect();
        if candidates.len() > 1 {
            candidates.sort_by_cached_key(Candidate::key);
        }
        candidates
    }

    /// Why a tenant without any subscription of the product, and without a grant that holds, may not use it.
    fn why_not(&self, tenant: &str, had_grant: bool) -> Reason {
        if had_grant {
            return Reason::Ended;
        }
        let is_managed = self.entries_of(tenant).next().is_some()
            || !self.grants_of(tenant).is_empty()
            || self.formers().has(tenant);
        if is_managed { Reason::NotSubscribed } else { Reason::NotManaged }
    }

    /// On a marketplace where the tenant bought something before, if the product is listed there.
    fn subscribe_url(&self, tenant: &str, product: ProductNumber) -> Option<Arc<str>> {
        let listing = |entry: &Entry| self.listing(entry.listing);
        let buys_at = |marketplace: &_| {
            let mut listings = self.entries_of(tenant).filter_map(listing);
            listings.any(|listing| listing.marketplace == *marketplace)
        };
        self.catalog().subscribe_url(product, buys_at)
    }
}

fn none(reason: Reason) -> Answer {
    Answer {
        access: Access::None,
        reason,
        dimensions: Vec::new(),
        plan: None,
        trial: None,
        expires_at: None,
        subscribe_url: None,
        ending: None,
        subscriptions: Vec::new(),
        grants: Vec::new(),
    }
}

fn of_subscription(best: &Candidate<'_>) -> Answer {
    let more = best.entry.more();
    let reason = best.reason();
    Answer {
        access: best.access,
        plan: more.and_then(|more| more.plan.as_deref()).map(str::to_owned),
        trial: Some(best.entry.trial()),
        expires_at: more.and_then(|more| more.expires_at),
        ending: if reason == Reason::Ending { best.entry.deadline() } else { None },
        ..none(reason)
    }
}

/// The grant that holds longest decides.
fn of_grants<'a>(holding: impl Iterator<Item = &'a &'a Granted>) -> Answer {
    let ends = holding.map(|grant| grant.until);
    // Without an end it holds longest of all.
    let longest = ends.max_by_key(|until| until.map_or((1, None), |until| (0, Some(until)))).flatten();
    Answer { access: Access::Full, expires_at: longest, ..none(Reason::Granted) }
}

/// What the licenses with the best access come to, where any has access.
fn dimensions(candidates: &[Candidate<'_>]) -> Vec<Dimension> {
    let Some(best) = candidates.iter().map(|candidate| candidate.access).max() else { return Vec::new() };
    if best == Access::None {
        return Vec::new();
    }
    let mut sums: BTreeMap<String, (Adding, Option<Timestamp>)> = BTreeMap::new();
    for candidate in candidates.iter().filter(|candidate| candidate.access == best) {
        let granted = candidate.entry.more().map(|more| more.dimensions.iter()).into_iter().flatten();
        for granted in granted {
            let configured = candidate.listing.configured.as_ref();
            let name = configured.and_then(|listing| listing.dimensions.get(&*granted.api_name));
            let name = name.map_or_else(|| granted.api_name.to_string(), ToString::to_string);
            match sums.get_mut(&name) {
                None => {
                    sums.insert(name, (Adding::first(&granted.value), granted.expires_at));
                }
                Some((adding, expires_at)) => {
                    adding.add(&granted.value);
                    *expires_at = [*expires_at, granted.expires_at].into_iter().flatten().min();
                }
            }
        }
    }
    let dimension = |(name, (adding, expires_at)): (_, (Adding, _))| Dimension {
        name,
        amount: adding.amount(),
        expires_at,
    };
    sums.into_iter().map(dimension).collect()
}
