//! The rows of the AWS transition tables (SNS and registration, then EventBridge), one case each.
//!
//! Where a row judges a late message by its staleness, the case holds what the fold makes of the same facts.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod support;

use std::time::Duration;

use stallkeeper_lifecycle::{
    Access, AgreementEnd, AgreementIntent, Change, Entitlement, Entry, Fact, FactKind, Notice, Pricing,
    Snapshot, Standing, Timestamp, Trial, Word,
};
use support::{Buyer, minute};

trait Hears: Sized {
    /// The marketplace says at that minute that something happened, and it is heard of at once.
    fn hears(self, minutes: i64, kind: FactKind) -> Self {
        self.hears_at(minute(minutes), &format!("message-{minutes}"), kind)
    }

    /// It is heard of at the clock's present reading, or at its own time where that is later.
    fn hears_at(self, time: Timestamp, id: &str, kind: FactKind) -> Self;

    /// The marketplace answers, to a question of that minute, that the buyer has so many seats.
    fn answered(self, minutes: i64, seats: Option<u32>) -> Self;
}

impl Hears for Buyer {
    fn hears_at(self, time: Timestamp, id: &str, kind: FactKind) -> Self {
        let fact = Fact::at_time(time, id.parse().unwrap(), kind);
        self.unseen_until(time).does(Change::Fact(fact))
    }

    fn answered(self, minutes: i64, seats: Option<u32>) -> Self {
        let seats = seats.map(|seats| Entitlement {
            dimension: "seats".to_owned(),
            value: seats.to_string(),
            expires_at: None,
        });
        let snapshot = Snapshot { asked_at: minute(minutes), entitlements: seats.into_iter().collect() };
        self.unseen_until(minute(minutes)).does(Change::Snapshot(snapshot))
    }
}

fn nobody() -> Buyer {
    Buyer::of(Pricing::Subscription)
}

fn registered() -> Buyer {
    nobody().registers()
}

fn active() -> Buyer {
    registered().hears(10, success())
}

fn ending() -> Buyer {
    active().hears(100, pending())
}

fn ended() -> Buyer {
    ending().hears(130, gone())
}

fn failed() -> Buyer {
    registered().hears(10, fail())
}

fn contract() -> Buyer {
    Buyer::of(Pricing::Contract)
}

fn active_contract() -> Buyer {
    contract().registers().hears(10, updated()).answered(11, Some(5))
}

fn consumption() -> Buyer {
    Buyer::of(Pricing::ContractWithConsumption)
}

fn success() -> FactKind {
    FactKind::SubscribeSuccess { offer: None, trial: Trial::No }
}

fn success_of(offer: &str) -> FactKind {
    FactKind::SubscribeSuccess { offer: Some(offer.parse().unwrap()), trial: Trial::No }
}

fn fail() -> FactKind {
    FactKind::SubscribeFail
}

fn pending() -> FactKind {
    FactKind::UnsubscribePending
}

fn gone() -> FactKind {
    FactKind::UnsubscribeSuccess
}

fn updated() -> FactKind {
    FactKind::EntitlementUpdated
}

fn license() -> FactKind {
    FactKind::LicenseUpdated { offer: None, agreement: Some("agmt-1".parse().unwrap()), licensee: None }
}

fn confirmed() -> FactKind {
    FactKind::LicenseConfirmed { offer: None, agreement: Some("agmt-1".parse().unwrap()) }
}

fn agreement_ended(end: AgreementEnd) -> FactKind {
    FactKind::AgreementEnded(end)
}

const NOTHING: &[&str] = &[];

// From nothing.

#[test]
fn none_then_subscribe_success_is_unclaimed() {
    nobody().hears(10, success()).is(Word::Unclaimed, Access::None, &["subscription.unclaimed"]).in_period(1);
}

#[test]
fn none_then_registration_is_registered() {
    nobody().registers().is(Word::Registered, Access::None, &["subscription.registered"]);
}

#[test]
fn none_then_subscribe_fail_is_failed_and_a_late_registration_sees_it() {
    nobody().hears(10, fail()).is(Word::Failed, Access::None, &["subscription.failed"]).registers().is(
        Word::Failed,
        Access::None,
        &["subscription.changed"],
    );
}

