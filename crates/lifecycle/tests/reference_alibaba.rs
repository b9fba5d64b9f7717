//! The rows of the Alibaba Cloud table (SPI calls, then licence codes), one case each.
//!
//! The calls carry no times: they are facts in the order of their receipt. Which call is a repetition is told
//! by the inbox, by request; the cases here are what a repetition comes to when it is not.
//! The table's `pending` is work of ours and no standing: an instance is subscribed from its creation.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod support;

use std::collections::BTreeMap;

use stallkeeper_lifecycle::{
    Access, Change, End, FactKind, InstanceStatus, Plan, Pricing, Standing, SuspendReason, Timestamp, Trial,
    Word,
};
use support::{Buyer, minute};

trait Called: Sized {
    /// The call comes in at that minute.
    fn called(self, minutes: i64, kind: FactKind) -> Self;
    fn expires_at(&self) -> Option<Timestamp>;
}

impl Called for Buyer {
    fn called(self, minutes: i64, kind: FactKind) -> Self {
        self.unseen_until(minute(minutes)).does(Change::Received(kind))
    }

    fn expires_at(&self) -> Option<Timestamp> {
        self.view().standing.period().and_then(|period| period.expires_at)
    }
}

fn bound() -> Buyer {
    Buyer::of(Pricing::Subscription).registers()
}

fn active() -> Buyer {
    bound().called(10, create())
}

fn suspended() -> Buyer {
    active().called(20, FactKind::InstanceExpired)
}

fn closed() -> Buyer {
    active().called(20, FactKind::InstanceReleased)
}

fn active_code() -> Buyer {
    bound().called(10, activate())
}

fn plan(id: &str) -> Plan {
    Plan { id: id.parse().unwrap(), items: BTreeMap::new() }
}

fn create() -> FactKind {
    FactKind::InstanceCreated { plan: Some(plan("sku-1")), trial: Trial::No, expires_at: Some(minute(1_000)) }
}

fn renew(minutes: i64) -> FactKind {
    FactKind::InstanceRenewed { expires_at: Some(minute(minutes)) }
}

fn upgrade(id: &str) -> FactKind {
    FactKind::InstanceUpgraded { plan: plan(id) }
}

fn activate() -> FactKind {
    FactKind::CodeActivated { expires_at: Some(minute(1_000)) }
}

fn renew_code(minutes: i64) -> FactKind {
    FactKind::CodeRenewed { expires_at: Some(minute(minutes)) }
}

fn observed(status: InstanceStatus) -> FactKind {
    FactKind::InstanceObserved(status)
}

const NOTHING: &[&str] = &[];
const ODD: &[&str] = &["alarm call-out-of-place", "reconcile call-out-of-place"];

// Instances.

#[test]
fn order_pay_is_recorded_early() {
    bound().called(5, FactKind::OrderPaid).is(Word::Registered, Access::None, NOTHING);
}

#[test]
fn create_instance_the_first_time_subscribes() {
    bound().called(10, create()).is(Word::Active, Access::Full, &["subscription.activated"]).in_period(1);
    Buyer::of(Pricing::Subscription).called(10, create()).is(
        Word::Unclaimed,
        Access::None,
        &["subscription.unclaimed"],
    );
}

#[test]
fn create_instance_again_changes_nothing_while_active_or_suspended() {
    active().called(20, create()).is(Word::Active, Access::Full, NOTHING).in_period(1);
    suspended().called(30, create()).is(Word::Suspended, Access::None, NOTHING).in_period(1);
}

#[test]
fn create_instance_after_it_was_closed_alarms_and_creates_nothing() {
    closed().called(30, create()).is(Word::Ended, Access::None, ODD).in_period(1);
}

#[test]
fn renew_instance_sets_the_expiry_of_an_active_one() {
    let buyer = active().called(20, renew(2_000)).is(Word::Active, Access::Full, &["subscription.changed"]);
    assert_eq!(buyer.expires_at(), Some(minute(2_000)));
}

#[test]
fn renew_instance_brings_a_suspended_one_back() {
    let buyer =
        suspended().called(30, renew(2_000)).is(Word::Active, Access::Full, &["subscription.resumed"]);
    assert_eq!(buyer.expires_at(), Some(minute(2_000)));
    buyer.in_period(1);
}

#[test]
fn renew_instance_to_an_earlier_expiry_is_taken_and_alarms() {
    let buyer = active().called(20, renew(500)).is(
        Word::Active,
        Access::Full,
        &["subscription.changed", "alarm expiry-moved-back", "reconcile expiry-moved-back"],
    );
    assert_eq!(buyer.expires_at(), Some(minute(500)));
}

#[test]
fn renew_instance_of_one_whose_setting_up_is_under_way_sets_the_expiry() {
    let buyer = Buyer::of(Pricing::Subscription).called(10, create()).called(11, renew(2_000));
    assert_eq!(buyer.expires_at(), Some(minute(2_000)));
    buyer.is(Word::Unclaimed, Access::None, &["subscription.changed"]);
}

