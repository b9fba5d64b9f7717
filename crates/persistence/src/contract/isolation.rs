//! One bad item never holds up the others.

use std::error::Error;

use stallkeeper_lifecycle::Word;

use super::Fixture;
use super::samples::{
    PayAsYouGo, customer, gone, history, minute, pending, story, success, take, told, word,
};
use crate::{Incoming, Outcome, Page, Settled, StoreError, SubscriptionFilter, Work, commit_each};

pub async fn an_unreadable_subscription_fails_alone_among_a_hundred_good_ones(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let bad = customer("bad");
    take(store, minute(1), &[told("bad-1", &bad, minute(0), success())]).await;
    fixture.damage(&bad).await;
    for (round, place) in [0, 37, 100].into_iter().enumerate() {
        let buyer = |number: usize| customer(&format!("buyer-{number}"));
        let mut batch: Vec<Incoming> = (0..100)
            .map(|number| {
                let kind = [success(), pending(), gone()][round].clone();
                told(&format!("n-{round}-{number}"), &buyer(number), minute(2), kind)
            })
            .collect();
        batch.insert(place, told(&format!("bad-2-{round}"), &bad, minute(2), pending()));
        let mut results = commit_each(store, &batch, minute(5), &PayAsYouGo).await.results;
        assert_eq!(results.len(), batch.len());
        let refused = results.remove(place).expect_err("the bad one is refused");
        assert!(
            matches!(&refused, StoreError::Unreadable { what, .. } if *what == bad.to_string()),
            "{refused:?}"
        );
        for (number, result) in results.into_iter().enumerate() {
            assert_eq!(
                result.expect("a good one is taken in"),
                Outcome::Settled(Settled::Applied),
                "{number}"
            );
            assert_eq!(history(store, &buyer(number)).await.len(), round + 1);
        }
        // The whole batch again, as the queue delivers it: the good ones are known, each by its place.
        let mut results = commit_each(store, &batch, minute(6), &PayAsYouGo).await.results;
        assert!(results.remove(place).is_err(), "the refused one was not stored");
        for result in results {
            assert_eq!(result.expect("known"), Outcome::Duplicate(Settled::Applied));
        }
    }
}

pub async fn an_unreadable_state_is_an_error_that_names_the_key(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let bad = customer("bad");
    take(store, minute(1), &[told("n-1", &bad, minute(0), success())]).await;
    fixture.damage(&bad).await;
    let one = store.subscription(&bad).await.expect_err("unreadable");
    let listed =
        store.subscriptions(&SubscriptionFilter::All, &Page::first(10)).await.expect_err("unreadable");
    for error in [one, listed] {
        assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
        assert!(error.to_string().contains(&bad.to_string()), "{error}");
        assert!(error.source().is_some(), "it says why");
    }
    assert_eq!(story(store, &bad).await.len(), 1, "its history is readable all the same");
}

pub async fn what_was_refused_is_taken_in_once_it_can_be(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (bad, good) = (customer("bad"), customer("good"));
    take(store, minute(1), &[told("bad-1", &bad, minute(0), success())]).await;
    let healthy = super::samples::record(store, &bad).await;
    fixture.damage(&bad).await;
    let batch = [told("bad-2", &bad, minute(2), pending()), told("good-1", &good, minute(2), success())];
    let results = commit_each(store, &batch, minute(3), &PayAsYouGo).await.results;
    assert!(results[0].is_err() && results[1].is_ok(), "{results:?}");
    let mut transaction = store.begin(Work::Notifications).await.expect("begun");
    transaction.write_subscriptions(&[healthy]).await.expect("repaired");
    transaction.commit().await.expect("committed");
    let outcomes = take(store, minute(4), &batch).await;
    assert_eq!(outcomes, [Outcome::Settled(Settled::Applied), Outcome::Duplicate(Settled::Applied)]);
    assert_eq!(word(store, &bad).await, Word::Ending);
}