#[test]
fn none_then_unsubscribe_pending_is_ending_and_alarms() {
    nobody().hears(10, pending()).is(
        Word::Ending,
        Access::Limited,
        &["subscription.ending", "wake at 70", "alarm success-lost", "reconcile success-lost"],
    );
}

#[test]
fn none_then_unsubscribe_success_is_ended_and_an_older_success_does_not_reopen() {
    // The row calls the success stale; the fold finds a period that ended without its pending.
    nobody().hears(10, gone()).is(Word::Ended, Access::None, &["subscription.ended"]).hears(5, success()).is(
        Word::Ended,
        Access::None,
        &["subscription.ended", "alarm pending-lost", "reconcile pending-lost"],
    );
}

#[test]
fn none_then_entitlement_updated_asks_and_a_granting_answer_is_unclaimed() {
    contract().hears(10, updated()).is(Word::Unknown, Access::None, &["query"]).answered(11, Some(5)).is(
        Word::Unclaimed,
        Access::None,
        &["subscription.unclaimed"],
    );
}

#[test]
fn none_then_entitlement_updated_and_empty_answers_stay_none() {
    // The row makes a tombstone of it; a snapshot needs none, as the later question wins anyway.
    contract()
        .hears(10, updated())
        .answered(11, None)
        .answered(12, None)
        .is(Word::Unknown, Access::None, NOTHING)
        .answered(13, Some(5))
        .is(Word::Unclaimed, Access::None, &["subscription.unclaimed"]);
}

// From registered.

#[test]
fn registered_then_subscribe_success_is_active() {
    registered()
        .hears(10, success())
        .is(Word::Active, Access::Full, &["subscription.activated"])
        .in_period(1);
}

#[test]
fn registered_then_subscribe_fail_is_failed() {
    registered().hears(10, fail()).is(Word::Failed, Access::None, &["subscription.failed"]);
}

#[test]
fn registered_then_unsubscribe_pending_is_ending_and_reconciled() {
    registered().hears(10, pending()).is(
        Word::Ending,
        Access::Limited,
        &["subscription.ending", "wake at 70", "alarm success-lost", "reconcile success-lost"],
    );
}

#[test]
fn registered_then_unsubscribe_success_is_ended() {
    registered().hears(10, gone()).is(Word::Ended, Access::None, &["subscription.ended"]);
}

#[test]
fn registered_contract_then_a_granting_answer_is_active() {
    contract().registers().hears(10, updated()).answered(11, Some(5)).is(
        Word::Active,
        Access::Full,
        &["subscription.activated"],
    );
}

#[test]
fn registered_contract_with_consumption_waits_for_subscribe_success_after_a_granting_answer() {
    consumption()
        .registers()
        .hears(10, updated())
        .answered(11, Some(5))
        .is(Word::Registered, Access::None, NOTHING)
        .hears(12, success())
        .is(Word::Active, Access::Full, &["subscription.activated"]);
}

#[test]
fn registered_then_the_same_registration_again_changes_nothing() {
    registered().registers().is(Word::Registered, Access::None, NOTHING);
}

// From unclaimed.

#[test]
fn unclaimed_then_registration_is_active() {
    nobody().hears(10, success()).registers().is(Word::Active, Access::Full, &["subscription.activated"]);
}

#[test]
fn unclaimed_then_the_same_success_again_changes_nothing() {
    nobody().hears(10, success()).hears(10, success()).is(Word::Unclaimed, Access::None, NOTHING);
}

#[test]
fn unclaimed_then_a_newer_success_refreshes_the_offer() {
    nobody()
        .hears(10, success_of("offer-1"))
        .hears(20, success_of("offer-2"))
        .is(Word::Unclaimed, Access::None, &["subscription.changed"])
        .in_period(1);
}

#[test]
fn unclaimed_then_unsubscribe_pending_is_ending() {
    nobody().hears(10, success()).hears(20, pending()).is(
        Word::Ending,
        Access::Limited,
        &["subscription.ending", "wake at 80"],
    );
}

#[test]
fn unclaimed_then_unsubscribe_success_is_ended() {
    nobody().hears(10, success()).hears(20, gone()).is(
        Word::Ended,
        Access::None,
        &["subscription.ended", "alarm pending-lost", "reconcile pending-lost"],
    );
}

// From active.

