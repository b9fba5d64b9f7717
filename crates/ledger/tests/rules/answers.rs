//! What the marketplace says: every row of the AWS reference's results, and what a record comes to.

use stallkeeper_ledger::{
    ANSWER_WAIT, Answer, Answered, Doubt, Loss, LossReason, Record, RecordEnd, RecordKey, RecordState,
};

use crate::desk::{Desk, minutes, terms, time};

const TEN: &str = "2026-03-10T10:00:00Z";

/// 5 requests of hour 10, frozen at 12:00.
fn frozen() -> (Desk, RecordKey) {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.uses("requests", "5", TEN).unwrap();
    desk.at("2026-03-10T12:00:00Z").look();
    let key = desk.key("requests", TEN);
    (desk, key)
}

fn sent(desk: &mut Desk, key: &RecordKey, answer: Answer) -> Answered {
    let attempt = desk.attempts(key);
    desk.answers(key, attempt, answer)
}

fn accepted() -> Answer {
    Answer::Accepted { record_id: "id-1".to_owned() }
}

fn duplicate() -> Answer {
    Answer::Duplicate { record_id: Some("id-9".to_owned()) }
}

fn refused() -> Answer {
    Answer::Refused { code: "InvalidTagException".to_owned() }
}

fn state(desk: &Desk) -> &RecordState {
    &desk.record("requests", TEN).state
}

fn record(desk: &Desk) -> &Record {
    desk.record("requests", TEN)
}

fn why(desk: &Desk) -> &str {
    match state(desk) {
        RecordState::Ended { why, .. } => why,
        _ => "",
    }
}

fn lost(desk: &Desk) -> Vec<(i64, LossReason)> {
    desk.losses.iter().map(|loss: &Loss| (loss.parts.parts(), loss.reason)).collect()
}

#[test]
fn success_settles_under_the_marketplaces_id() {
    let (mut desk, key) = frozen();
    assert_eq!(sent(&mut desk, &key, accepted()), Answered::Kept);
    assert_eq!(*state(&desk), RecordState::Settled { at: desk.now, record_id: "id-1".to_owned() });
}

#[test]
fn a_duplicate_is_a_conflict_and_its_units_are_lost() {
    let (mut desk, key) = frozen();
    assert!(matches!(sent(&mut desk, &key, duplicate()), Answered::Lost(_)));
    assert!(matches!(state(&desk), RecordState::Ended { end: RecordEnd::Conflict, .. }));
    assert_eq!(lost(&desk), [(5, LossReason::Conflict)]);
}

#[test]
fn a_duplicate_after_an_attempt_without_an_answer_is_taken_for_ours() {
    let (mut desk, key) = frozen();
    sent(&mut desk, &key, Answer::Unknown);
    assert_eq!(sent(&mut desk, &key, duplicate()), Answered::Kept);
    let record_id = Some("id-9".to_owned());
    assert_eq!(*state(&desk), RecordState::SettledAssumed { at: desk.now, record_id });
}

#[test]
fn a_duplicate_after_a_crash_between_call_and_answer_is_taken_for_ours() {
    let (mut desk, key) = frozen();
    desk.attempts(&key);
    assert_eq!(record(&desk).sending.retry_at, Some(desk.now.plus(ANSWER_WAIT)));
    sent(&mut desk, &key, duplicate());
    assert!(matches!(state(&desk), RecordState::SettledAssumed { .. }));
}

#[test]
fn a_duplicate_after_attempts_that_were_all_answered_is_a_conflict() {
    let (mut desk, key) = frozen();
    sent(&mut desk, &key, Answer::NotDone);
    sent(&mut desk, &key, Answer::NotSubscribed);
    sent(&mut desk, &key, duplicate());
    assert!(matches!(state(&desk), RecordState::Ended { end: RecordEnd::Conflict, .. }));
}

#[test]
fn unprocessed_is_sent_again_at_once_and_the_same() {
    let (mut desk, key) = frozen();
    let before = record(&desk).report.clone();
    sent(&mut desk, &key, Answer::NotDone);
    assert_eq!((record(&desk).sending.retry_at, record(&desk).sending.doubt), (None, Doubt::None));
    assert_eq!(record(&desk).report, before);
    assert!(record(&desk).is_frozen());
}

#[test]
fn without_an_answer_it_is_in_doubt_and_sent_again_at_once() {
    let (mut desk, key) = frozen();
    sent(&mut desk, &key, Answer::Unknown);
    assert_eq!((record(&desk).sending.retry_at, record(&desk).sending.doubt), (None, Doubt::Unanswered));
    assert!(record(&desk).is_frozen());
}

#[test]
fn not_subscribed_may_heal_and_is_tried_again_more_and_more_slowly() {
    let (mut desk, key) = frozen();
    let mut waits = Vec::new();
    for _ in 0..6 {
        sent(&mut desk, &key, Answer::NotSubscribed);
        waits.push(record(&desk).sending.retry_at.unwrap().since(desk.now).as_secs() / 60);
    }
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    sent(&mut desk, &key, accepted());
    assert!(matches!(state(&desk), RecordState::Settled { .. }));
    assert_eq!(lost(&desk), []);
}

#[test]
fn not_subscribed_is_tried_again_soon_where_its_time_is_nearly_over() {
    let (mut desk, key) = frozen();
    desk.at("2026-03-11T08:30:00Z");
    sent(&mut desk, &key, Answer::NotSubscribed);
    assert_eq!(record(&desk).sending.retry_at, Some(desk.now.plus(minutes(2))));
}

