//! One stretch of a subscription after the other.

use stallkeeper_ledger::{EventState, LossReason, MeterTerms, Phase, Profile, follow};
use stallkeeper_lifecycle::Standing;

use crate::desk::{
    Desk, ended, ending, hour, period, subscribed, subscription, tenant, terms, time, with_sources,
};

const NINE: &str = "2026-03-10T09:00:00Z";
const TEN: &str = "2026-03-10T10:00:00Z";
const ELEVEN: &str = "2026-03-10T11:00:00Z";
const T: &str = "2026-03-10T10:30:00Z";
const BACK: &str = "2026-03-10T10:45:00Z";

/// With 5 requests in hour 10, leaving at T; sealed at 10:35.
fn sealed(terms: MeterTerms) -> Desk {
    let mut desk = Desk::subscribed(with_sources(terms, &["app"]), NINE);
    desk.at("2026-03-10T10:20:00Z").uses("requests", "5", "2026-03-10T10:20:00Z").unwrap();
    desk.at("2026-03-10T10:31:00Z").hear(&ending(time(NINE), time(T)));
    desk.at("2026-03-10T10:35:00Z").complete("app", T);
    desk
}

#[test]
fn a_period_is_counted_and_its_first_hour_is_that_of_its_start() {
    let desk = Desk::subscribed(terms(), "2026-03-10T10:59:59.5Z");
    assert_eq!((desk.meter.period, desk.meter.first_hour), (1, hour(ELEVEN)));
    assert_eq!(desk.meter.phase, Phase::Running);
}

#[test]
fn resubscribing_inside_the_window_sends_the_open_hour_once_and_counts_in_the_next() {
    let mut desk = sealed(terms());
    desk.settle();
    desk.at(BACK).hear(&subscribed(time(BACK)));
    assert_eq!((desk.meter.period, desk.meter.first_hour), (2, hour(ELEVEN)));
    let state = desk.at("2026-03-10T10:50:00Z").uses("requests", "7", "2026-03-10T10:50:00Z");
    assert_eq!(state, Ok(EventState::Counted { hour: hour(ELEVEN) }));
    desk.at("2026-03-10T13:00:00Z").look();
    assert_eq!(desk.reported("requests", TEN).0, 5);
    assert_eq!(desk.reported("requests", ELEVEN), (7, ELEVEN.to_owned()));
    assert_eq!(desk.losses, []);
}

#[test]
fn resubscribing_before_sealing_freezes_what_the_period_before_left_open() {
    let mut desk = Desk::subscribed(terms(), NINE);
    desk.at("2026-03-10T10:20:00Z").uses("requests", "5", "2026-03-10T10:20:00Z").unwrap();
    desk.at("2026-03-10T10:31:00Z").hear(&ending(time(NINE), time(T)));
    desk.at(BACK).hear(&subscribed(time(BACK)));
    assert_eq!(desk.reported("requests", TEN), (5, TEN.to_owned()));
    assert_eq!(desk.record("requests", TEN).expires_at, Some(time("2026-03-11T10:00:00Z")));
    assert_eq!(desk.meter.first_hour, hour(ELEVEN));
}

#[test]
fn an_hour_of_the_period_before_that_is_still_to_come_waits_until_it_begins() {
    let mut desk = sealed(terms());
    desk.at("2026-03-10T10:40:00Z").uses("requests", "2", "2026-03-10T10:25:00Z").unwrap();
    desk.at(BACK).hear(&subscribed(time(BACK)));
    assert_eq!((desk.word("requests", ELEVEN), desk.look_at), (Some("open"), Some(time(ELEVEN))));
    assert_eq!(desk.meter.first_hour, hour("2026-03-10T12:00:00Z"));
    desk.at(ELEVEN).look();
    assert_eq!(desk.reported("requests", ELEVEN), (2, ELEVEN.to_owned()));
}

#[test]
fn an_hour_end_of_the_period_before_is_not_stamped_in_the_next() {
    let china = MeterTerms { profile: Profile::AWS_CHINA, ..terms() };
    let mut desk = Desk::subscribed(china, NINE);
    desk.at("2026-03-10T10:20:00Z").uses("requests", "5", "2026-03-10T10:20:00Z").unwrap();
    desk.at("2026-03-10T10:31:00Z").hear(&ending(time(NINE), time(T)));
    desk.at("2026-03-10T10:50:00Z").hear(&subscribed(time(BACK)));
    assert_eq!(desk.reported("requests", TEN), (5, "2026-03-10T10:44:59Z".to_owned()));
}