#[test]
fn active_then_a_newer_success_updates_the_offer_in_the_same_period() {
    let buyer =
        active().hears(20, success_of("offer-2")).is(Word::Active, Access::Full, &["subscription.changed"]);
    assert_eq!(buyer.view().standing.period().unwrap().offer, Some("offer-2".parse().unwrap()));
    buyer.in_period(1);
}

#[test]
fn active_then_a_late_older_success_keeps_the_newer_offer() {
    // Not stale: it moves the start of the period back to where it was.
    let buyer = registered().hears(20, success_of("offer-2")).hears(10, success_of("offer-1"));
    let period = buyer.view().standing.period().unwrap().clone();
    assert_eq!((period.offer, period.started_at), (Some("offer-2".parse().unwrap()), Some(minute(10))));
    buyer.is(Word::Active, Access::Full, &["subscription.changed"]).in_period(1);
}

#[test]
fn active_then_a_late_older_subscribe_fail_stays_active_without_a_flag() {
    registered().hears(10, success()).hears(5, fail()).is(Word::Active, Access::Full, NOTHING);
}

#[test]
fn active_then_a_newer_subscribe_fail_stays_active_and_alarms() {
    active().hears(20, fail()).is(
        Word::Active,
        Access::Full,
        &["alarm fail-out-of-place", "reconcile fail-out-of-place"],
    );
}

#[test]
fn active_then_unsubscribe_pending_is_ending_for_an_hour() {
    active().hears(100, pending()).is(Word::Ending, Access::Limited, &["subscription.ending", "wake at 160"]);
}

#[test]
fn active_then_a_late_pending_from_before_the_success_stays_active() {
    // The row ignores it as stale; the fold sees that the success came inside the pending's window, so this
    // is a second period, and that the first one's success is missing.
    registered()
        .hears(50, success())
        .hears(40, pending())
        .is(
            Word::Active,
            Access::Full,
            &["subscription.activated", "alarm success-lost", "reconcile success-lost"],
        )
        .in_period(2);
}

#[test]
fn active_then_unsubscribe_success_is_ended_and_alarms_for_the_lost_pending() {
    active().hears(100, gone()).is(
        Word::Ended,
        Access::None,
        &["subscription.ended", "alarm pending-lost", "reconcile pending-lost"],
    );
}

#[test]
fn active_then_a_late_unsubscribe_success_from_before_the_success_stays_active() {
    // The row reconciles; to the fold it is the end of an earlier period, and nothing is missing.
    registered().hears(50, success()).hears(40, gone()).is(Word::Active, Access::Full, NOTHING);
}

#[test]
fn active_contract_then_another_granting_answer_replaces_the_snapshot() {
    let buyer = active_contract().hears(20, updated()).answered(21, Some(9));
    assert_eq!(buyer.subscription.snapshots.granted().unwrap().entitlements[0].value, "9");
    assert_eq!((buyer.view().word, buyer.view().access), (Word::Active, Access::Full));
}

#[test]
fn active_contract_then_one_empty_answer_stays_and_a_second_one_ends_it() {
    active_contract().answered(20, None).is(Word::Active, Access::Full, NOTHING).answered(21, None).is(
        Word::Ended,
        Access::None,
        &["subscription.ended"],
    );
}

#[test]
fn active_contract_with_consumption_then_two_empty_answers_open_the_window_from_the_first() {
    consumption()
        .registers()
        .hears(10, success())
        .answered(11, Some(5))
        .answered(20, None)
        .is(Word::Active, Access::Full, NOTHING)
        .answered(25, None)
        .is(Word::Ending, Access::Limited, &["subscription.ending", "wake at 80"])
        .waits_until(80)
        .is(Word::Ended, Access::None, &["subscription.ended", "reconcile no-last-word"]);
}

#[test]
fn active_then_the_same_registration_again_changes_nothing() {
    active().registers().is(Word::Active, Access::Full, NOTHING);
}

#[test]
fn active_stays_though_the_expiry_that_was_cached_has_passed() {
    active_contract().waits_until(1_000_000).is(Word::Active, Access::Full, NOTHING);
}

// From failed.

#[test]
fn failed_then_a_newer_success_is_active() {
    failed().hears(20, success()).is(Word::Active, Access::Full, &["subscription.activated"]).in_period(1);
}

#[test]
fn failed_then_a_newer_success_is_unclaimed_where_nobody_registered() {
    nobody().hears(10, fail()).hears(20, success()).is(
        Word::Unclaimed,
        Access::None,
        &["subscription.unclaimed"],
    );
}

