//! What the tests of this store share.

use secrecy::SecretString;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{Actor, HistoryEntry, InboxEntry, InboxKey};
use stallkeeper_persistence_postgres::{Options, PostgresStore};

pub(crate) const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

pub(crate) async fn open(url: &str, options: Options) -> PostgresStore {
    PostgresStore::connect(&SecretString::from(url), options).await.expect("cannot connect")
}

/// Connected and migrated.
pub(crate) async fn ready(url: &str, options: Options) -> PostgresStore {
    let store = open(url, options).await;
    store.migrate().await.expect("cannot migrate");
    store
}

pub(crate) fn subscription(number: u32) -> SubscriptionKey {
    format!("aws/prod/customer/c{number:06}").parse().unwrap()
}

pub(crate) fn notification(number: u32, body: &[u8]) -> InboxEntry {
    InboxEntry {
        key: InboxKey { marketplace: "aws".parse().unwrap(), id: format!("m{number:06}").parse().unwrap() },
        subscription: subscription(number),
        received_at: NOON,
        body: body.to_vec(),
    }
}

pub(crate) fn line(number: u32, what: &str) -> HistoryEntry {
    HistoryEntry {
        key: subscription(number),
        at: NOON,
        what: what.to_owned(),
        happened_at: None,
        event: None,
        outcome: "applied".to_owned(),
        word: "active".to_owned(),
        anomaly: None,
        actor: Actor::Marketplace,
        detail: "{}".to_owned(),
    }
}