#[test]
fn not_subscribed_to_the_last_ends_as_that() {
    let (mut desk, key) = frozen();
    sent(&mut desk, &key, Answer::NotSubscribed);
    desk.at("2026-03-11T10:00:00Z").look();
    assert_eq!(lost(&desk), [(5, LossReason::NotSubscribed)]);
    assert_eq!(why(&desk), "the marketplace said to the last that nobody is subscribed");
}

#[test]
fn a_record_that_is_refused_is_lost_with_the_marketplaces_word() {
    let (mut desk, key) = frozen();
    sent(&mut desk, &key, refused());
    assert_eq!(lost(&desk), [(5, LossReason::Rejected)]);
    assert_eq!(why(&desk), "refused: InvalidTagException");
}

#[test]
fn a_refusal_after_an_attempt_without_an_answer_says_so() {
    let (mut desk, key) = frozen();
    sent(&mut desk, &key, Answer::Unknown);
    sent(&mut desk, &key, refused());
    assert!(why(&desk).contains("an attempt has no answer, so the marketplace may hold it"));
}

#[test]
fn a_record_of_nothing_that_is_refused_loses_nothing() {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.uses("requests", "0", TEN).unwrap();
    desk.at("2026-03-10T12:00:00Z").look();
    let key = desk.key("requests", TEN);
    assert_eq!(sent(&mut desk, &key, refused()), Answered::LostNothing);
    assert_eq!(lost(&desk), []);
}

#[test]
fn settled_goes_before_whatever_else_is_said_later() {
    let (mut desk, key) = frozen();
    sent(&mut desk, &key, accepted());
    for answer in [duplicate(), refused(), Answer::NotSubscribed, Answer::NotDone, Answer::Unknown] {
        assert_eq!(desk.answers(&key, 1, answer), Answered::Kept);
        assert!(matches!(state(&desk), RecordState::Settled { .. }));
    }
}

#[test]
fn an_assumption_becomes_certain_and_never_the_reverse() {
    let (mut desk, key) = frozen();
    sent(&mut desk, &key, Answer::Unknown);
    sent(&mut desk, &key, duplicate());
    desk.answers(&key, 1, refused());
    assert!(matches!(state(&desk), RecordState::SettledAssumed { .. }));
    desk.answers(&key, 1, accepted());
    assert!(matches!(state(&desk), RecordState::Settled { .. }));
}

#[test]
fn a_success_that_comes_after_all_recovers_what_was_lost() {
    let (mut desk, key) = frozen();
    let attempt = desk.attempts(&key);
    desk.at("2026-03-11T10:00:00Z").look();
    assert_eq!(lost(&desk), [(5, LossReason::Expired)]);
    assert_eq!(desk.answers(&key, attempt, accepted()), Answered::Recovered);
    assert!(matches!(state(&desk), RecordState::Settled { .. }));
    assert_eq!(lost(&desk), []);
}

#[test]
fn an_old_attempts_answer_does_not_hurry_the_one_under_way() {
    let (mut desk, key) = frozen();
    let first = desk.attempts(&key);
    let second = desk.attempts(&key);
    desk.answers(&key, first, Answer::NotDone);
    assert_eq!(record(&desk).sending.retry_at, Some(desk.now.plus(ANSWER_WAIT)));
    assert_eq!(record(&desk).sending.in_flight, Some(second));
}

#[test]
fn an_open_hour_takes_no_answer() {
    let mut desk = Desk::subscribed(terms(), TEN);
    desk.uses("requests", "5", TEN).unwrap();
    let key = desk.key("requests", TEN);
    assert_eq!(desk.answers(&key, 1, accepted()), Answered::Kept);
    assert_eq!(desk.word("requests", TEN), Some("open"));
}

#[test]
fn only_frozen_records_go_out_and_as_the_same_bytes_each_time() {
    let (mut desk, key) = frozen();
    let bytes = |desk: &Desk| serde_json::to_vec(&desk.outgoing()[0].report).unwrap();
    let before = bytes(&desk);
    sent(&mut desk, &key, Answer::Unknown);
    desk.at("2026-03-10T12:30:00Z").uses("requests", "1", "2026-03-10T10:30:00Z").unwrap();
    desk.look();
    assert_eq!(bytes(&desk), before);
    sent(&mut desk, &key, accepted());
    assert_eq!(desk.outgoing(), []);
}

#[test]
fn a_record_is_stored_and_read_as_it_was() {
    let (mut desk, key) = frozen();
    sent(&mut desk, &key, Answer::Unknown);
    let text = serde_json::to_string(record(&desk)).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), *record(&desk));
    let meter = serde_json::to_string(&desk.meter).unwrap();
    assert_eq!(serde_json::from_str::<stallkeeper_ledger::Meter>(&meter).unwrap(), desk.meter);
}

#[test]
fn many_attempts_are_remembered_by_the_first_and_the_last() {
    let (mut desk, key) = frozen();
    for _ in 0..100 {
        sent(&mut desk, &key, Answer::NotDone);
    }
    let attempts = &record(&desk).sending.attempts;
    assert_eq!((attempts.len(), attempts[0], attempts[63]), (64, 1, 100));
    assert_eq!(desk.now, time("2026-03-10T12:00:00Z"));
}