#[test]
fn failed_then_a_late_older_success_stays_subscribed_and_alarms() {
    // The row leaves it failed; the fold reads a failure while subscribed, which must not cut a buyer off.
    failed().hears(5, success()).is(
        Word::Active,
        Access::Full,
        &["subscription.activated", "alarm fail-out-of-place", "reconcile fail-out-of-place"],
    );
}

#[test]
fn failed_then_registration_stays_failed_and_is_bound() {
    let buyer =
        nobody().hears(10, fail()).registers().is(Word::Failed, Access::None, &["subscription.changed"]);
    assert!(buyer.subscription.binding.is_some());
}

#[test]
fn failed_then_unsubscribe_pending_or_success_is_ended() {
    failed().hears(20, pending()).is(Word::Ended, Access::None, &["subscription.ended"]);
    failed().hears(20, gone()).is(Word::Ended, Access::None, &["subscription.ended"]);
}

// From ending.

#[test]
fn ending_then_a_second_pending_keeps_the_earliest_deadline() {
    ending().hears(120, pending()).is(Word::Ending, Access::Limited, NOTHING);
    active().hears(120, pending()).hears(100, pending()).is(
        Word::Ending,
        Access::Limited,
        &["subscription.changed", "wake at 160"],
    );
}

#[test]
fn ending_then_a_newer_success_is_active_in_a_new_period() {
    let buyer =
        ending().hears(130, success()).is(Word::Active, Access::Full, &["subscription.resumed"]).in_period(2);
    assert_eq!(buyer.view().standing.period().unwrap().entry, Entry::Resumed);
}

#[test]
fn ending_then_a_late_older_success_stays_ending() {
    // It moves the period's start to where it was, which the app is told; the deadline stays.
    ending().hears(5, success()).is(Word::Ending, Access::Limited, &["subscription.changed"]);
}

#[test]
fn ending_then_unsubscribe_success_is_ended() {
    ending().hears(130, gone()).is(Word::Ended, Access::None, &["subscription.ended"]);
}

#[test]
fn ending_then_its_deadline_is_ended_and_reconciled_and_a_later_success_reopens() {
    ending()
        .waits_until(160)
        .is(Word::Ended, Access::None, &["subscription.ended", "reconcile no-last-word"])
        .hears(200, success())
        .is(Word::Active, Access::Full, &["subscription.activated"])
        .in_period(2);
}

#[test]
fn ending_then_entitlement_updated_asks_and_stays_ending() {
    active_contract()
        .hears(100, pending())
        .hears(110, updated())
        .is(Word::Ending, Access::Limited, &["query"])
        .answered(111, Some(5))
        .is(Word::Ending, Access::Limited, NOTHING);
}

#[test]
fn ending_then_registration_is_bound_without_more_access() {
    nobody().hears(10, success()).hears(20, pending()).registers().is(
        Word::Ending,
        Access::Limited,
        &["subscription.changed"],
    );
}

// From ended.

#[test]
fn ended_then_a_late_pending_or_a_second_last_word_stays_ended() {
    ended().hears(125, pending()).is(Word::Ended, Access::None, NOTHING);
    ended().hears(140, pending()).is(Word::Ended, Access::None, NOTHING);
    ended().hears(140, gone()).is(Word::Ended, Access::None, NOTHING);
}

#[test]
fn ended_then_a_newer_success_is_active_in_a_new_period() {
    let buyer = ended()
        .hears(200, success())
        .is(Word::Active, Access::Full, &["subscription.activated"])
        .in_period(2);
    assert_eq!(buyer.view().standing.period().unwrap().entry, Entry::New);
}

#[test]
fn ended_then_a_newer_success_is_unclaimed_where_nobody_registered() {
    nobody().hears(10, gone()).hears(20, success()).is(
        Word::Unclaimed,
        Access::None,
        &["subscription.unclaimed"],
    );
}

#[test]
fn ended_then_a_late_older_success_stays_ended() {
    // It only tells when the period that ended began.
    ended().hears(5, success()).is(Word::Ended, Access::None, &["subscription.changed"]);
}

