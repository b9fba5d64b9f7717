//! Records whose time is over.

use stallkeeper_ledger::{Answer, LossReason, RecordState, Risk};

use crate::desk::{Desk, ending, terms, time};

const TEN: &str = "2026-03-10T10:00:00Z";

fn frozen(at: &str, closed: &str) -> Desk {
    let mut desk = Desk::subscribed(terms(), at);
    desk.uses("requests", "5", at).unwrap();
    desk.at(closed).look();
    desk
}

fn expires(desk: &mut Desk, hour: &str, at: &str) {
    let just_before = time(at).minus(std::time::Duration::from_micros(1));
    desk.now = just_before;
    desk.look();
    assert_eq!(desk.word("requests", hour), Some("frozen"), "{just_before}");
    desk.at(at).look();
    assert_eq!(desk.word("requests", hour), Some("expired"));
    assert_eq!(desk.lost(), [("api-requests".to_owned(), "5".to_owned(), LossReason::Expired)]);
    desk.look();
    assert_eq!(desk.losses.len(), 1);
}

fn why(desk: &Desk) -> String {
    match &desk.record("requests", TEN).state {
        RecordState::Ended { why, .. } => why.clone(),
        _ => String::new(),
    }
}

#[test]
fn a_day_after_its_time() {
    let mut desk = frozen(TEN, "2026-03-10T12:00:00Z");
    expires(&mut desk, TEN, "2026-03-11T10:00:00Z");
    assert_eq!(why(&desk), "it could not be sent in time");
}

#[test]
fn at_six_on_the_first_of_the_next_month() {
    let mut desk = frozen("2026-03-31T23:00:00Z", "2026-04-01T01:00:00Z");
    expires(&mut desk, "2026-03-31T23:00:00Z", "2026-04-01T06:00:00Z");
}

#[test]
fn at_the_end_of_the_final_usage_window_also_where_it_was_frozen_before() {
    let mut desk = frozen(TEN, "2026-03-10T12:00:00Z");
    desk.hear(&ending(time(TEN), time("2026-03-10T11:50:00Z")));
    expires(&mut desk, TEN, "2026-03-10T12:50:00Z");
}

#[test]
fn in_doubt_which_is_said_in_words() {
    let mut desk = frozen(TEN, "2026-03-10T12:00:00Z");
    let key = desk.key("requests", TEN);
    let attempt = desk.attempts(&key);
    desk.answers(&key, attempt, Answer::Unknown);
    expires(&mut desk, TEN, "2026-03-11T10:00:00Z");
    assert_eq!(why(&desk), "an attempt has no answer, so the marketplace may hold it");
    assert_eq!(desk.losses[0].detail, why(&desk));
}

#[test]
fn with_an_attempt_under_way_which_is_doubt() {
    let mut desk = frozen(TEN, "2026-03-10T12:00:00Z");
    let key = desk.key("requests", TEN);
    desk.attempts(&key);
    expires(&mut desk, TEN, "2026-03-11T10:00:00Z");
    assert_eq!(why(&desk), "an attempt has no answer, so the marketplace may hold it");
}

#[test]
fn is_a_risk_once_half_of_its_time_is_gone_and_none_any_more_when_it_is_over() {
    let desk = frozen(TEN, "2026-03-10T12:00:00Z");
    let risk = |now| Risk::of(desk.record("requests", TEN), time(now));
    assert_eq!(risk("2026-03-10T22:59:59Z"), None, "frozen at 12 o'clock, over at 10 of the next day");
    let half = risk("2026-03-10T23:00:00Z").unwrap();
    assert_eq!(half.parts.display(half.scale), "5");
    assert_eq!(half.until, time("2026-03-11T10:00:00Z"));
    assert_eq!(risk("2026-03-11T10:00:00Z"), None);
}
