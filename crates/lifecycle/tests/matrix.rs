//! Every cell of the matrix (fact x standing) is a case of its own, named `<fact>::<standing>`.
//!
//! The expected cells are written by hand from the design, in the words of the README, which must agree.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::collections::BTreeMap;
use std::time::Duration;

use stallkeeper_lifecycle::{
    AgreementEnd, AgreementIntent, Anomaly, End, Entry, Fact, FactKind, Folded, InstanceStatus, Notice,
    Period, Plan, Standing, SuspendReason, Timestamp, Trial, step,
};

const START: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const COLUMNS: [&str; 7] = ["none", "subscribed", "failed", "suspended", "ending", "ended", "ended for good"];

fn minute(minutes: u64) -> Timestamp {
    START.plus(Duration::from_mins(minutes))
}

/// When the fact of the case happens: inside the window of a buyer who was said to leave at minute 60.
fn now() -> Timestamp {
    minute(90)
}

fn plan(id: &str) -> Plan {
    Plan { id: id.parse().unwrap(), items: BTreeMap::from([("seats".to_owned(), "5".to_owned())]) }
}

fn old_period() -> Period {
    Period {
        number: 3,
        started_at: Some(START),
        entry: Entry::New,
        offer: Some("offer-old".parse().unwrap()),
        trial: Trial::No,
        plan: Some(plan("plan-old")),
        expires_at: Some(minute(1_000)),
    }
}

fn ended(end: End, at: Timestamp) -> Standing {
    Standing::Ended { at, end, period: Some(old_period()), attempts_until: None }
}

/// The standings that a column stands for.
fn standings(column: &str) -> Vec<Standing> {
    match column {
        "none" => vec![Standing::None],
        "subscribed" => vec![Standing::Subscribed(old_period())],
        "failed" => vec![Standing::Failed { at: minute(60) }],
        "suspended" => [SuspendReason::InstanceExpired, SuspendReason::CodeExpired].map(suspended).to_vec(),
        "ending" => vec![Standing::Ending {
            period: old_period(),
            since: minute(60),
            deadline: minute(120),
            attempts_until: minute(120),
        }],
        "ended" => vec![
            ended(End::Said, minute(60)),
            ended(End::Lapsed, minute(60)),
            Standing::Ended { at: minute(60), end: End::Said, period: None, attempts_until: None },
        ],
        "ended for good" => vec![
            ended(End::Final, minute(60)),
            Standing::Ended { at: minute(60), end: End::Final, period: None, attempts_until: None },
        ],
        other => panic!("no column is called {other:?}"),
    }
}

fn suspended(reason: SuspendReason) -> Standing {
    Standing::Suspended { period: old_period(), since: minute(60), reason }
}

/// The period that a fact opens, before what the fact brings.
fn opened(entry: Entry) -> Period {
    Period {
        number: 4,
        started_at: Some(now()),
        entry,
        offer: None,
        trial: Trial::Unknown,
        plan: None,
        expires_at: None,
    }
}

/// The period with what the fact at hand brings.
fn with_details(period: Period, kind: &FactKind) -> Period {
    match kind {
        FactKind::SubscribeSuccess { offer, trial } => {
            Period { offer: offer.clone(), trial: *trial, ..period }
        }
        FactKind::LicenseUpdated { offer, .. } | FactKind::LicenseConfirmed { offer, .. } => {
            Period { offer: offer.clone(), ..period }
        }
        FactKind::InstanceCreated { plan, trial, expires_at } => {
            Period { plan: plan.clone(), trial: *trial, expires_at: *expires_at, ..period }
        }
        FactKind::InstanceRenewed { expires_at }
        | FactKind::CodeRenewed { expires_at }
        | FactKind::CodeActivated { expires_at }
        | FactKind::InstanceObserved(InstanceStatus::Opened { expires_at }) => {
            Period { expires_at: *expires_at, ..period }
        }
        FactKind::InstanceUpgraded { plan } => Period { plan: Some(plan.clone()), ..period },
        other => panic!("{} brings no details to a period", other.name()),
    }
}

fn with_period(standing: &Standing, period: Period) -> Standing {
    match standing.clone() {
        Standing::Subscribed(_) => Standing::Subscribed(period),
        Standing::Suspended { since, reason, .. } => Standing::Suspended { period, since, reason },
        Standing::Ending { since, deadline, attempts_until, .. } => {
            Standing::Ending { period, since, deadline, attempts_until }
        }
        other => panic!("{other:?} has no period to change"),
    }
}