#[test]
fn ended_then_registration_does_not_revive_it() {
    // The row calls it registered and reconciles; the word stays ended, and the success of a new purchase,
    // which follows the redirect, makes it active.
    nobody()
        .hears(10, gone())
        .registers()
        .is(Word::Ended, Access::None, &["subscription.changed"])
        .hears(20, success())
        .is(Word::Active, Access::Full, &["subscription.activated"]);
}

#[test]
fn ended_contract_then_a_granting_answer_is_active_again() {
    active_contract().answered(20, None).answered(21, None).hears(30, updated()).answered(31, Some(5)).is(
        Word::Active,
        Access::Full,
        &["subscription.activated"],
    );
}

// EventBridge.

#[test]
fn license_updated_is_the_activation() {
    nobody().hears(10, license()).is(Word::Unclaimed, Access::None, &["subscription.unclaimed"]);
    registered().hears(10, license()).is(Word::Active, Access::Full, &["subscription.activated"]);
    nobody()
        .hears(10, license())
        .hears(20, license())
        .is(Word::Unclaimed, Access::None, NOTHING)
        .in_period(1);
}

#[test]
fn license_updated_after_an_end_counts_once_it_is_confirmed() {
    ended()
        .hears(200, license())
        .is(Word::Ended, Access::None, &["subscription.changed", "alarm unconfirmed", "confirm 200"])
        .hears(200, confirmed())
        .is(Word::Active, Access::Full, &["subscription.activated"])
        .in_period(2);
}

#[test]
fn license_updated_inside_the_window_counts_once_it_is_confirmed() {
    ending()
        .hears(120, license())
        .is(Word::Ending, Access::Limited, &["subscription.changed", "alarm unconfirmed", "confirm 120"])
        .hears(120, confirmed())
        .is(Word::Active, Access::Full, &["subscription.resumed"]);
}

#[test]
fn license_updated_from_before_the_end_changes_nothing_when_it_arrives_after_it() {
    registered()
        .hears(10, license())
        .hears(100, agreement_ended(AgreementEnd::Cancelled))
        .hears(50, license())
        .is(Word::Ending, Access::Limited, NOTHING);
}

#[test]
fn agreement_created_is_recorded_whatever_its_intent() {
    for intent in [AgreementIntent::New, AgreementIntent::Renew, AgreementIntent::Replace] {
        let created = FactKind::AgreementCreated(intent);
        nobody().hears(10, created.clone()).is(Word::Unknown, Access::None, NOTHING);
        active().hears(20, created).is(Word::Active, Access::Full, NOTHING);
    }
}

#[test]
fn agreement_amended_asks_for_the_entitlements_and_changes_no_standing() {
    active().hears(20, FactKind::AgreementAmended).is(Word::Active, Access::Full, &["query"]);
}

#[test]
fn agreement_ended_by_a_renewal_or_a_replacement_is_not_churn() {
    for end in [AgreementEnd::Renewed, AgreementEnd::Replaced] {
        active().hears(20, agreement_ended(end)).is(Word::Active, Access::Full, NOTHING);
    }
}

#[test]
fn agreement_ended_for_the_buyer_opens_the_window() {
    for end in [AgreementEnd::Cancelled, AgreementEnd::Expired, AgreementEnd::Terminated] {
        active().hears(20, agreement_ended(end)).is(
            Word::Ending,
            Access::Limited,
            &["subscription.ending", "wake at 80"],
        );
        // The row ends it at once; the window is opened and the missing activation flagged.
        nobody().hears(20, agreement_ended(end)).is(
            Word::Ending,
            Access::Limited,
            &["subscription.ending", "wake at 80", "alarm success-lost", "reconcile success-lost"],
        );
    }
}

#[test]
fn license_deprovisioned_opens_the_window_where_the_agreements_end_was_not_heard() {
    active().hears(20, FactKind::LicenseDeprovisioned).is(
        Word::Ending,
        Access::Limited,
        &["subscription.ending", "wake at 80"],
    );
}

#[test]
fn license_deprovisioned_inside_the_window_allows_attempts_for_its_own_hour() {
    let buyer = active()
        .hears(20, agreement_ended(AgreementEnd::Cancelled))
        .hears(50, FactKind::LicenseDeprovisioned)
        .is(Word::Ending, Access::Limited, &["subscription.changed"]);
    let Standing::Ending { deadline, attempts_until, .. } = buyer.view().standing else { unreachable!() };
    assert_eq!((deadline, attempts_until), (minute(80), minute(110)));
}

