//! A notification is taken in once, whatever the queue does.

use stallkeeper_lifecycle::{FactKind, Standing, Terms, Word};

use super::Fixture;
use super::samples::{
    act, bound_to, customer, day, event, gone, history, inbox_key, key, marketplace, minute, notification,
    pending, received, record, story, success, take, told, word,
};
use crate::{Actor, Incoming, JobKind, JobState, Outcome, Page, Received, Settled, Store};

/// Makes a subscription, and one notification for each word that can become of one.
async fn one_of_each_word(store: &dyn Store) -> [(Incoming, Settled); 3] {
    let buyer = customer("buyer");
    take(store, day(0), &[told("first", &buyer, day(0), success())]).await;
    take(store, day(20), &[told("second", &buyer, day(20), success())]).await;
    let known = Received {
        inbox: inbox_key(&buyer.marketplace, "other-envelope"),
        ..notification("second", &buyer, day(20), success())
    };
    [
        (told("new", &buyer, day(20), FactKind::EntitlementUpdated), Settled::Applied),
        (received(known), Settled::Unchanged),
        (told("ancient", &buyer, minute(0), FactKind::SubscribeFail), Settled::TooOld),
    ]
}

pub async fn a_notification_is_applied_once_and_its_copy_answers_the_stored_outcome(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    for (incoming, settled) in one_of_each_word(store).await {
        let batch = [incoming];
        assert_eq!(take(store, day(20), &batch).await, [Outcome::Settled(settled)]);
        assert_eq!(take(store, day(20), &batch).await, [Outcome::Duplicate(settled)]);
        assert_eq!(take(store, day(21), &batch).await, [Outcome::Duplicate(settled)]);
    }
    let lines = story(store, &customer("buyer")).await;
    assert_eq!(lines.len(), 5, "each notification has one line: {lines:#?}");
}

pub async fn copies_within_one_batch_answer_the_outcome_of_the_first(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    for (incoming, settled) in one_of_each_word(store).await {
        let batch = [incoming.clone(), incoming.clone(), incoming];
        let (first, copy) = (Outcome::Settled(settled), Outcome::Duplicate(settled));
        assert_eq!(take(store, day(20), &batch).await, [first, copy, copy]);
        assert_eq!(take(store, day(20), &batch).await, [copy, copy, copy]);
    }
    assert_eq!(history(store, &customer("buyer")).await.len(), 5);
}

pub async fn a_copy_beside_new_notifications_changes_nothing(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    let old = told("old", &buyer, minute(0), success());
    take(store, minute(1), std::slice::from_ref(&old)).await;
    let batch = [told("a", &buyer, minute(2), pending()), old, told("b", &buyer, minute(3), gone())];
    let outcomes = take(store, minute(4), &batch).await;
    let applied = Outcome::Settled(Settled::Applied);
    assert_eq!(outcomes, [applied, Outcome::Duplicate(Settled::Applied), applied]);
    let expected = [
        "subscribe-success applied unclaimed",
        "unsubscribe-pending applied ending",
        "unsubscribe-success applied ended",
    ];
    assert_eq!(story(store, &buyer).await, expected);
}

pub async fn the_same_id_from_another_marketplace_is_another_notification(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (global, china) = (customer("buyer"), key("aws-china/prod-1/customer/buyer"));
    let batch = [told("n-1", &global, minute(0), success()), told("n-1", &china, minute(0), success())];
    assert_eq!(take(store, minute(1), &batch).await, [Outcome::Settled(Settled::Applied); 2]);
    assert_eq!((word(store, &global).await, word(store, &china).await), (Word::Unclaimed, Word::Unclaimed));
}

pub async fn facts_of_one_key_in_one_batch_are_folded_together_with_a_line_each(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (buyer, other) = (customer("buyer"), customer("other"));
    let batch = [
        told("n-1", &buyer, minute(0), success()),
        told("m-1", &other, minute(0), success()),
        told("n-2", &buyer, minute(5), pending()),
        told("n-3", &buyer, minute(9), gone()),
    ];
    take(store, minute(10), &batch).await;
    let lines = history(store, &buyer).await;
    let seen: Vec<_> =
        lines.iter().map(|line| (line.entry.event.clone(), line.entry.word.as_str())).collect();
    let of = |id: &str| Some(event(id));
    assert_eq!(seen, [(of("n-1"), "unclaimed"), (of("n-2"), "ending"), (of("n-3"), "ended")]);
    assert!(lines.iter().all(|line| line.entry.actor == Actor::Marketplace && line.entry.at == minute(10)));
    let record = record(store, &buyer).await;
    assert_eq!((record.word(), record.subscription.sequence), (Word::Ended, 1), "the app is told once");
    assert_eq!(record.updated_at, minute(10));
    assert_eq!(story(store, &other).await, ["subscribe-success applied unclaimed"]);
}