#[test]
fn resubscribing_after_the_window_leaves_its_end_to_the_period_before() {
    let mut desk = sealed(terms());
    desk.at("2026-03-10T11:30:00Z").follow(&ended(time(NINE), time("2026-03-10T11:30:00Z")));
    desk.at("2026-03-10T11:40:00Z").hear(&subscribed(time("2026-03-10T11:40:00Z")));
    assert_eq!(desk.lost(), [("api-requests".to_owned(), "5".to_owned(), LossReason::Expired)]);
    assert_eq!((desk.meter.period, desk.meter.first_hour), (2, hour(ELEVEN)));
}

#[test]
fn leftovers_never_cross_a_period() {
    let mut desk = sealed(terms());
    desk.at("2026-03-10T10:36:00Z").uses("storage", "1.75", "2026-03-10T10:20:00Z").unwrap();
    desk.at(BACK).hear(&subscribed(time(BACK)));
    assert_eq!(desk.reported("storage", TEN).0, 1);
    assert_eq!(desk.lost(), [("api-storage".to_owned(), "0.75".to_owned(), LossReason::Fraction)]);
}

#[test]
fn leftovers_never_cross_a_period_also_when_both_freeze_in_one_look() {
    let mut desk = sealed(terms());
    desk.at("2026-03-10T10:36:00Z").uses("storage", "1.75", "2026-03-10T10:20:00Z").unwrap();
    desk.at(BACK).follow(&subscribed(time(BACK)));
    desk.at("2026-03-10T10:50:00Z").uses("storage", "1.25", "2026-03-10T10:50:00Z").unwrap();
    desk.at("2026-03-10T13:00:00Z").look();
    assert_eq!((desk.reported("storage", TEN).0, desk.reported("storage", ELEVEN).0), (1, 1));
    assert!(desk.lost().contains(&("api-storage".to_owned(), "0.75".to_owned(), LossReason::Fraction)));
}

#[test]
fn what_a_record_did_not_take_goes_into_the_hour_that_its_own_period_has_still_to_come() {
    let mut desk = Desk::subscribed(with_sources(terms(), &["app"]), NINE);
    desk.at("2026-03-10T10:20:00Z").uses("requests", "3000000000", "2026-03-10T10:20:00Z").unwrap();
    desk.at("2026-03-10T10:31:00Z").hear(&ending(time(NINE), time(T)));
    desk.at("2026-03-10T10:35:00Z").complete("app", T);
    desk.at(BACK).hear(&subscribed(time(BACK)));
    desk.at(ELEVEN).look();
    assert_eq!(desk.reported("requests", ELEVEN).0, 852_516_353);
    assert_eq!(desk.losses, []);
}

#[test]
fn usage_that_is_held_as_late_is_lost_when_its_period_is_over() {
    let mut desk = Desk::subscribed(terms(), NINE);
    desk.at("2026-03-10T11:10:00Z").look();
    desk.uses("requests", "3", "2026-03-10T09:30:00Z").unwrap();
    desk.hear(&subscribed(time("2026-03-10T11:05:00Z")));
    assert_eq!(desk.lost(), [("api-requests".to_owned(), "3".to_owned(), LossReason::EarlierPeriod)]);
}

#[test]
fn a_start_that_turns_out_to_be_earlier_is_the_same_periods() {
    let mut desk = Desk::subscribed(terms(), "2026-03-10T10:20:00Z");
    desk.uses("requests", "5", "2026-03-10T10:20:00Z").unwrap();
    desk.at(T).hear(&subscribed(time("2026-03-10T09:10:00Z")));
    assert_eq!(desk.meter.period, 1);
    desk.at("2026-03-10T12:00:00Z").look();
    assert_eq!(desk.reported("requests", TEN), (5, TEN.to_owned()));
}

