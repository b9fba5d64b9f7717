//! Buyers, notifications and short ways to take them in.

use std::time::Duration;

use stallkeeper_lifecycle::{
    Binding, Change, EventId, Fact, FactKind, Holder, MarketplaceName, SubscriptionKey, Terms, Timestamp,
    Trial, Word,
};

use crate::usage::MeterTermsOf;
use crate::{
    Act, Actor, CommitStore, Content, HistoryRecord, InboxKey, Incoming, Outcome, Page, QuarantineEntry,
    QuarantineKey, Received, Refused, Store, SubscriptionRecord, TermsOf, commit,
};

/// Terms of a test: everything is pay as you go.
#[derive(Clone, Copy, Debug)]
pub struct PayAsYouGo;

impl MeterTermsOf for PayAsYouGo {}

impl TermsOf for PayAsYouGo {
    fn terms(&self, _key: &SubscriptionKey) -> Terms {
        Terms::default()
    }
}

/// So many minutes after noon of 2026-01-01.
pub(super) fn minute(minutes: u64) -> Timestamp {
    Timestamp::from_micros(1_767_268_800_000_000).plus(Duration::from_mins(minutes))
}

/// So many days after noon of 2026-01-01.
pub(super) fn day(days: u64) -> Timestamp {
    minute(days * 24 * 60)
}

pub(super) fn key(text: &str) -> SubscriptionKey {
    text.parse().expect("a key")
}

pub(super) fn customer(id: &str) -> SubscriptionKey {
    key(&format!("aws/prod-1/customer/{id}"))
}

pub(super) fn license(id: &str) -> SubscriptionKey {
    key(&format!("aws/prod-1/license/{id}"))
}

pub(super) fn agreement(id: &str) -> SubscriptionKey {
    SubscriptionKey::agreement(marketplace("aws"), id.parse().expect("an id"))
}

pub(super) fn marketplace(name: &str) -> MarketplaceName {
    name.parse().expect("a name")
}

pub(super) fn inbox_key(marketplace: &MarketplaceName, id: &str) -> InboxKey {
    InboxKey { marketplace: marketplace.clone(), id: event(id) }
}

pub(super) fn event(id: &str) -> EventId {
    id.parse().expect("an id")
}

pub(super) fn success() -> FactKind {
    FactKind::SubscribeSuccess { offer: "offer-1".parse().ok(), trial: Trial::No }
}

pub(super) fn pending() -> FactKind {
    FactKind::UnsubscribePending
}

pub(super) fn gone() -> FactKind {
    FactKind::UnsubscribeSuccess
}

pub(super) fn bound_to(tenant: &str) -> Change {
    Change::Bind(Binding { tenant: tenant.parse().expect("an id"), user: None })
}

/// A notification about `key`, whose fact happened at `at`.
pub(super) fn notification(id: &str, key: &SubscriptionKey, at: Timestamp, kind: FactKind) -> Received {
    Received {
        inbox: inbox_key(&key.marketplace, id),
        key: key.clone(),
        agreement: None,
        fact: Fact::at_time(at, event(id), kind),
        body: id.as_bytes().to_vec(),
        replays: None,
    }
}

/// A notification about a license that names its agreement.
pub(super) fn naming(
    id: &str,
    license: &SubscriptionKey,
    agreement: &SubscriptionKey,
    at: Timestamp,
) -> Received {
    let Holder::Agreement(agreement) = agreement.holder.clone() else { unreachable!("not an agreement") };
    let kind = FactKind::LicenseUpdated { offer: None, agreement: Some(agreement.clone()), licensee: None };
    Received { agreement: Some(agreement), ..notification(id, license, at, kind) }
}

pub(super) fn received(received: Received) -> Incoming {
    Incoming { received_at: minute(0), content: Content::Received(received) }
}

pub(super) fn told(id: &str, key: &SubscriptionKey, at: Timestamp, kind: FactKind) -> Incoming {
    received(notification(id, key, at, kind))
}

pub(super) fn act(key: &SubscriptionKey, change: Change) -> Incoming {
    let actor = Actor::Operator("mia".to_owned());
    Incoming { received_at: minute(0), content: Content::Act(Act { key: key.clone(), change, actor }) }
}

pub(super) fn wake(key: &SubscriptionKey) -> Incoming {
    let act = Act { key: key.clone(), change: Change::Wake, actor: Actor::Worker };
    Incoming { received_at: minute(0), content: Content::Act(act) }
}

pub(super) fn quarantine_key(body: &[u8]) -> QuarantineKey {
    QuarantineKey::of(marketplace("aws"), body)
}

pub(super) fn refused(body: &[u8], reason: &str, at: Timestamp) -> Incoming {
    let entry = QuarantineEntry {
        key: quarantine_key(body),
        message_id: "message-1".to_owned(),
        reason: reason.to_owned(),
        detail: "in words".to_owned(),
        body: body.to_vec(),
        sent_at: Some(minute(0)),
        at,
    };
    Incoming { received_at: at, content: Content::Refused(Refused { entry }) }
}

/// Takes a batch in that the store has to accept.
pub(super) async fn take(store: &dyn CommitStore, now: Timestamp, batch: &[Incoming]) -> Vec<Outcome> {
    commit(store, batch, now, &PayAsYouGo).await.expect("the batch is taken in").outcomes
}

pub(super) async fn record(store: &dyn Store, key: &SubscriptionKey) -> SubscriptionRecord {
    store.subscription(key).await.expect("readable").expect("known")
}

pub(super) async fn word(store: &dyn Store, key: &SubscriptionKey) -> Word {
    record(store, key).await.word()
}

/// The whole history of a subscription, read by pages.
pub(super) async fn history(store: &dyn Store, key: &SubscriptionKey) -> Vec<HistoryRecord> {
    let mut lines: Vec<HistoryRecord> = Vec::new();
    loop {
        let page = Page { after: lines.last().map(|line| line.number), limit: crate::PAGE_MAX };
        let part = store.history(key, &page).await.expect("readable");
        if part.is_empty() {
            return lines;
        }
        lines.extend(part);
    }
}

/// What happened, what became of it, and the word after it, line by line.
pub(super) async fn story(store: &dyn Store, key: &SubscriptionKey) -> Vec<String> {
    let line =
        |line: HistoryRecord| format!("{} {} {}", line.entry.what, line.entry.outcome, line.entry.word);
    history(store, key).await.into_iter().map(line).collect()
}