#[test]
fn upgrade_instance_sets_the_plan_of_an_active_one() {
    let buyer =
        active().called(20, upgrade("sku-2")).is(Word::Active, Access::Full, &["subscription.changed"]);
    assert_eq!(buyer.view().standing.period().unwrap().plan, Some(plan("sku-2")));
    buyer.called(30, upgrade("sku-2")).is(Word::Active, Access::Full, NOTHING);
}

#[test]
fn expired_instance_suspends_an_active_one() {
    let buyer = active().called(20, FactKind::InstanceExpired).is(
        Word::Suspended,
        Access::None,
        &["subscription.suspended"],
    );
    let Standing::Suspended { reason, since, .. } = buyer.view().standing else { unreachable!() };
    assert_eq!((reason, since), (SuspendReason::InstanceExpired, minute(20)));
}

#[test]
fn expired_instance_changes_nothing_while_suspended_or_closed() {
    suspended().called(30, FactKind::InstanceExpired).is(Word::Suspended, Access::None, NOTHING);
    closed().called(30, FactKind::InstanceExpired).is(Word::Ended, Access::None, NOTHING);
}

#[test]
fn resume_instance_brings_a_suspended_one_back_with_its_expiry() {
    let buyer = suspended().called(30, FactKind::InstanceResumed).is(
        Word::Active,
        Access::Full,
        &["subscription.resumed"],
    );
    assert_eq!(buyer.expires_at(), Some(minute(1_000)));
}

#[test]
fn release_instance_closes_for_good_from_anywhere() {
    let release = FactKind::InstanceReleased;
    for buyer in [bound(), active(), suspended()] {
        let buyer = buyer.called(30, release.clone()).is(Word::Ended, Access::None, &["subscription.ended"]);
        assert!(matches!(buyer.view().standing, Standing::Ended { end: End::Final, .. }));
        buyer
            .called(40, release.clone())
            .is(Word::Ended, Access::None, NOTHING)
            .called(50, FactKind::InstanceResumed)
            .is(Word::Ended, Access::None, ODD);
    }
}

#[test]
fn a_call_about_an_unknown_instance_alarms_and_reconciles() {
    for kind in [renew(2_000), upgrade("sku-2"), FactKind::InstanceResumed] {
        bound().called(10, kind).is(Word::Registered, Access::None, ODD);
    }
    // The table alarms here too; the design's matrix does not, as there is nothing to freeze.
    bound().called(10, FactKind::InstanceExpired).is(Word::Registered, Access::None, NOTHING);
}

#[test]
fn a_look_up_moves_the_instance_to_what_it_found() {
    let opened = || observed(InstanceStatus::Opened { expires_at: Some(minute(3_000)) });
    bound().called(10, observed(InstanceStatus::Opening)).is(Word::Registered, Access::None, NOTHING);
    bound().called(10, opened()).is(Word::Active, Access::Full, &["subscription.activated"]);
    suspended().called(30, opened()).is(Word::Active, Access::Full, &["subscription.resumed"]);
    active().called(20, observed(InstanceStatus::Expired)).is(
        Word::Suspended,
        Access::None,
        &["subscription.suspended"],
    );
    active().called(20, observed(InstanceStatus::Closed)).is(
        Word::Ended,
        Access::None,
        &["subscription.ended"],
    );
    closed().called(30, opened()).is(Word::Ended, Access::None, ODD);
}

// Licence codes.

#[test]
fn a_licence_that_was_typed_in_is_registered() {
    Buyer::of(Pricing::Subscription).registers().is(
        Word::Registered,
        Access::None,
        &["subscription.registered"],
    );
}

#[test]
fn an_activated_licence_is_active_until_its_expiry() {
    let buyer = bound().called(10, activate()).is(Word::Active, Access::Full, &["subscription.activated"]);
    assert_eq!(buyer.expires_at(), Some(minute(1_000)));
    buyer.called(20, activate()).is(Word::Active, Access::Full, NOTHING).in_period(1);
}

#[test]
fn an_expired_licence_is_suspended() {
    let buyer = active_code().called(20, FactKind::CodeExpired).is(
        Word::Suspended,
        Access::None,
        &["subscription.suspended"],
    );
    assert!(matches!(buyer.view().standing, Standing::Suspended { reason: SuspendReason::CodeExpired, .. }));
}

#[test]
fn no_clock_suspends_a_licence_whose_expiry_passed() {
    active_code().waits_until(2_000).is(Word::Active, Access::Full, NOTHING);
}

#[test]
fn a_later_expiry_brings_a_suspended_licence_back() {
    let buyer = active_code().called(20, FactKind::CodeExpired).called(30, renew_code(2_000));
    assert_eq!(buyer.expires_at(), Some(minute(2_000)));
    buyer.is(Word::Active, Access::Full, &["subscription.resumed"]);
}

#[test]
fn a_discarded_licence_is_closed_for_good() {
    for buyer in [bound(), active_code(), active_code().called(20, FactKind::CodeExpired)] {
        buyer
            .called(30, FactKind::CodeDiscarded)
            .is(Word::Ended, Access::None, &["subscription.ended"])
            .called(40, activate())
            .is(Word::Ended, Access::None, ODD)
            .called(50, renew_code(2_000))
            .is(Word::Ended, Access::None, ODD);
    }
}
