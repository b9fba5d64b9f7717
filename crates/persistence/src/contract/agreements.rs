//! An agreement's facts reach its licenses, whichever is heard of first.

use std::sync::Arc;

use async_trait::async_trait;
use stallkeeper_lifecycle::{AgreementEnd, FactKind, SubscriptionKey, Timestamp, Word};

use super::Fixture;
use super::samples::{
    PayAsYouGo, agreement, license, minute, naming, notification, received, record, story, take, told, word,
};
use crate::{
    CommitStore, Incoming, JobKind, Outcome, Page, Settled, Store, StoreError, SubscriptionFilter,
    Transaction, Work, commit_each,
};

fn cancelled(id: &str, agreement: &SubscriptionKey, at: Timestamp) -> Incoming {
    told(id, agreement, at, FactKind::AgreementEnded(AgreementEnd::Cancelled))
}

fn names(id: &str, license: &SubscriptionKey, agreement: &SubscriptionKey) -> Incoming {
    received(naming(id, license, agreement, minute(0)))
}

pub async fn facts_that_came_before_the_license_reach_it(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (license, agreement) = (license("l-1"), agreement("agmt-1"));
    take(store, minute(6), &[cancelled("ended", &agreement, minute(5))]).await;
    take(store, minute(7), &[names("updated", &license, &agreement)]).await;
    assert_eq!(word(store, &license).await, Word::Ending);
    let expected = ["agreement-ended applied ending", "license-updated applied ending"];
    assert_eq!(story(store, &license).await, expected);
}

pub async fn facts_that_come_after_the_license_reach_it(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (license, agreement) = (license("l-1"), agreement("agmt-1"));
    take(store, minute(1), &[names("updated", &license, &agreement)]).await;
    assert_eq!(word(store, &license).await, Word::Unclaimed);
    let batch = [cancelled("ended", &agreement, minute(5))];
    assert_eq!(take(store, minute(6), &batch).await, [Outcome::Settled(Settled::Applied)]);
    assert_eq!(word(store, &license).await, Word::Ending);
    assert_eq!(take(store, minute(7), &batch).await, [Outcome::Duplicate(Settled::Applied)]);
    let expected = ["license-updated applied unclaimed", "agreement-ended applied ending"];
    assert_eq!(story(store, &license).await, expected);
    assert_eq!(record(store, &agreement).await.subscription.licenses, [license]);
}

pub async fn facts_in_the_batch_of_the_license_reach_it(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    for (number, license_first) in [true, false].into_iter().enumerate() {
        let (license, agreement) = (license(&format!("l-{number}")), agreement(&format!("agmt-{number}")));
        let mut batch = vec![
            names(&format!("updated-{number}"), &license, &agreement),
            cancelled(&format!("ended-{number}"), &agreement, minute(5)),
        ];
        if !license_first {
            batch.reverse();
        }
        assert_eq!(take(store, minute(6), &batch).await, [Outcome::Settled(Settled::Applied); 2]);
        assert_eq!(word(store, &license).await, Word::Ending, "license first: {license_first}");
        assert_eq!(record(store, &license).await.subscription.log.facts().len(), 2);
        assert_eq!(story(store, &license).await.len(), 2);
    }
}

pub async fn every_license_of_an_agreement_takes_its_facts(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (first, second, agreement) = (license("l-1"), license("l-2"), agreement("agmt-1"));
    take(
        store,
        minute(1),
        &[names("updated-1", &first, &agreement), names("updated-2", &second, &agreement)],
    )
    .await;
    take(store, minute(6), &[cancelled("ended", &agreement, minute(5))]).await;
    assert_eq!((word(store, &first).await, word(store, &second).await), (Word::Ending, Word::Ending));
    let mut licenses = store.licenses_of(&[agreement]).await.expect("readable");
    licenses.sort();
    assert_eq!(licenses, [first, second]);
}