pub async fn every_order_and_split_ends_in_the_same_record(fixture: &dyn Fixture) {
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    // The numbers of facts in the batches.
    const SPLITS: [&[usize]; 4] = [&[3], &[1, 2], &[2, 1], &[1, 1, 1]];
    let store = &*fixture.store();
    let now = minute(15);
    let mut ends = Vec::new();
    for (order, facts) in ORDERS.iter().enumerate() {
        for (split, sizes) in SPLITS.iter().enumerate() {
            let buyer = customer(&format!("buyer-{order}-{split}"));
            let told = |fact: usize| {
                let (kind, at) = [(success(), 0), (pending(), 5), (gone(), 10)][fact].clone();
                // The id differs between buyers only as a notification, not as a fact.
                let inbox = inbox_key(&buyer.marketplace, &format!("{order}-{split}-{fact}"));
                let id = format!("fact-{fact}");
                received(Received { inbox, ..notification(&id, &buyer, minute(at), kind) })
            };
            let mut rest = facts.map(told).to_vec();
            for size in *sizes {
                let batch: Vec<Incoming> = rest.drain(..size).collect();
                take(store, now, &batch).await;
            }
            ends.push((order, split, record(store, &buyer).await));
        }
    }
    let expected = ends[0].2.clone();
    assert_eq!(expected.word(), Word::Ended);
    for (order, split, record) in ends {
        let case = format!("order {:?}, batches of {:?}", ORDERS[order], SPLITS[split]);
        assert_eq!(record.subscription.log, expected.subscription.log, "{case}");
        let view = record.subscription.view(now, Terms::default());
        assert_eq!(view, expected.subscription.view(now, Terms::default()), "{case}");
        assert_eq!(record.subscription.announced, Some(view), "{case}");
        assert_eq!(history(store, &record.key).await.len(), 3, "{case}");
    }
}

pub async fn a_registration_between_two_facts_stays(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    take(store, minute(1), &[told("n-1", &buyer, minute(1), success())]).await;
    let registered = [act(&buyer, bound_to("tenant-1"))];
    assert_eq!(take(store, minute(2), &registered).await, [Outcome::Settled(Settled::Applied)]);
    assert_eq!(word(store, &buyer).await, Word::Active);
    assert_eq!(take(store, minute(3), &registered).await, [Outcome::Settled(Settled::Unchanged)]);
    take(store, minute(4), &[told("n-2", &buyer, minute(3), pending())]).await;
    let record = record(store, &buyer).await;
    assert_eq!(record.word(), Word::Ending);
    assert_eq!(record.tenant(), "tenant-1".parse().ok().as_ref());
    let expected = [
        "subscribe-success applied unclaimed",
        "bound applied active",
        "bound unchanged active",
        "unsubscribe-pending applied ending",
    ];
    assert_eq!(story(store, &buyer).await, expected);
    let line = history(store, &buyer).await.swap_remove(1).entry;
    assert_eq!((line.actor, line.event), (Actor::Operator("mia".to_owned()), None));
}

pub async fn a_registration_before_every_fact_stays(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    take(store, minute(9), &[act(&buyer, bound_to("tenant-1"))]).await;
    assert_eq!(word(store, &buyer).await, Word::Registered);
    // The marketplace's fact is older than the registration, and counts all the same.
    take(store, minute(10), &[told("n-1", &buyer, minute(1), success())]).await;
    assert_eq!(word(store, &buyer).await, Word::Active);
}

pub async fn a_message_older_than_the_tombstone_changes_nothing_and_asks_for_a_look(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    take(store, day(0), &[told("n-1", &buyer, day(0), success())]).await;
    take(store, day(20), &[told("n-2", &buyer, day(20), FactKind::EntitlementUpdated)]).await;
    let before = record(store, &buyer).await;
    let late = told("late", &buyer, day(0), FactKind::SubscribeFail);
    assert_eq!(take(store, day(20), &[late]).await, [Outcome::Settled(Settled::TooOld)]);
    let after = record(store, &buyer).await;
    assert_eq!(after, before, "nothing is written");
    assert!(matches!(after.subscription.view(day(20), Terms::default()).standing, Standing::Subscribed(_)));
    assert_eq!(
        story(store, &buyer).await.last().map(String::as_str),
        Some("subscribe-fail too-old unclaimed")
    );
    let due = store.jobs(JobState::Due, &Page::first(10)).await.expect("readable");
    let reconcile =
        due.into_iter().find(|job| job.job.kind == JobKind::Reconcile).expect("a look is asked for");
    assert!(reconcile.job.payload.contains("too_old"), "{}", reconcile.job.payload);
}

pub async fn bodies_are_kept_byte_for_byte(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let bodies: [&[u8]; 5] = [b"", b"\0", b"a\0b", b"\xff\xfe\x80 no UTF-8", "日本 'quoted' \\ %".as_bytes()];
    let told: Vec<Received> = bodies
        .iter()
        .enumerate()
        .map(|(number, body)| {
            let id = format!("n-{number}");
            let buyer = customer(&id);
            Received { body: body.to_vec(), ..notification(&id, &buyer, minute(0), success()) }
        })
        .collect();
    let batch: Vec<Incoming> = told.iter().cloned().map(received).collect();
    take(store, minute(1), &batch).await;
    for notification in told {
        let kept = fixture.inbox_body(&notification.inbox).await;
        assert_eq!(kept, Some(notification.body), "{:?}", notification.inbox.id);
    }
    assert_eq!(fixture.inbox_body(&inbox_key(&marketplace("aws"), "never-came")).await, None);
}

pub async fn a_copy_whose_inbox_entry_was_pruned_tells_nothing_new(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    let batch = [told("n-1", &buyer, minute(0), success())];
    take(store, minute(1), &batch).await;
    let before = record(store, &buyer).await;
    assert_eq!(store.prune_inbox(minute(1), 10).await.expect("pruned"), 1);
    assert_eq!(take(store, minute(2), &batch).await, [Outcome::Settled(Settled::Unchanged)]);
    assert_eq!(record(store, &buyer).await, before);
}