fn with_attempts(standing: &Standing, until: Timestamp) -> Standing {
    match standing.clone() {
        Standing::Ending { period, since, deadline, .. } => {
            Standing::Ending { period, since, deadline, attempts_until: until }
        }
        Standing::Ended { at, end, period, .. } => {
            Standing::Ended { at, end, period, attempts_until: Some(until) }
        }
        other => panic!("{other:?} has no attempts"),
    }
}

fn ended_at(standing: &Standing) -> Timestamp {
    match standing {
        Standing::Ended { at, .. } => *at,
        other => panic!("{other:?} is not over"),
    }
}

/// What a cell's words say about a standing.
fn expected(words: &str, before: &Standing, kind: &FactKind) -> Standing {
    let period = before.period().cloned();
    let over = |at, end| Standing::Ended { at, end, period: period.clone(), attempts_until: None };
    let ending = |period| Standing::Ending {
        period,
        since: now(),
        deadline: minute(150),
        attempts_until: minute(150),
    };
    match words {
        "same" => before.clone(),
        "same, plan set" => with_period(before, with_details(old_period(), kind)),
        "same, attempts for 60 min" => with_attempts(before, minute(150)),
        "subscribed, new period" => Standing::Subscribed(with_details(opened(Entry::New), kind)),
        "subscribed, new period, resumed" => Standing::Subscribed(with_details(opened(Entry::Resumed), kind)),
        "subscribed, same period" => Standing::Subscribed(old_period()),
        "subscribed, offer and trial refreshed"
        | "subscribed, offer refreshed"
        | "subscribed, expiry set" => Standing::Subscribed(with_details(old_period(), kind)),
        "failed" => Standing::Failed { at: now() },
        "suspended" => {
            Standing::Suspended { period: old_period(), since: now(), reason: suspend_reason(kind) }
        }
        "ending" => ending(old_period()),
        "ending, unseen period" => ending(Period { started_at: None, ..opened(Entry::Unseen) }),
        "ended" => over(now(), End::Said),
        "ended, at the time it had" => over(ended_at(before), End::Said),
        "ended for good" => over(now(), End::Final),
        "ended for good, at the time it had" => over(ended_at(before), End::Final),
        other => panic!("the cell reads {other:?}, which means nothing here"),
    }
}

fn suspend_reason(kind: &FactKind) -> SuspendReason {
    match kind {
        FactKind::CodeExpired => SuspendReason::CodeExpired,
        _ => SuspendReason::InstanceExpired,
    }
}

fn check(row: &str, kind: &FactKind, column: &str, cell: &str) {
    let (words, flag) = match cell.split_once(" ⚑ ") {
        Some((words, flag)) => (words, Some(flag)),
        None => (cell, None),
    };
    for before in standings(column) {
        let folded = Folded { standing: before.clone(), periods: 3, ..Folded::default() };
        let fact = Fact::at_time(now(), "event-1".parse().unwrap(), kind.clone());
        let (after, anomaly) = step(folded, &fact);
        let expected = expected(words, &before, kind);
        assert_eq!(after.standing, expected, "{row} on {column}, which was {before:?}, should be {cell:?}");
        assert_eq!(
            anomaly.map(Anomaly::name),
            flag,
            "{row} on {column}, which was {before:?}, should be {cell:?}"
        );
        let opened = u32::from(words.contains("new period") || words.contains("unseen period"));
        assert_eq!(after.periods, 3 + opened, "{row} on {column} counts its periods");
    }
}

/// One module for each row, one test for each cell, and the whole as a table.
macro_rules! matrix {
    ($($name:ident $row:literal $kind:expr =>
        [$none:literal, $subscribed:literal, $failed:literal, $suspended:literal, $ending:literal, $ended:literal, $final:literal];)*) => {
        fn rows() -> Vec<(&'static str, FactKind, [&'static str; 7])> {
            vec![$(($row, $kind, [$none, $subscribed, $failed, $suspended, $ending, $ended, $final])),*]
        }
        $(
            mod $name {
                use super::*;
                #[test]
                fn on_none() { check($row, &$kind, "none", $none); }
                #[test]
                fn on_subscribed() { check($row, &$kind, "subscribed", $subscribed); }
                #[test]
                fn on_failed() { check($row, &$kind, "failed", $failed); }
                #[test]
                fn on_suspended() { check($row, &$kind, "suspended", $suspended); }
                #[test]
                fn on_ending() { check($row, &$kind, "ending", $ending); }
                #[test]
                fn on_ended() { check($row, &$kind, "ended", $ended); }
                #[test]
                fn on_ended_for_good() { check($row, &$kind, "ended for good", $final); }
            }
        )*
    };
}

