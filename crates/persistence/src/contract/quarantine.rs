//! Messages that were not understood: kept once, found again, settled once.

use std::collections::BTreeSet;

use stallkeeper_lifecycle::Word;

use super::Fixture;
use super::samples::{
    customer, marketplace, minute, notification, quarantine_key, received, refused, success, take, told, word,
};
use crate::{
    Actor, Content, Incoming, Outcome, Page, QuarantineEntry, QuarantineKey, QuarantineRecord,
    QuarantineState, Received, Replay, Settled, Store, Work,
};

fn mia() -> Actor {
    Actor::Operator("mia".to_owned())
}

async fn held(store: &dyn Store, body: &[u8]) -> QuarantineRecord {
    store.quarantined(&quarantine_key(body)).await.expect("readable").expect("quarantined")
}

async fn list(store: &dyn Store, state: QuarantineState) -> Vec<QuarantineRecord> {
    store.quarantine_list(state, &Page::first(100)).await.expect("readable")
}

fn entry_of(incoming: &Incoming) -> QuarantineEntry {
    match &incoming.content {
        Content::Refused(refused) => refused.entry.clone(),
        Content::Received(_) | Content::Act(_) => unreachable!("refused"),
    }
}

fn with_marketplace(incoming: &Incoming, name: &str) -> Incoming {
    let mut entry = entry_of(incoming);
    entry.key.marketplace = marketplace(name);
    Incoming { content: Content::Refused(crate::Refused { entry }), ..incoming.clone() }
}

fn replaying(body: &[u8], notification: Received) -> Incoming {
    received(Received { replays: Some(Replay { key: quarantine_key(body), actor: mia() }), ..notification })
}

pub async fn a_message_that_comes_again_is_kept_once_and_counted(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let first = refused(b"odd", "unknown-action", minute(1));
    assert_eq!(take(store, minute(1), std::slice::from_ref(&first)).await, [Outcome::Quarantined]);
    let again = refused(b"odd", "unknown-product", minute(2));
    assert_eq!(take(store, minute(2), &[again]).await, [Outcome::Quarantined]);
    let record = held(store, b"odd").await;
    assert_eq!((record.seen, record.state), (2, QuarantineState::Held));
    assert_eq!((record.entry.at, record.last_seen_at), (minute(1), minute(2)), "first and last");
    assert_eq!(record.entry.reason, "unknown-product", "the newest reason counts");
    assert_eq!(store.quarantine_held().await.expect("readable"), 1);
    take(store, minute(3), &[with_marketplace(&first, "aws-china")]).await;
    assert_eq!(store.quarantine_held().await.expect("readable"), 2, "each marketplace has its own");
}

pub async fn a_refused_message_keeps_every_byte_and_word(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let bodies: [&[u8]; 4] = [b"", b"\0\0", b"\xff\x80 no UTF-8 \xc3", "日本 'quoted' \\".as_bytes()];
    for body in bodies {
        let detail = "unknown action \"日本 'x' \\ \u{feff}\"".to_owned();
        let entry =
            QuarantineEntry { detail, sent_at: None, ..entry_of(&refused(body, "not-json", minute(1))) };
        let incoming = Incoming {
            received_at: minute(1),
            content: Content::Refused(crate::Refused { entry: entry.clone() }),
        };
        take(store, minute(1), &[incoming]).await;
        let record = held(store, body).await;
        assert_eq!(record.entry, entry);
        assert_eq!((record.seen, record.last_seen_at, record.settled), (1, minute(1), None));
    }
}

pub async fn a_refusal_that_quotes_a_nul_is_stored(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let entry = QuarantineEntry {
        message_id: "message\0".to_owned(),
        reason: "unknown-action".to_owned(),
        detail: "unknown action \0".to_owned(),
        ..entry_of(&refused(b"odd\0", "", minute(1)))
    };
    let incoming = Incoming { received_at: minute(1), content: Content::Refused(crate::Refused { entry }) };
    assert_eq!(take(store, minute(1), &[incoming]).await, [Outcome::Quarantined]);
    assert_eq!(held(store, b"odd\0").await.entry.body, b"odd\0");
}

pub async fn a_forged_copy_with_other_bytes_does_not_block_the_true_message(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    // Both say that they are notification n-1.
    take(store, minute(1), &[refused(b"n-1, forged", "bad-signature", minute(1))]).await;
    let truth = told("n-1", &buyer, minute(0), success());
    assert_eq!(take(store, minute(2), &[truth]).await, [Outcome::Settled(Settled::Applied)]);
    assert_eq!(word(store, &buyer).await, Word::Unclaimed);
    assert_eq!(held(store, b"n-1, forged").await.state, QuarantineState::Held);
}

pub async fn a_replay_settles_the_message_in_the_same_commit(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    take(store, minute(1), &[refused(b"n-1", "unknown-product", minute(1))]).await;
    let replay = replaying(b"n-1", notification("n-1", &buyer, minute(0), success()));
    assert_eq!(take(store, minute(5), &[replay]).await, [Outcome::Settled(Settled::Applied)]);
    let record = held(store, b"n-1").await;
    assert_eq!(record.state, QuarantineState::Replayed);
    assert_eq!(record.settled, Some(("operator:mia".to_owned(), minute(5))));
    assert_eq!(
        (store.quarantine_held().await.expect("readable"), word(store, &buyer).await),
        (0, Word::Unclaimed)
    );
    let line = super::samples::history(store, &buyer).await.remove(0).entry;
    assert_eq!(line.actor, mia(), "the history names who replayed it");
}