#[test]
fn license_deprovisioned_before_any_activation_is_ended() {
    registered().hears(20, FactKind::LicenseDeprovisioned).is(
        Word::Ended,
        Access::None,
        &["subscription.ended"],
    );
}

#[test]
fn license_deprovisioned_from_before_the_last_license_updated_asks_for_confirmation() {
    // The row calls it stale and leaves the buyer active; to the fold the update follows an end, so access is
    // limited until the look-up that it asks for has confirmed the license.
    let buyer =
        registered().hears(10, license()).hears(60, license()).hears(40, FactKind::LicenseDeprovisioned).is(
            Word::Ending,
            Access::Limited,
            &["subscription.ending", "wake at 100", "alarm unconfirmed", "confirm 60"],
        );
    buyer.hears_at(minute(60), "message-60", confirmed()).is(
        Word::Active,
        Access::Full,
        &["subscription.resumed"],
    );
}

#[test]
fn an_advisory_flags_the_buyer_until_it_is_resolved() {
    active()
        .hears(20, FactKind::AdvisoryIssued)
        .is(Word::Active, Access::Full, &["subscription.changed"])
        .hears(30, FactKind::AdvisoryResolved)
        .is(Word::Active, Access::Full, &["subscription.changed"]);
}

#[test]
fn notices_are_recorded_and_change_nothing() {
    for notice in [Notice::AgreementEnding, Notice::RenewalUpcoming, Notice::SpendThresholdReached] {
        active().hears(20, FactKind::Notice(notice)).is(Word::Active, Access::Full, NOTHING);
    }
}

#[test]
fn the_same_end_by_sns_and_eventbridge_is_one_end() {
    active().hears(100, pending()).hears(101, agreement_ended(AgreementEnd::Cancelled)).is(
        Word::Ending,
        Access::Limited,
        NOTHING,
    );
}

#[test]
fn the_same_activation_by_sns_and_eventbridge_is_one_period() {
    registered().hears(10, success()).hears(11, license()).in_period(1);
}

// Times.

#[test]
fn a_registration_between_two_facts_makes_neither_stale() {
    nobody().hears(10, success()).registers().hears(20, pending()).is(
        Word::Ending,
        Access::Limited,
        &["subscription.ending", "wake at 80"],
    );
    nobody().hears(20, pending()).registers().hears(10, success()).is(
        Word::Ending,
        Access::Limited,
        &["subscription.changed"],
    );
}

#[test]
fn a_success_that_arrives_after_the_windows_end_but_happened_inside_it_resumes() {
    ending()
        .waits_until(160)
        .hears(150, success())
        .is(Word::Active, Access::Full, &["subscription.activated"])
        .in_period(2);
}

#[test]
fn a_success_from_after_the_windows_end_begins_afresh() {
    let buyer = ending().hears(161, success()).in_period(2);
    assert_eq!(buyer.view().standing.period().unwrap().entry, Entry::New);
}

#[test]
fn a_subscription_again_within_the_hour_outlives_the_first_ones_deadline() {
    ending()
        .hears(130, success())
        .waits_until(160)
        .is(Word::Active, Access::Full, NOTHING)
        .hears(170, pending())
        .is(Word::Ending, Access::Limited, &["subscription.ending", "wake at 230"])
        .in_period(2);
}

#[test]
fn a_lost_unsubscribe_success_leaves_no_access_open() {
    ending().unseen_until(minute(10_000)).does(Change::Wake).is(
        Word::Ended,
        Access::None,
        &["subscription.ended", "reconcile no-last-word"],
    );
}

#[test]
fn the_last_instant_of_the_window_is_inside_and_the_deadline_outside() {
    let deadline = minute(160);
    let last = deadline.minus(Duration::from_micros(1));
    assert_eq!(ending().unseen_until(last).view().word, Word::Ending);
    assert_eq!(ending().unseen_until(deadline).view().word, Word::Ended);

    let inside = ending().hears_at(last, "success", success()).view().standing.period().unwrap().entry;
    let outside = ending().hears_at(deadline, "success", success()).view().standing.period().unwrap().entry;
    assert_eq!((inside, outside), (Entry::Resumed, Entry::New));
}

