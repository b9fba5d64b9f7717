//! The final-usage window: T 10:30, soft cut 11:20, hard cut 11:28, D 11:30, where not said otherwise.

use stallkeeper_ledger::{
    EventState, LossReason, MeterTerms, Phase, Profile, Seal, Stamp, hard_cut, soft_cut,
};
use stallkeeper_lifecycle::{End, Standing};

use crate::desk::{Desk, ended, ending, hour, minutes, period, terms, time, with_sources};

const NINE: &str = "2026-03-10T09:00:00Z";
const TEN: &str = "2026-03-10T10:00:00Z";
const ELEVEN: &str = "2026-03-10T11:00:00Z";
const T: &str = "2026-03-10T10:30:00Z";

/// Subscribed since 9:00, with 5 requests in hour 10; at 10:31 the buyer is known to leave at T.
fn leaving(terms: MeterTerms) -> Desk {
    let mut desk = Desk::subscribed(terms, NINE);
    desk.at("2026-03-10T10:20:00Z").uses("requests", "5", "2026-03-10T10:20:00Z").unwrap();
    desk.at("2026-03-10T10:31:00Z").hear(&ending(time(NINE), time(T)));
    desk
}

fn with_app() -> MeterTerms {
    with_sources(terms(), &["app"])
}

fn lost(desk: &Desk) -> Vec<(String, LossReason)> {
    desk.lost().into_iter().map(|(_, quantity, reason)| (quantity, reason)).collect()
}

#[test]
fn the_cuts_stand_before_the_end() {
    let deadline = time("2026-03-10T11:30:00Z");
    assert_eq!(soft_cut(deadline, minutes(10)), time("2026-03-10T11:20:00Z"));
    assert_eq!(hard_cut(deadline), time("2026-03-10T11:28:00Z"));
}

#[test]
fn what_is_open_freezes_as_soon_as_final_usage_is_complete() {
    let mut desk = leaving(with_app());
    desk.at("2026-03-10T10:35:00Z").complete("app", "2026-03-10T10:29:59Z");
    assert_eq!(desk.word("requests", TEN), Some("open"));
    desk.complete("app", T);
    assert_eq!(desk.reported("requests", TEN), (5, TEN.to_owned()));
    assert_eq!(desk.record("requests", TEN).expires_at, Some(time("2026-03-10T11:30:00Z")));
    assert!(matches!(desk.meter.phase, Phase::Ending { seal: Seal::Sealed, .. }));
}

#[test]
fn what_is_open_freezes_at_the_soft_cut_whether_or_not_it_is_complete() {
    let mut desk = leaving(with_app());
    assert_eq!(desk.meter.cut_by(desk.now), Some(time("2026-03-10T11:30:00Z")));
    desk.at("2026-03-10T11:19:59Z").look();
    assert_eq!(desk.word("requests", TEN), Some("open"));
    desk.at("2026-03-10T11:20:00Z").look();
    assert_eq!(desk.word("requests", TEN), Some("frozen"));
    assert_eq!(desk.meter.cut_by(desk.now), None);
}

#[test]
fn the_soft_cut_comes_earlier_where_many_leave() {
    let mut desk = leaving(terms());
    desk.margin = minutes(40);
    desk.at("2026-03-10T10:50:00Z").look();
    assert_eq!(desk.word("requests", TEN), Some("frozen"));
}

#[test]
fn word_of_leaving_that_comes_late_freezes_at_once() {
    let mut desk = Desk::subscribed(terms(), NINE);
    desk.at("2026-03-10T10:20:00Z").uses("requests", "5", "2026-03-10T10:20:00Z").unwrap();
    desk.at("2026-03-10T11:25:00Z").hear(&ending(time(NINE), time(T)));
    assert_eq!(desk.word("requests", TEN), Some("frozen"));
}

#[test]
fn word_of_leaving_that_comes_after_the_window_lists_the_loss_once() {
    let mut desk = Desk::subscribed(terms(), NINE);
    desk.at("2026-03-10T10:20:00Z").uses("requests", "5", "2026-03-10T10:20:00Z").unwrap();
    desk.at("2026-03-10T11:40:00Z").hear(&ended(time(NINE), time("2026-03-10T11:30:00Z")));
    desk.look();
    assert_eq!(lost(&desk), [("5".to_owned(), LossReason::Expired)]);
    assert_eq!((desk.word("requests", TEN), desk.look_at), (Some("expired"), None));
}

