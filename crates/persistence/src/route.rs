use std::collections::{BTreeMap, BTreeSet};

use stallkeeper_lifecycle::{Change, EventId, Fact, SubscriptionKey};

use crate::{Act, Actor, Content, InboxKey, Incoming, Received, SubscriptionRecord};

/// What is to be decided, by subscription.
pub(crate) type Routes<'a> = BTreeMap<SubscriptionKey, Vec<Routed<'a>>>;

/// One change on its way to one subscription.
pub(crate) struct Routed<'a> {
    /// The item of the batch whose outcome this decides; none where it comes along with another.
    pub item: Option<usize>,
    /// What changes.
    pub change: Change,
    /// The notification that brought it.
    pub event: Option<&'a EventId>,
    /// Who does it.
    pub actor: Actor,
}

/// The items that are to be decided, with their places in the batch.
pub(crate) struct Fresh<'a> {
    pub received: Vec<(usize, &'a Received)>,
    pub acts: Vec<(usize, &'a Act)>,
}

impl<'a> Fresh<'a> {
    /// The items that are not settled yet; of several copies of one notification the first.
    pub(crate) fn of(batch: &'a [Incoming], is_known: impl Fn(&InboxKey) -> bool) -> Self {
        let mut seen = BTreeSet::new();
        let mut fresh = Self { received: Vec::new(), acts: Vec::new() };
        for (index, incoming) in batch.iter().enumerate() {
            match &incoming.content {
                Content::Received(received) => {
                    if !is_known(&received.inbox) && seen.insert(&received.inbox) {
                        fresh.received.push((index, received));
                    }
                }
                Content::Act(act) => fresh.acts.push((index, act)),
                Content::Refused(_) => {}
            }
        }
        fresh
    }

    /// The rows that have to be locked, as far as the items tell.
    pub(crate) fn keys(&self) -> BTreeSet<SubscriptionKey> {
        let subjects = self.received.iter().map(|(_, received)| received.key.clone());
        let agreements = self.received.iter().filter_map(|(_, received)| agreement_key(received));
        let acts = self.acts.iter().map(|(_, act)| act.key.clone());
        subjects.chain(agreements).chain(acts).collect()
    }

    /// The agreements that facts are about: each fact goes to their licenses too.
    pub(crate) fn agreements(&self) -> BTreeSet<&'a SubscriptionKey> {
        self.received.iter().map(|(_, received)| &received.key).filter(|key| key.is_agreement()).collect()
    }

    /// Sends every change to its subscription, and agreements' facts to the licenses that named them.
    ///
    /// A license that names an agreement for the first time takes the facts that the agreement has kept.
    pub(crate) fn route(&self, records: &mut BTreeMap<SubscriptionKey, SubscriptionRecord>) -> Routes<'a> {
        let mut routes = Routes::new();
        for (license, agreement) in self.license_links() {
            let Some(record) = records.get_mut(&agreement) else { continue };
            if !record.subscription.licenses.contains(license) {
                record.subscription.licenses.push(license.clone());
                let kept = record.subscription.log.facts().iter().cloned();
                routes.entry(license.clone()).or_default().extend(kept.map(kept_fact));
            }
        }
        for (index, received) in &self.received {
            for license in licenses(records, &received.key) {
                routes.entry(license).or_default().push(Routed { item: None, ..notified(*index, received) });
            }
            routes.entry(received.key.clone()).or_default().push(notified(*index, received));
        }
        for (index, act) in &self.acts {
            let change = act.change.clone();
            let acted = Routed { item: Some(*index), change, event: None, actor: act.actor.clone() };
            routes.entry(act.key.clone()).or_default().push(acted);
        }
        routes
    }

    fn license_links(&self) -> impl Iterator<Item = (&'a SubscriptionKey, SubscriptionKey)> {
        self.received.iter().filter_map(|(_, received)| Some((&received.key, agreement_key(received)?)))
    }
}

/// The licenses that named an agreement; of any other subscription none.
pub(crate) fn licenses(
    records: &BTreeMap<SubscriptionKey, SubscriptionRecord>,
    key: &SubscriptionKey,
) -> Vec<SubscriptionKey> {
    let agreement = records.get(key).filter(|record| record.key.is_agreement());
    agreement.map(|record| record.subscription.licenses.clone()).unwrap_or_default()
}

fn agreement_key(received: &Received) -> Option<SubscriptionKey> {
    let agreement = received.agreement.clone()?;
    (!received.key.is_agreement())
        .then(|| SubscriptionKey::agreement(received.key.marketplace.clone(), agreement))
}

fn notified(index: usize, received: &Received) -> Routed<'_> {
    let actor = received.replays.as_ref().map_or(Actor::Marketplace, |replay| replay.actor.clone());
    Routed {
        item: Some(index),
        change: Change::Fact(received.fact.clone()),
        event: Some(&received.inbox.id),
        actor,
    }
}

fn kept_fact<'a>(fact: Fact) -> Routed<'a> {
    Routed { item: None, change: Change::Fact(fact), event: None, actor: Actor::Marketplace }
}