pub async fn a_replay_of_a_known_notification_settles_the_message_too(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let truth = notification("n-1", &customer("buyer"), minute(0), success());
    take(store, minute(1), &[refused(b"n-1", "unknown-product", minute(1)), received(truth.clone())]).await;
    let outcomes = take(store, minute(5), &[replaying(b"n-1", truth)]).await;
    assert_eq!(outcomes, [Outcome::Duplicate(Settled::Applied)]);
    assert_eq!(held(store, b"n-1").await.state, QuarantineState::Replayed);
}

pub async fn a_replay_that_is_not_committed_leaves_the_message_held(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    take(store, minute(1), &[refused(b"n-1", "unknown-product", minute(1))]).await;
    let mut transaction = store.begin(Work::Notifications).await.expect("begun");
    transaction.settle_quarantine(&[(quarantine_key(b"n-1"), mia())], minute(2)).await.expect("settled");
    drop(transaction);
    assert_eq!(held(store, b"n-1").await.state, QuarantineState::Held);
}

pub async fn a_held_message_is_discarded_once(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    take(store, minute(1), &[refused(b"odd", "not-json", minute(1))]).await;
    let key = quarantine_key(b"odd");
    assert!(store.discard(&key, &mia(), minute(2)).await.expect("discarded"));
    assert!(
        !store.discard(&key, &Actor::Worker, minute(3)).await.expect("answered"),
        "it is not held any more"
    );
    assert!(!store.discard(&quarantine_key(b"never came"), &mia(), minute(3)).await.expect("answered"));
    let record = held(store, b"odd").await;
    assert_eq!(record.state, QuarantineState::Discarded);
    assert_eq!(record.settled, Some(("operator:mia".to_owned(), minute(2))));
    assert_eq!(store.quarantine_held().await.expect("readable"), 0);
}

pub async fn a_message_is_found_by_the_beginning_of_its_hash(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let bodies: Vec<Vec<u8>> = (0..40).map(|number| format!("message {number}").into_bytes()).collect();
    let batch: Vec<Incoming> = bodies.iter().map(|body| refused(body, "not-json", minute(1))).collect();
    take(store, minute(1), &batch).await;
    for body in &bodies {
        let key = quarantine_key(body);
        let whole = store.quarantined_by_prefix(&key.hash).await.expect("readable");
        assert_eq!(whole.iter().map(|record| &record.entry.key).collect::<Vec<_>>(), [&key]);
        let short = store.quarantined_by_prefix(&key.hash[..12]).await.expect("readable");
        assert_eq!(short.len(), 1, "twelve digits tell forty messages apart");
    }
    // Forty hashes share sixteen first digits.
    let digits: Vec<usize> = {
        let mut counts = Vec::new();
        for digit in "0123456789abcdef".chars() {
            counts.push(store.quarantined_by_prefix(&digit.to_string()).await.expect("readable").len());
        }
        counts
    };
    assert_eq!(digits.iter().max(), Some(&2), "at most two: {digits:?}");
    for pattern in ["%", "_", "\\", "zz", "'"] {
        assert_eq!(
            store.quarantined_by_prefix(pattern).await.expect("readable"),
            [],
            "{pattern} is no wildcard"
        );
    }
}

pub async fn lists_are_by_state_and_paged_without_bodies(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let bodies: Vec<Vec<u8>> = (0..9).map(|number| format!("message {number}").into_bytes()).collect();
    let mut batch: Vec<Incoming> = bodies.iter().map(|body| refused(body, "not-json", minute(1))).collect();
    batch.push(with_marketplace(&batch[0], "alibaba"));
    take(store, minute(1), &batch).await;
    for body in &bodies[..2] {
        assert!(store.discard(&quarantine_key(body), &mia(), minute(2)).await.expect("discarded"));
    }
    let replay = replaying(&bodies[2], notification("n-1", &customer("buyer"), minute(0), success()));
    take(store, minute(3), &[replay]).await;
    let keys = |records: &[QuarantineRecord]| records.iter().map(|r| r.entry.key.clone()).collect::<Vec<_>>();
    assert_eq!(list(store, QuarantineState::Discarded).await.len(), 2);
    assert_eq!(keys(&list(store, QuarantineState::Replayed).await), [quarantine_key(&bodies[2])]);
    let held = list(store, QuarantineState::Held).await;
    assert_eq!(held.len(), 7);
    assert!(held.iter().all(|record| record.entry.body.is_empty() && record.entry.reason == "not-json"));
    assert!(keys(&held).is_sorted(), "in the order of their keys");
    for limit in 1..9 {
        let mut read: Vec<QuarantineKey> = Vec::new();
        loop {
            let page = Page { after: read.last().cloned(), limit };
            let part = store.quarantine_list(QuarantineState::Held, &page).await.expect("readable");
            if part.is_empty() {
                break;
            }
            assert!(part.len() <= limit as usize);
            read.extend(keys(&part));
        }
        assert_eq!(read, keys(&held), "pages of {limit}");
    }
}

pub async fn refused_messages_beside_good_ones_disturb_nobody(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let mut batch = Vec::new();
    for number in 0..20 {
        let id = format!("n-{number}");
        batch.push(refused(id.as_bytes(), "not-json", minute(1)));
        batch.push(told(&id, &customer(&id), minute(0), success()));
    }
    let outcomes = take(store, minute(1), &batch).await;
    for pair in outcomes.chunks(2) {
        assert_eq!(pair, [Outcome::Quarantined, Outcome::Settled(Settled::Applied)]);
    }
    assert_eq!(store.quarantine_held().await.expect("readable"), 20);
    let hashes: BTreeSet<_> =
        list(store, QuarantineState::Held).await.into_iter().map(|record| record.entry.key.hash).collect();
    assert_eq!(hashes.len(), 20);
}
