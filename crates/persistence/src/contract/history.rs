//! The history: written once, in order, and kept.

use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};

use super::Fixture;
use super::samples::{customer, event, history, minute, pending, success, take, told};
use crate::{Actor, HistoryEntry, HistoryRecord, PAGE_MAX, Page, Store, Work};

fn line(key: &SubscriptionKey, what: &str, actor: Actor) -> HistoryEntry {
    HistoryEntry {
        key: key.clone(),
        at: minute(3),
        what: what.to_owned(),
        happened_at: None,
        event: None,
        outcome: "applied".to_owned(),
        word: "active".to_owned(),
        anomaly: None,
        actor,
        detail: "{}".to_owned(),
    }
}

async fn append(store: &dyn Store, entries: &[HistoryEntry]) {
    let mut transaction = store.begin(Work::Notifications).await.expect("begun");
    transaction.append_history(entries).await.expect("appended");
    transaction.commit().await.expect("committed");
}

fn entries(records: Vec<HistoryRecord>) -> Vec<HistoryEntry> {
    records.into_iter().map(|record| record.entry).collect()
}

pub async fn a_line_is_kept_in_every_part(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    let whole = HistoryEntry {
        happened_at: Some(Timestamp::from_micros(1_767_268_800_123_456)),
        event: Some(event("n-1")),
        outcome: "too-old".to_owned(),
        anomaly: Some("success-lost".to_owned()),
        detail: r#"{"text":"日本 \u0000 'quoted' \\"}"#.to_owned(),
        ..line(&buyer, "subscribe-success", Actor::Operator("mia: on call".to_owned()))
    };
    let before_1970 = HistoryEntry { happened_at: Some(Timestamp::from_micros(-1)), ..whole.clone() };
    let written = vec![
        whole,
        before_1970,
        line(&buyer, "bound", Actor::Worker),
        line(&buyer, "unbound", Actor::Marketplace),
    ];
    append(store, &written).await;
    assert_eq!(entries(history(store, &buyer).await), written);
}

pub async fn lines_are_numbered_in_the_order_of_storing(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (buyer, other) = (customer("buyer"), customer("other"));
    for part in ["z", "a", "m"] {
        let of = |key, number: u32| line(key, &format!("{part}-{number}"), Actor::Worker);
        append(store, &[of(&buyer, 1), of(&other, 1), of(&buyer, 2), of(&buyer, 3)]).await;
    }
    let lines = history(store, &buyer).await;
    assert!(lines.windows(2).all(|pair| pair[0].number < pair[1].number));
    let what: Vec<_> = lines.iter().map(|line| line.entry.what.as_str()).collect();
    assert_eq!(what, ["z-1", "z-2", "z-3", "a-1", "a-2", "a-3", "m-1", "m-2", "m-3"]);
}

pub async fn pages_of_history_have_no_gap_and_no_repeat(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (buyer, other) = (customer("buyer"), customer("other"));
    for number in 0..7 {
        let of = |key| line(key, &number.to_string(), Actor::Worker);
        append(store, &[of(&buyer), of(&other)]).await;
    }
    let whole = history(store, &buyer).await;
    for limit in 1..9 {
        let mut read: Vec<HistoryRecord> = Vec::new();
        loop {
            let page = Page { after: read.last().map(|line| line.number), limit };
            let part = store.history(&buyer, &page).await.expect("readable");
            assert!(part.len() <= limit as usize);
            if part.is_empty() {
                break;
            }
            read.extend(part);
        }
        assert_eq!(read, whole, "pages of {limit}");
    }
}

pub async fn a_page_is_never_longer_than_the_bound(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    append(store, &vec![line(&buyer, "bound", Actor::Worker); PAGE_MAX as usize + 1]).await;
    let page = store.history(&buyer, &Page::first(u32::MAX)).await.expect("readable");
    assert_eq!(page.len(), PAGE_MAX as usize);
    assert_eq!(store.history(&buyer, &Page::first(0)).await.expect("readable"), []);
    assert_eq!(history(store, &buyer).await.len(), PAGE_MAX as usize + 1);
}

pub async fn later_lines_leave_earlier_ones_as_they_were(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = customer("buyer");
    let first = told("n-1", &buyer, minute(0), success());
    take(store, minute(1), std::slice::from_ref(&first)).await;
    let before = history(store, &buyer).await;
    take(store, minute(9), &[first, told("n-2", &buyer, minute(5), pending())]).await;
    let after = history(store, &buyer).await;
    assert_eq!((after.len(), &after[..1]), (2, &before[..]));
}

pub async fn an_unknown_subscription_has_no_history(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    assert_eq!(history(store, &customer("nobody")).await, []);
}
