use std::time::Duration;

use stallkeeper_lifecycle::Timestamp;

use crate::{Doubt, Loss, Record, RecordEnd, RecordState};

/// How long to wait before a record is sent again of which the marketplace says that nobody is subscribed.
const HEAL_INITIAL: Duration = Duration::from_mins(5);
const HEAL_CAP: Duration = Duration::from_hours(1);
/// The same where its time is over within two hours, as in a final-usage window.
const HEAL_URGENT: Duration = Duration::from_mins(2);
const URGENT: Duration = Duration::from_hours(2);

/// What is said of a record that is given up although an attempt may have been taken.
pub(crate) const IN_DOUBT: &str = "an attempt has no answer, so the marketplace may hold it";

/// What the marketplace said of one record, or of the request that it was in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `Success`.
    Accepted {
        /// The marketplace's id of it.
        record_id: String,
    },
    /// `DuplicateRecord`: a record of this key is there. The answer echoes ours, so it proves nothing.
    Duplicate {
        /// The marketplace's id, where it said one.
        record_id: Option<String>,
    },
    /// `CustomerNotSubscribed`: it may heal.
    NotSubscribed,
    /// Not done: named in `UnprocessedRecords`, or the whole request was throttled.
    NotDone,
    /// Nobody knows: no answer, an answer without this record, or a word that is not known.
    Unknown,
    /// The request was refused for this record alone.
    Refused {
        /// The marketplace's word for it.
        code: String,
    },
}

/// What an answer came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Nothing is lost.
    Kept,
    /// The record will never be billed.
    Lost(Box<Loss>),
    /// The record will never be billed, and was nothing.
    LostNothing,
    /// A record that was given up is billed all the same.
    Recovered,
}

/// Takes an attempt's answer for a record in. States only go forward, and settled goes before all others.
pub fn answered(record: &mut Record, attempt: i64, answer: Answer, now: Timestamp) -> Answered {
    if record.sending.in_flight == Some(attempt) {
        record.sending.in_flight = None;
    }
    match (&record.state, answer) {
        (RecordState::Settled { .. } | RecordState::Open, _) => Answered::Kept,
        (before, Answer::Accepted { record_id }) => {
            let was_given_up = matches!(before, RecordState::Ended { .. });
            record.state = RecordState::Settled { at: now, record_id };
            if was_given_up { Answered::Recovered } else { Answered::Kept }
        }
        (RecordState::Frozen { .. }, answer) => frozen(record, answer, now),
        (RecordState::SettledAssumed { .. } | RecordState::Ended { .. }, _) => Answered::Kept,
    }
}

fn frozen(record: &mut Record, answer: Answer, now: Timestamp) -> Answered {
    match answer {
        Answer::Accepted { .. } => Answered::Kept,
        Answer::NotDone => {
            send_again(record);
            Answered::Kept
        }
        Answer::Unknown => {
            record.sending.doubt = Doubt::Unanswered;
            send_again(record);
            Answered::Kept
        }
        Answer::Duplicate { record_id } => match record.sending.doubt {
            Doubt::Unanswered => {
                record.state = RecordState::SettledAssumed { at: now, record_id };
                Answered::Kept
            }
            Doubt::None => {
                let why = "the marketplace holds another record of this hour".to_owned();
                end(record, RecordEnd::Conflict, why, now)
            }
        },
        Answer::NotSubscribed => not_subscribed(record, now),
        Answer::Refused { code } => {
            let doubt = if record.sending.is_in_doubt() { IN_DOUBT } else { "" };
            let comma = if doubt.is_empty() { "" } else { "; " };
            end(record, RecordEnd::Rejected, format!("refused: {code}{comma}{doubt}"), now)
        }
    }
}

/// At once, unless a later attempt is under way.
fn send_again(record: &mut Record) {
    if record.sending.in_flight.is_none() {
        record.sending.retry_at = None;
    }
}

/// It heals where the activation was not known yet or an account was frozen: sent again, slowly, for as long as
/// its time lasts.
fn not_subscribed(record: &mut Record, now: Timestamp) -> Answered {
    record.sending.refusals = record.sending.refusals.saturating_add(1);
    let is_urgent = record.expires_at.is_some_and(|until| until.since(now) < URGENT);
    let wait = if is_urgent {
        HEAL_URGENT
    } else {
        let doublings = record.sending.refusals.saturating_sub(1).min(8);
        HEAL_INITIAL.saturating_mul(1 << doublings).min(HEAL_CAP)
    };
    record.sending.retry_at = Some(now.plus(wait));
    Answered::Kept
}

/// The record will never be billed.
pub(crate) fn end(record: &mut Record, end: RecordEnd, why: String, now: Timestamp) -> Answered {
    let loss = Loss::of_record(record, record.parts_reported(), end.into(), now, &why);
    record.state = RecordState::Ended { at: now, end, why };
    loss.map_or(Answered::LostNothing, |loss| Answered::Lost(Box::new(loss)))
}