#[test]
fn sending_goes_on_as_long_as_the_marketplace_may_take_it() {
    let mut desk = Desk::subscribed(terms(), NINE);
    desk.at("2026-03-10T10:20:00Z").uses("requests", "5", "2026-03-10T10:20:00Z").unwrap();
    let attempts_until = Some(time("2026-03-10T12:00:00Z"));
    let period = Some(period(Some(time(NINE))));
    desk.at("2026-03-10T11:40:00Z").hear(&Standing::Ended {
        at: time(T),
        end: End::Lapsed,
        period,
        attempts_until,
    });
    assert_eq!(desk.record("requests", TEN).expires_at, attempts_until);
    desk.at("2026-03-10T12:00:00Z").look();
    assert_eq!(lost(&desk), [("5".to_owned(), LossReason::Expired)]);
}

#[test]
fn usage_that_comes_after_sealing_goes_to_the_next_hour_which_freezes_at_the_soft_cut() {
    let mut desk = leaving(with_app());
    desk.at("2026-03-10T10:35:00Z").complete("app", T);
    let state = desk.at("2026-03-10T10:40:00Z").uses("requests", "2", "2026-03-10T10:25:00Z");
    assert_eq!(state, Ok(EventState::Counted { hour: hour(ELEVEN) }));
    desk.look();
    assert_eq!((desk.word("requests", ELEVEN), desk.look_at), (Some("open"), Some(time(ELEVEN))));
    desk.at(ELEVEN).look();
    assert_eq!(desk.meter.cut_by(desk.now), Some(time("2026-03-10T11:30:00Z")));
    desk.at("2026-03-10T11:20:00Z").look();
    assert_eq!(desk.reported("requests", ELEVEN), (2, ELEVEN.to_owned()));
    assert_eq!(desk.record("requests", TEN).report.as_ref().unwrap().quantity, 5);
}

#[test]
fn an_hour_that_begins_after_the_soft_cut_freezes_when_it_begins() {
    let mut desk = Desk::subscribed(terms(), NINE);
    desk.at("2026-03-10T09:58:00Z").uses("requests", "5", "2026-03-10T09:58:00Z").unwrap();
    desk.at("2026-03-10T10:05:00Z").hear(&ending(time(NINE), time("2026-03-10T10:04:00Z")));
    desk.at("2026-03-10T10:54:00Z").look();
    let state = desk.at("2026-03-10T10:56:00Z").uses("requests", "1", "2026-03-10T09:59:00Z");
    assert_eq!(state, Ok(EventState::Counted { hour: hour(TEN) }));
    desk.look();
    assert_eq!(desk.reported("requests", TEN), (1, TEN.to_owned()));
    let state = desk.at("2026-03-10T10:57:00Z").uses("requests", "1", "2026-03-10T09:59:00Z");
    assert_eq!(state, Ok(EventState::Counted { hour: hour(ELEVEN) }));
    desk.look();
    assert_eq!((desk.word("requests", ELEVEN), desk.look_at), (Some("open"), Some(time(ELEVEN))));
    desk.at(ELEVEN).look();
    assert_eq!(desk.word("requests", ELEVEN), Some("frozen"));
}

#[test]
fn usage_for_which_no_hour_begins_before_the_hard_cut_is_lost() {
    let mut desk = leaving(with_app());
    desk.at("2026-03-10T11:20:00Z").look();
    desk.at("2026-03-10T11:21:00Z").uses("requests", "1", "2026-03-10T10:25:00Z").unwrap();
    desk.look();
    let state = desk.at("2026-03-10T11:22:00Z").uses("requests", "2", "2026-03-10T10:25:00Z");
    assert_eq!(state, Ok(EventState::Lost { reason: LossReason::WindowClosed }));
    assert_eq!(lost(&desk), [("2".to_owned(), LossReason::WindowClosed)]);
    assert_eq!(desk.reported("requests", ELEVEN).0, 1);
}

#[test]
fn the_next_hour_is_used_only_where_it_begins_before_the_hard_cut() {
    for (since, lost) in [("2026-03-10T10:02:00Z", true), ("2026-03-10T10:03:00Z", false)] {
        let mut desk = Desk::subscribed(with_app(), NINE);
        desk.at("2026-03-10T10:01:00Z").uses("requests", "5", "2026-03-10T10:01:00Z").unwrap();
        desk.at("2026-03-10T10:04:00Z").hear(&ending(time(NINE), time(since)));
        desk.complete("app", since);
        let state = desk.at("2026-03-10T10:30:00Z").uses("requests", "2", "2026-03-10T10:01:00Z").unwrap();
        assert_eq!(state == EventState::Lost { reason: LossReason::WindowClosed }, lost, "{since}");
    }
}

