//! Bugs about order and repetition that other integrations ship, each as a case that must not be one here.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod support;

use stallkeeper_lifecycle::{Access, AgreementEnd, Change, Fact, FactKind, Pricing, Timestamp, Trial, Word};
use support::{Buyer, minute};

fn buyer() -> Buyer {
    Buyer::of(Pricing::Subscription)
}

fn heard(buyer: Buyer, minutes: i64, arrives: i64, kind: FactKind) -> Buyer {
    let fact = Fact::at_time(minute(minutes), format!("message-{minutes}").parse().unwrap(), kind);
    buyer.unseen_until(minute(arrives)).does(Change::Fact(fact))
}

fn success() -> FactKind {
    FactKind::SubscribeSuccess { offer: None, trial: Trial::No }
}

#[test]
fn a_success_replayed_after_the_end_does_not_reopen_access() {
    let buyer = heard(buyer().registers(), 10, 10, success());
    let buyer = heard(buyer, 100, 100, FactKind::UnsubscribePending);
    let buyer = heard(buyer, 150, 150, FactKind::UnsubscribeSuccess);
    heard(buyer, 10, 5_000, success()).is(Word::Ended, Access::None, &[]);
}

#[test]
fn a_registration_after_the_success_does_not_wipe_it() {
    heard(buyer(), 10, 10, success()).registers().waits_until(20).in_period(1).is(
        Word::Active,
        Access::Full,
        &[],
    );
}

#[test]
fn a_registration_that_completes_after_the_success_is_announced() {
    heard(buyer(), 10, 10, success()).registers().is(Word::Active, Access::Full, &["subscription.activated"]);
}

#[test]
fn a_cancellation_that_arrives_before_the_creation_leaves_nothing_active() {
    let cancelled = FactKind::AgreementEnded(AgreementEnd::Cancelled);
    let license = FactKind::LicenseUpdated { offer: None, agreement: None, licensee: None };
    let buyer = heard(buyer().registers(), 50, 60, cancelled);
    let buyer = heard(buyer, 10, 61, license);
    assert!(buyer.subscription.reported.is_empty(), "nothing is missing any more");
    buyer.waits_until(110).is(Word::Ended, Access::None, &["subscription.ended", "reconcile no-last-word"]);
}

#[test]
fn an_old_event_that_is_replayed_does_not_overwrite_newer_state() {
    let told =
        |offer: &str| FactKind::SubscribeSuccess { offer: Some(offer.parse().unwrap()), trial: Trial::No };
    let buyer = heard(buyer().registers(), 10, 10, told("offer-1"));
    let buyer = heard(buyer, 20, 20, told("offer-2"));
    let buyer = heard(buyer, 10, 30, told("offer-1"));
    assert_eq!(buyer.view().standing.period().unwrap().offer, Some("offer-2".parse().unwrap()));
    buyer.is(Word::Active, Access::Full, &[]);
}

#[test]
fn a_time_in_2030_would_outrank_every_true_fact_which_is_why_it_is_refused_before_it_gets_here() {
    let time: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
    let forged = Fact::at_time(time, "forged".parse().unwrap(), success());
    let buyer = heard(buyer().registers().does(Change::Fact(forged)), 10, 10, FactKind::UnsubscribeSuccess);
    buyer.is(Word::Active, Access::Full, &[]);
}