fn success() -> FactKind {
    FactKind::SubscribeSuccess { offer: Some("offer-new".parse().unwrap()), trial: Trial::Yes }
}

fn license_updated() -> FactKind {
    FactKind::LicenseUpdated { offer: Some("offer-new".parse().unwrap()), agreement: None, licensee: None }
}

fn license_confirmed() -> FactKind {
    FactKind::LicenseConfirmed { offer: Some("offer-new".parse().unwrap()), agreement: None }
}

fn created() -> FactKind {
    FactKind::InstanceCreated {
        plan: Some(plan("plan-new")),
        trial: Trial::Yes,
        expires_at: Some(minute(2_000)),
    }
}

fn opened_instance() -> FactKind {
    FactKind::InstanceObserved(InstanceStatus::Opened { expires_at: Some(minute(2_000)) })
}

#[rustfmt::skip]
matrix! {
    subscribe_success "subscribe-success" success() => [
        "subscribed, new period", "subscribed, offer and trial refreshed", "subscribed, new period",
        "subscribed, offer and trial refreshed", "subscribed, new period, resumed", "subscribed, new period",
        "same ⚑ after-final-end"];
    subscribe_fail "subscribe-fail" FactKind::SubscribeFail => [
        "failed", "same ⚑ fail-out-of-place", "failed", "same ⚑ fail-out-of-place", "same ⚑ fail-out-of-place",
        "failed", "same ⚑ after-final-end"];
    unsubscribe_pending "unsubscribe-pending" FactKind::UnsubscribePending => [
        "ending, unseen period ⚑ success-lost", "ending", "ended", "ending", "same", "same", "same"];
    unsubscribe_success "unsubscribe-success" FactKind::UnsubscribeSuccess => [
        "ended", "ended ⚑ pending-lost", "ended", "ended", "ended", "ended, at the time it had", "same"];
    entitlement_updated "entitlement-updated" FactKind::EntitlementUpdated => [
        "same", "same", "same", "same", "same", "same", "same"];
    license_updated "license-updated" license_updated() => [
        "subscribed, new period", "subscribed, offer refreshed", "subscribed, new period",
        "subscribed, offer refreshed", "same ⚑ unconfirmed", "same ⚑ unconfirmed", "same ⚑ after-final-end"];
    license_confirmed "license-confirmed" license_confirmed() => [
        "subscribed, new period", "subscribed, offer refreshed", "subscribed, new period",
        "subscribed, offer refreshed", "subscribed, new period, resumed", "subscribed, new period",
        "same ⚑ after-final-end"];
    license_deprovisioned "license-deprovisioned" FactKind::LicenseDeprovisioned => [
        "ended", "ending", "ended", "ending", "same, attempts for 60 min", "same, attempts for 60 min", "same"];
    agreement_created "agreement-created" FactKind::AgreementCreated(AgreementIntent::New) => [
        "same", "same", "same", "same", "same", "same", "same"];
    agreement_amended "agreement-amended" FactKind::AgreementAmended => [
        "same", "same", "same", "same", "same", "same", "same"];
    agreement_cancelled "agreement-ended (cancelled)" FactKind::AgreementEnded(AgreementEnd::Cancelled) => [
        "ending, unseen period ⚑ success-lost", "ending", "ended", "ending", "same", "same", "same"];
    agreement_expired "agreement-ended (expired)" FactKind::AgreementEnded(AgreementEnd::Expired) => [
        "ending, unseen period ⚑ success-lost", "ending", "ended", "ending", "same", "same", "same"];
    agreement_terminated "agreement-ended (terminated)" FactKind::AgreementEnded(AgreementEnd::Terminated) => [
        "ending, unseen period ⚑ success-lost", "ending", "ended", "ending", "same", "same", "same"];
    agreement_renewed "agreement-ended (renewed)" FactKind::AgreementEnded(AgreementEnd::Renewed) => [
        "same", "same", "same", "same", "same", "same", "same"];
    agreement_replaced "agreement-ended (replaced)" FactKind::AgreementEnded(AgreementEnd::Replaced) => [
        "same", "same", "same", "same", "same", "same", "same"];
    advisory_issued "advisory-issued" FactKind::AdvisoryIssued => [
        "same", "same", "same", "same", "same", "same", "same"];
    advisory_resolved "advisory-resolved" FactKind::AdvisoryResolved => [
        "same", "same", "same", "same", "same", "same", "same"];
    notice "a notice" FactKind::Notice(Notice::AgreementEnding) => [
        "same", "same", "same", "same", "same", "same", "same"];
    order_paid "order-paid" FactKind::OrderPaid => [
        "same", "same", "same", "same", "same", "same", "same"];
    instance_created "instance-created" created() => [
        "subscribed, new period", "same", "subscribed, new period", "same", "same", "same ⚑ call-out-of-place",
        "same ⚑ call-out-of-place"];
    instance_renewed "instance-renewed" FactKind::InstanceRenewed { expires_at: Some(minute(2_000)) } => [
        "same ⚑ call-out-of-place", "subscribed, expiry set", "same ⚑ call-out-of-place", "subscribed, expiry set",
        "subscribed, expiry set", "same ⚑ call-out-of-place", "same ⚑ call-out-of-place"];
    instance_resumed "instance-resumed" FactKind::InstanceResumed => [
        "same ⚑ call-out-of-place", "subscribed, same period", "same ⚑ call-out-of-place",
        "subscribed, same period", "subscribed, same period", "same ⚑ call-out-of-place",
        "same ⚑ call-out-of-place"];
    instance_upgraded "instance-upgraded" FactKind::InstanceUpgraded { plan: plan("plan-new") } => [
        "same ⚑ call-out-of-place", "same, plan set", "same ⚑ call-out-of-place", "same, plan set",
        "same, plan set", "same ⚑ call-out-of-place", "same ⚑ call-out-of-place"];
    instance_expired "instance-expired" FactKind::InstanceExpired => [
        "same", "suspended", "same", "same", "same", "same", "same"];
    instance_released "instance-released" FactKind::InstanceReleased => [
        "ended for good", "ended for good", "ended for good", "ended for good", "ended for good",
        "ended for good, at the time it had", "same"];
    instance_observed_opening "instance-observed (opening)" FactKind::InstanceObserved(InstanceStatus::Opening) => [
        "same", "same", "same", "same", "same", "same", "same"];
    instance_observed_opened "instance-observed (opened)" opened_instance() => [
        "subscribed, new period", "subscribed, expiry set", "subscribed, new period", "subscribed, expiry set",
        "subscribed, expiry set", "same ⚑ call-out-of-place", "same ⚑ call-out-of-place"];
    instance_observed_expired "instance-observed (expired)" FactKind::InstanceObserved(InstanceStatus::Expired) => [
        "same", "suspended", "same", "same", "same", "same", "same"];
    instance_observed_closed "instance-observed (closed)" FactKind::InstanceObserved(InstanceStatus::Closed) => [
        "ended for good", "ended for good", "ended for good", "ended for good", "ended for good",
        "ended for good, at the time it had", "same"];
    code_activated "license-code-activated" FactKind::CodeActivated { expires_at: Some(minute(2_000)) } => [
        "subscribed, new period", "same", "subscribed, new period", "same", "same", "same ⚑ call-out-of-place",
        "same ⚑ call-out-of-place"];
    code_renewed "license-code-renewed" FactKind::CodeRenewed { expires_at: Some(minute(2_000)) } => [
        "same ⚑ call-out-of-place", "subscribed, expiry set", "same ⚑ call-out-of-place", "subscribed, expiry set",
        "subscribed, expiry set", "same ⚑ call-out-of-place", "same ⚑ call-out-of-place"];
    code_expired "license-code-expired" FactKind::CodeExpired => [
        "same", "suspended", "same", "same", "same", "same", "same"];
    code_discarded "license-code-discarded" FactKind::CodeDiscarded => [
        "ended for good", "ended for good", "ended for good", "ended for good", "ended for good",
        "ended for good, at the time it had", "same"];
}