#[test]
fn usage_in_the_window_goes_to_its_own_hour_while_that_is_not_frozen() {
    let mut desk = leaving(with_app());
    desk.at("2026-03-10T10:35:00Z").complete("app", T);
    let state = desk.at("2026-03-10T11:10:00Z").uses("storage", "1", "2026-03-10T10:50:00Z");
    assert_eq!(state, Ok(EventState::Counted { hour: hour(TEN) }));
    assert_eq!(desk.meter.cut_by(desk.now), Some(time("2026-03-10T11:30:00Z")));
}

#[test]
fn usage_that_an_operator_has_not_decided_on_goes_along() {
    let mut desk = Desk::subscribed(terms(), NINE);
    desk.at("2026-03-10T11:10:00Z").look();
    assert_eq!(desk.uses("requests", "3", "2026-03-10T09:30:00Z").unwrap().word(), "held");
    desk.at("2026-03-10T11:15:00Z").hear(&ending(time(NINE), time("2026-03-10T11:14:00Z")));
    assert_eq!(desk.record("requests", TEN).counted.parts(), 3);
}

#[test]
fn hour_ends_are_stamped_with_the_moment_of_freezing_in_the_hour_at_hand() {
    let china = MeterTerms { profile: Profile::AWS_CHINA, ..with_app() };
    assert_eq!(china.profile.stamp, Stamp::HourEnd);
    let mut desk = leaving(china);
    desk.at("2026-03-10T10:35:20.5Z").complete("app", T);
    assert_eq!(desk.reported("requests", TEN), (5, "2026-03-10T10:35:20Z".to_owned()));
    desk.at("2026-03-10T10:40:00Z").uses("requests", "2", "2026-03-10T10:25:00Z").unwrap();
    desk.at("2026-03-10T11:20:00Z").look();
    assert_eq!(desk.reported("requests", ELEVEN), (2, "2026-03-10T11:20:00Z".to_owned()));
}

#[test]
fn more_than_a_record_takes_goes_on_in_the_hours_of_the_window_and_the_rest_is_lost() {
    let mut desk = leaving(with_app());
    desk.at("2026-03-10T10:34:00Z").uses("requests", "6000000000", "2026-03-10T10:25:00Z").unwrap();
    desk.at("2026-03-10T10:35:00Z").complete("app", T);
    assert_eq!(desk.word("requests", ELEVEN), Some("open"));
    desk.at("2026-03-10T11:20:00Z").look();
    desk.settle();
    assert_eq!(desk.reported("requests", ELEVEN).0, 2_147_483_647);
    desk.at("2026-03-10T11:30:00Z").hear(&ended(time(NINE), time("2026-03-10T11:30:00Z")));
    assert_eq!(
        lost(&desk),
        [((6_000_000_005_i64 - 2 * 2_147_483_647).to_string(), LossReason::WindowClosed)]
    );
}

#[test]
fn less_than_a_unit_is_lost_at_the_end() {
    let mut desk = leaving(terms());
    desk.uses("storage", "1.75", "2026-03-10T10:25:00Z").unwrap();
    desk.at("2026-03-10T11:20:00Z").look();
    desk.settle();
    desk.at("2026-03-10T11:30:00Z").hear(&ended(time(NINE), time("2026-03-10T11:30:00Z")));
    assert_eq!(lost(&desk), [("0.75".to_owned(), LossReason::Fraction)]);
    assert!(desk.meter.carries.is_empty());
}

#[test]
fn an_hour_still_to_come_when_the_end_comes_early_is_lost_and_stays_taken() {
    let mut desk = leaving(with_app());
    desk.at("2026-03-10T10:35:00Z").complete("app", T);
    desk.settle();
    desk.at("2026-03-10T10:40:00Z").uses("requests", "2", "2026-03-10T10:25:00Z").unwrap();
    desk.at("2026-03-10T10:45:00Z").hear(&ended(time(NINE), time("2026-03-10T10:44:00Z")));
    assert_eq!(lost(&desk), [("2".to_owned(), LossReason::WindowClosed)]);
    assert_eq!(desk.meter.first_open(&crate::desk::api("requests")), hour("2026-03-10T12:00:00Z"));
}

#[test]
fn a_leaving_buyers_hour_is_not_sent_before_it_has_begun() {
    let mut desk = leaving(with_app());
    desk.at("2026-03-10T10:35:00Z").complete("app", T);
    desk.at("2026-03-10T10:40:00Z").uses("requests", "2", "2026-03-10T10:25:00Z").unwrap();
    desk.margin = minutes(55);
    desk.look();
    assert_eq!(desk.word("requests", ELEVEN), Some("open"));
}