pub async fn a_license_that_names_its_agreement_again_takes_its_facts_once(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (license, agreement) = (license("l-1"), agreement("agmt-1"));
    take(store, minute(6), &[cancelled("ended", &agreement, minute(5))]).await;
    take(store, minute(7), &[names("updated-1", &license, &agreement)]).await;
    take(store, minute(8), &[names("updated-2", &license, &agreement)]).await;
    assert_eq!(record(store, &agreement).await.subscription.licenses.len(), 1);
    let ends = story(store, &license).await.iter().filter(|line| line.starts_with("agreement-ended")).count();
    assert_eq!(ends, 1);
}

/// A store in which a license names its agreement right after the agreement's licenses were read.
struct Overtaken {
    store: Arc<dyn Store>,
    license_event: Incoming,
}

#[async_trait]
impl CommitStore for Overtaken {
    async fn begin(&self, work: Work) -> Result<Box<dyn Transaction>, StoreError> {
        self.store.begin(work).await
    }

    async fn licenses_of(&self, agreements: &[SubscriptionKey]) -> Result<Vec<SubscriptionKey>, StoreError> {
        let licenses = self.store.licenses_of(agreements).await?;
        take(&*self.store, minute(1), std::slice::from_ref(&self.license_event)).await;
        Ok(licenses)
    }
}

pub async fn a_license_named_while_its_agreements_facts_are_on_their_way_takes_them(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (license, agreement) = (license("l-1"), agreement("agmt-1"));
    let overtaken = Overtaken { store: store.clone(), license_event: names("updated", &license, &agreement) };
    let outcomes = take(&overtaken, minute(6), &[cancelled("ended", &agreement, minute(5))]).await;
    assert_eq!(outcomes, [Outcome::Settled(Settled::Applied)]);
    assert_eq!(word(&*store, &license).await, Word::Ending);
    let expected = ["license-updated applied unclaimed", "agreement-ended applied ending"];
    assert_eq!(story(&*store, &license).await, expected);
}

pub async fn licenses_and_facts_that_race_always_meet(fixture: &dyn Fixture) {
    const ROUNDS: u64 = 20;
    let store = fixture.store();
    for round in 0..ROUNDS {
        let (license, agreement) = (license(&format!("l-{round}")), agreement(&format!("agmt-{round}")));
        let license_event = [names(&format!("updated-{round}"), &license, &agreement)];
        let ended = [cancelled(&format!("ended-{round}"), &agreement, minute(5))];
        let taken = tokio::join!(
            commit_each(&*store, &license_event, minute(6), &PayAsYouGo),
            commit_each(&*store, &ended, minute(6), &PayAsYouGo),
        );
        for result in taken.0.results.into_iter().chain(taken.1.results) {
            assert_eq!(result.expect("taken in"), Outcome::Settled(Settled::Applied));
        }
        assert_eq!(word(&*store, &license).await, Word::Ending, "round {round}");
        assert_eq!(record(&*store, &license).await.subscription.log.facts().len(), 2, "round {round}");
    }
}

pub async fn an_agreement_is_found_by_its_key_and_in_no_listing(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let agreement = agreement("agmt-1");
    let created = notification("created", &agreement, minute(0), FactKind::AdvisoryIssued);
    take(store, minute(1), &[received(created), cancelled("ended", &agreement, minute(1))]).await;
    assert_eq!(record(store, &agreement).await.subscription.log.facts().len(), 2);
    assert_eq!(story(store, &agreement).await.len(), 2);
    let word = record(store, &agreement).await.word();
    let listing = SubscriptionFilter::Listing(agreement.marketplace.clone(), agreement.product.clone());
    for filter in [SubscriptionFilter::All, SubscriptionFilter::Word(word), listing] {
        assert_eq!(store.subscriptions(&filter, &Page::first(10)).await.expect("readable"), [], "{filter:?}");
    }
    assert_eq!(
        store.next_job_at(&JobKind::ALL).await.expect("readable"),
        None,
        "an agreement asks for no work of its own"
    );
}

pub async fn licenses_of_unknown_agreements_are_none(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let (unknown, known) = (agreement("agmt-1"), agreement("agmt-2"));
    take(store, minute(1), &[names("updated", &license("l-1"), &known)]).await;
    assert_eq!(store.licenses_of(std::slice::from_ref(&unknown)).await.expect("readable"), []);
    assert_eq!(store.licenses_of(&[unknown, known]).await.expect("readable"), [license("l-1")]);
}