/// The row of a fact; a kind of fact without one does not compile.
fn row_of(kind: &FactKind) -> String {
    let split = |status: &str| format!("{} ({status})", kind.name());
    match kind {
        FactKind::AgreementEnded(end) => split(match end {
            AgreementEnd::Cancelled => "cancelled",
            AgreementEnd::Expired => "expired",
            AgreementEnd::Terminated => "terminated",
            AgreementEnd::Renewed => "renewed",
            AgreementEnd::Replaced => "replaced",
        }),
        FactKind::InstanceObserved(status) => split(match status {
            InstanceStatus::Opening => "opening",
            InstanceStatus::Opened { .. } => "opened",
            InstanceStatus::Expired => "expired",
            InstanceStatus::Closed => "closed",
        }),
        FactKind::Notice(_) => "a notice".to_owned(),
        FactKind::SubscribeSuccess { .. }
        | FactKind::SubscribeFail
        | FactKind::UnsubscribePending
        | FactKind::UnsubscribeSuccess
        | FactKind::EntitlementUpdated
        | FactKind::LicenseUpdated { .. }
        | FactKind::LicenseConfirmed { .. }
        | FactKind::LicenseDeprovisioned
        | FactKind::AgreementCreated(_)
        | FactKind::AgreementAmended
        | FactKind::AdvisoryIssued
        | FactKind::AdvisoryResolved
        | FactKind::OrderPaid
        | FactKind::InstanceCreated { .. }
        | FactKind::InstanceRenewed { .. }
        | FactKind::InstanceResumed
        | FactKind::InstanceUpgraded { .. }
        | FactKind::InstanceExpired
        | FactKind::InstanceReleased
        | FactKind::CodeActivated { .. }
        | FactKind::CodeRenewed { .. }
        | FactKind::CodeExpired
        | FactKind::CodeDiscarded => kind.name().to_owned(),
    }
}