#[test]
fn a_later_start_is_a_new_period_also_when_the_end_between_is_heard_of_later() {
    let mut desk = Desk::subscribed(terms(), NINE);
    desk.at("2026-03-10T10:20:00Z").uses("requests", "5", "2026-03-10T10:20:00Z").unwrap();
    desk.at("2026-03-10T10:50:00Z").hear(&subscribed(time(BACK)));
    assert_eq!((desk.meter.period, desk.word("requests", TEN)), (2, Some("frozen")));
    let state = desk.uses("requests", "1", "2026-03-10T10:49:00Z");
    assert_eq!(state, Ok(EventState::Counted { hour: hour(ELEVEN) }));
}

#[test]
fn a_period_whose_start_was_never_heard_of_begins_with_the_word_about_it() {
    let mut desk = Desk::new(terms(), time("2026-03-10T10:31:00Z"));
    let deadline = time("2026-03-10T11:30:00Z");
    let unseen =
        Standing::Ending { period: period(None), since: time(T), deadline, attempts_until: deadline };
    desk.hear(&unseen);
    assert_eq!((desk.meter.period, desk.meter.period_start), (1, None));
    desk.at("2026-03-10T10:50:00Z").hear(&subscribed(time("2026-03-10T08:00:00Z")));
    assert_eq!((desk.meter.period, desk.meter.period_start), (1, Some(time("2026-03-10T08:00:00Z"))));
}

#[test]
fn after_a_window_whose_start_was_never_heard_of_a_start_is_a_new_period() {
    let mut desk = Desk::new(terms(), time("2026-03-10T10:31:00Z"));
    let deadline = time("2026-03-10T11:30:00Z");
    let unseen =
        Standing::Ending { period: period(None), since: time(T), deadline, attempts_until: deadline };
    desk.hear(&unseen);
    desk.at(BACK).hear(&subscribed(time(BACK)));
    assert_eq!(desk.meter.period, 2);
}

#[test]
fn a_start_learned_later_than_an_hour_leaves_the_hours_record_inside_it() {
    let mut desk = Desk::subscribed(terms(), NINE);
    desk.meter.period_start = None;
    desk.at("2026-03-10T10:20:00Z").uses("requests", "5", "2026-03-10T10:20:00Z").unwrap();
    desk.at("2026-03-10T12:00:00Z").hear(&subscribed(time("2026-03-10T11:50:00Z")));
    assert_eq!(desk.meter.period, 1);
    assert_eq!(desk.reported("requests", TEN), (5, "2026-03-10T10:59:59Z".to_owned()));
}

#[test]
fn a_failed_payment_for_subscribing_again_leaves_the_window_before_alone() {
    let mut desk = sealed(terms());
    let attempts_until = Some(time("2026-03-10T11:30:00Z"));
    let ended = Standing::Ended {
        at: time("2026-03-10T10:40:00Z"),
        end: stallkeeper_lifecycle::End::Said,
        period: Some(period(Some(time(NINE)))),
        attempts_until,
    };
    desk.at("2026-03-10T10:40:00Z").hear(&ended);
    desk.at("2026-03-10T10:50:00Z").hear(&Standing::Failed { at: time("2026-03-10T10:49:00Z") });
    assert_eq!(desk.record("requests", TEN).expires_at, attempts_until);
    assert_eq!(desk.losses, []);
    desk.at("2026-03-10T11:30:00Z").look();
    assert_eq!(desk.lost(), [("api-requests".to_owned(), "5".to_owned(), LossReason::Expired)]);
}

#[test]
fn nobody_who_has_neither_a_tenant_nor_a_word_gets_a_meter() {
    let somebody = tenant();
    let meter = |standing: &Standing, tenant| {
        follow(None, &subscription(), standing, None, tenant, &terms(), time(TEN))
    };
    assert_eq!(meter(&Standing::None, None), None);
    assert!(meter(&Standing::None, Some(&somebody)).is_some());
    assert!(meter(&subscribed(time(TEN)), None).is_some());
}

#[test]
fn a_word_that_changes_nothing_is_no_news() {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.look();
    let standing = subscribed(time(TEN));
    let again =
        follow(Some(&desk.meter), &subscription(), &standing, None, Some(&tenant()), &desk.terms, desk.now);
    assert_eq!(again, None);
}
