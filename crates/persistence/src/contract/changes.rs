//! Reading on from where one was: nothing is missed, and nothing that commits late is passed.

use std::time::Duration;

use super::Fixture;
use super::samples::{agreement, customer, license, minute, naming, pending, received, success, take, told};
use crate::{ChangePosition, ChangeRange, Store, Work};

/// How long a change may take to be heard of before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

fn range(after: ChangePosition, below: Option<i64>, limit: u32) -> ChangeRange {
    ChangeRange { after, below, limit }
}

/// Keys of what changed, read page by page.
async fn changed_from(store: &dyn Store, number: i64, below: Option<i64>, limit: u32) -> Vec<String> {
    let mut keys = Vec::new();
    let mut after = ChangePosition::before(number);
    loop {
        let page = store.changed_subscriptions(&range(after.clone(), below, limit)).await.expect("readable");
        assert!(page.len() <= limit as usize);
        let Some(last) = page.last() else { return keys };
        assert!(page.first().is_some_and(|first| first.position > after), "it goes on behind the cursor");
        assert!(page.windows(2).all(|pair| pair[0].position < pair[1].position), "in order");
        after = last.position.clone();
        keys.extend(page.into_iter().map(|row| row.position.key));
    }
}

async fn horizon(store: &dyn Store) -> i64 {
    store.change_horizon().await.expect("readable")
}

pub async fn what_changed_since_is_found_as_it_is_now(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (early, late) = (customer("early"), customer("late"));
    take(store, minute(0), &[told("n-1", &early, minute(0), success())]).await;
    let between = horizon(store).await;
    take(store, minute(1), &[told("n-2", &late, minute(1), success())]).await;

    assert_eq!(changed_from(store, 0, None, 10).await, [early.to_string(), late.to_string()]);
    let found = store.changed_subscriptions(&range(ChangePosition::before(between), None, 10)).await;
    let found = found.expect("readable");
    // On a server that others use too, the one before may be found once more.
    let found = found.last().expect("what changed since");
    let record = found.record.as_ref().expect("readable");
    assert_eq!(*record, store.subscription(&late).await.expect("readable").expect("known"));
}

pub async fn what_is_written_again_moves_to_the_end(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (first, second) = (customer("first"), customer("second"));
    take(store, minute(0), &[told("n-1", &first, minute(0), success())]).await;
    take(store, minute(0), &[told("n-2", &second, minute(0), success())]).await;
    take(store, minute(1), &[told("n-3", &first, minute(1), pending())]).await;
    assert_eq!(changed_from(store, 0, None, 10).await, [second.to_string(), first.to_string()]);
}

pub async fn what_one_batch_changes_has_one_number_and_is_in_the_order_of_keys(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyers = ["c", "a", "b"].map(customer);
    let batch: Vec<_> = buyers.iter().map(|key| told(key.holder.id(), key, minute(0), success())).collect();
    take(store, minute(0), &batch).await;
    let rows = store.changed_subscriptions(&range(ChangePosition::default(), None, 10)).await;
    let rows = rows.expect("readable");
    assert!(rows.windows(2).all(|pair| pair[0].position.number == pair[1].position.number));
    let keys: Vec<_> = rows.iter().map(|row| row.position.key.as_str()).collect();
    assert_eq!(keys, ["aws/prod-1/customer/a", "aws/prod-1/customer/b", "aws/prod-1/customer/c"]);
}

pub async fn changes_are_paged_without_gap_or_repeat(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    for batch in 0..3 {
        let buyers: Vec<_> = (0..3).map(|number| customer(&format!("{batch}-{number}"))).collect();
        let batch: Vec<_> =
            buyers.iter().map(|key| told(key.holder.id(), key, minute(0), success())).collect();
        take(store, minute(0), &batch).await;
    }
    let whole = changed_from(store, 0, None, 100).await;
    assert_eq!(whole.len(), 9);
    for limit in 1..10 {
        assert_eq!(changed_from(store, 0, None, limit).await, whole, "pages of {limit}");
    }
}

pub async fn a_decided_change_stands_below_the_horizon_and_a_later_one_does_not(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (first, second) = (customer("first"), customer("second"));
    take(store, minute(0), &[told("n-1", &first, minute(0), success())]).await;
    let mut horizon = horizon(store).await;
    // On a server that others use too, theirs may run on for a moment.
    while changed_from(store, 0, Some(horizon), 10).await.is_empty() {
        tokio::task::yield_now().await;
        horizon = self::horizon(store).await;
    }
    take(store, minute(0), &[told("n-2", &second, minute(0), success())]).await;
    assert_eq!(changed_from(store, 0, Some(horizon), 10).await, [first.to_string()]);
}

pub async fn invisible_rows_and_agreements_are_no_changes(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let buyer = license("l-1");
    take(store, minute(0), &[received(naming("n-1", &buyer, &agreement("agmt-1"), minute(0)))]).await;
    let mut transaction = store.begin(Work::Notifications).await.expect("begun");
    transaction.place(&[customer("placed")], minute(0)).await.expect("placed");
    transaction.commit().await.expect("committed");
    assert_eq!(changed_from(store, 0, None, 10).await, [buyer.to_string()]);
}

pub async fn a_row_that_cannot_be_read_holds_no_other_up(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (damaged, good) = (customer("damaged"), customer("good"));
    take(store, minute(0), &[told("n-1", &damaged, minute(0), success())]).await;
    take(store, minute(0), &[told("n-2", &good, minute(0), success())]).await;
    fixture.damage(&damaged).await;
    let rows = store.changed_subscriptions(&range(ChangePosition::default(), None, 10)).await;
    let rows = rows.expect("readable");
    assert_eq!(rows.iter().map(|row| row.record.is_ok()).collect::<Vec<_>>(), [false, true]);
    assert_eq!(rows[0].position.key, damaged.to_string());
}

pub async fn who_listens_hears_of_a_change(fixture: &dyn Fixture) {
    let store = fixture.store();
    let mut listener = store.listen().await.expect("listening");
    take(&*store, minute(0), &[told("n-1", &customer("buyer"), minute(0), success())]).await;
    let heard = tokio::time::timeout(PATIENCE, listener.heard()).await.expect("heard in time");
    heard.expect("still listening");
    assert_eq!(changed_from(&*store, 0, None, 10).await.len(), 1);
}

pub async fn numbers_that_are_in_order_need_no_mending(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    take(store, minute(0), &[told("n-1", &customer("buyer"), minute(0), success())]).await;
    let before = store.changed_subscriptions(&range(ChangePosition::default(), None, 10)).await;
    assert_eq!(store.mend_change_numbers().await.expect("looked"), 0);
    let after = store.changed_subscriptions(&range(ChangePosition::default(), None, 10)).await;
    let position = |rows: Result<Vec<crate::Changed<_>>, _>| rows.expect("readable")[0].position.clone();
    assert_eq!(position(before), position(after));
}