#[test]
fn every_kind_of_fact_has_one_row_and_every_row_has_seven_cells() {
    let mut seen = Vec::new();
    for (row, kind, cells) in rows() {
        assert_eq!(row_of(&kind), row);
        assert!(!seen.contains(&row), "{row} stands twice");
        assert!(cells.iter().all(|cell| !cell.trim().is_empty()), "{row} has a blank cell");
        seen.push(row);
    }
    // 23 kinds that stand alone, five ends of agreements, four statuses of instances, the notices.
    assert_eq!(seen.len(), 23 + 5 + 4 + 1);
}

#[test]
fn the_readme_shows_the_matrix_that_is_tested() {
    let written = written("| fact | none |");
    let header: Vec<&str> = std::iter::once("fact").chain(COLUMNS).collect();
    assert_eq!(written.first(), Some(&header));
    let tested: Vec<Vec<&str>> =
        rows().into_iter().map(|(row, _, cells)| std::iter::once(row).chain(cells).collect()).collect();
    assert_eq!(written.get(2..), Some(tested.as_slice()));
}

#[test]
fn every_notice_changes_no_standing() {
    let notices = [
        Notice::AgreementEnding,
        Notice::RenewalTermsFinalized,
        Notice::RenewalUpcoming,
        Notice::CancellationPending,
        Notice::CancellationApproved,
        Notice::CancellationRejected,
        Notice::CancellationWithdrawn,
        Notice::CancellationInvalid,
        Notice::AdjustmentCompleted,
        Notice::AdjustmentFailed,
        Notice::SpendThresholdReached,
        Notice::VetSucceeded,
        Notice::VetFailed,
    ];
    for (notice, column) in notices.into_iter().flat_map(|notice| COLUMNS.map(|column| (notice, column))) {
        check(notice.name(), &FactKind::Notice(notice), column, "same");
    }
}

#[test]
fn every_intent_of_a_new_agreement_changes_no_standing() {
    for intent in [AgreementIntent::New, AgreementIntent::Renew, AgreementIntent::Replace] {
        for column in COLUMNS {
            check("agreement-created", &FactKind::AgreementCreated(intent), column, "same");
        }
    }
}

/// The rows of a README table by the start of its header, as cells.
fn written(header: &str) -> Vec<Vec<&'static str>> {
    include_str!("../README.md")
        .lines()
        .skip_while(|line| !line.starts_with(header))
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}