#[test]
fn at_equal_times_the_rank_decides_whatever_arrives_first() {
    let pairs = [
        (fail(), success(), Word::Active),
        (fail(), pending(), Word::Ended),
        (fail(), gone(), Word::Ended),
        (success(), pending(), Word::Ending),
        (success(), gone(), Word::Ended),
        (pending(), gone(), Word::Ended),
        (license(), agreement_ended(AgreementEnd::Cancelled), Word::Ending),
        (license(), FactKind::LicenseDeprovisioned, Word::Ending),
        (FactKind::AdvisoryIssued, FactKind::AdvisoryResolved, Word::Registered),
    ];
    for (first, second, word) in pairs {
        // The ids speak for the other order.
        let one =
            registered().hears_at(minute(10), "z", first.clone()).hears_at(minute(10), "a", second.clone());
        let other =
            registered().hears_at(minute(10), "a", second.clone()).hears_at(minute(10), "z", first.clone());
        assert_eq!(one.view().word, word, "{} then {}", first.name(), second.name());
        assert_eq!(one.view(), other.view(), "{} then {}", first.name(), second.name());
        assert_eq!(one.subscription.reported, other.subscription.reported);
    }
}

#[test]
fn a_failure_and_a_success_at_the_same_time_are_not_odd() {
    let buyer = registered().hears_at(minute(10), "a", success()).hears_at(minute(10), "b", fail());
    assert!(buyer.is(Word::Active, Access::Full, NOTHING).subscription.reported.is_empty());
}

#[test]
fn a_whole_story_in_reverse_order_ends_as_the_story_did() {
    let told = registered().hears(10, fail()).hears(20, success()).hears(30, pending()).hears(40, success());
    let reversed = registered()
        .unseen_until(minute(40))
        .hears(40, success())
        .hears(30, pending())
        .hears(20, success())
        .hears(10, fail());
    assert_eq!(told.view(), reversed.view());
    assert!(reversed.subscription.reported.is_empty(), "what was missing has come");
    reversed.is(Word::Active, Access::Full, NOTHING).in_period(2);
}

#[test]
fn a_duplicate_of_a_collapsed_fact_changes_nothing_and_asks() {
    const DAY: i64 = 24 * 60;
    let buyer = active().hears(10 + 16 * DAY, success());
    assert!(buyer.subscription.log.facts().len() == 1 && buyer.subscription.log.base().is_some());
    buyer.hears(10, success()).is(Word::Active, Access::Full, &["reconcile too-old"]).in_period(1);
}

#[test]
fn a_clock_that_is_years_ahead_makes_no_fact_too_old() {
    const YEAR: i64 = 365 * 24 * 60;
    active().waits_until(5 * YEAR).hears(11, gone()).is(
        Word::Ended,
        Access::None,
        &["subscription.ended", "alarm pending-lost", "reconcile pending-lost"],
    );
}

#[test]
fn a_fact_later_than_the_tombstone_counts_however_late_it_arrives() {
    const DAY: i64 = 24 * 60;
    active().hears(10 + 16 * DAY, success()).waits_until(10 + 30 * DAY).hears(11 + 16 * DAY, gone()).is(
        Word::Ended,
        Access::None,
        &["subscription.ended", "alarm pending-lost", "reconcile pending-lost"],
    );
}

#[test]
fn each_entitlement_updated_asks_once() {
    active_contract()
        .hears(20, updated())
        .is(Word::Active, Access::Full, &["query"])
        .hears(20, updated())
        .is(Word::Active, Access::Full, NOTHING)
        .waits_until(30)
        .is(Word::Active, Access::Full, NOTHING)
        .hears(15, updated())
        .is(Word::Active, Access::Full, NOTHING)
        .hears(40, updated())
        .is(Word::Active, Access::Full, &["query"]);
}

#[test]
fn a_contract_whose_window_passed_unseen_is_reopened_by_a_later_granting_answer_and_not_by_a_notice() {
    let lapsed = active_contract().hears(100, pending()).waits_until(160);
    let noticed = lapsed.hears(170, FactKind::Notice(Notice::SpendThresholdReached));
    noticed.is(Word::Ended, Access::None, NOTHING).answered(180, Some(5)).is(
        Word::Active,
        Access::Full,
        &["subscription.activated"],
    );
    active_contract().hears(100, pending()).waits_until(160).answered(180, Some(5)).is(
        Word::Active,
        Access::Full,
        &["subscription.activated"],
    );
}
