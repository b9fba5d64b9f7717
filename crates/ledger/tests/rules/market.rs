//! A marketplace in memory: of each key it bills the first record that it is sent, and no other.

use std::collections::BTreeMap;

use stallkeeper_ledger::{Answer, RecordKey, Report};
use stallkeeper_lifecycle::Timestamp;

use crate::desk::Desk;
use crate::oracle::calendar::hour_of;

/// What happens to one record that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Luck {
    Taken,
    /// Taken, and the answer is lost on its way.
    AnswerLost,
    /// Taken, and the answer comes later.
    AnswerLate,
    /// Taken, and the worker stops before it hears of it.
    Crash,
    RequestLost,
    Unprocessed,
    NotSubscribed,
    Refused,
}

#[derive(Default)]
pub(crate) struct Market {
    /// By hour, dimension and region: what is billed.
    pub(crate) billed: BTreeMap<(i64, String, String), i64>,
    late: Vec<(RecordKey, i64, Answer)>,
}

pub(crate) fn bill_key(key: &RecordKey, report: &Report) -> (i64, String, String) {
    (hour_of(report.stamp.as_micros()), report.dimension.to_string(), key.region.to_string())
}

impl Market {
    /// Takes a record; the same one again is told as taken or, as AWS does at times, as a duplicate.
    fn take(&mut self, key: &RecordKey, report: &Report, says_duplicate: bool) -> Answer {
        let record_id = format!("{}-{}", report.stamp, report.dimension);
        let key = bill_key(key, report);
        match self.billed.get(&key) {
            Some(known) if *known != report.quantity || says_duplicate => {
                Answer::Duplicate { record_id: Some(record_id) }
            }
            _ => {
                self.billed.insert(key, report.quantity);
                Answer::Accepted { record_id }
            }
        }
    }

    /// One record is sent, and this is its luck.
    pub(crate) fn send(&mut self, desk: &mut Desk, key: &RecordKey, luck: Luck) {
        let record = &desk.records[key];
        let report = record.report.clone().unwrap();
        assert!(report.stamp <= desk.now, "{key}: its time {} is still to come", report.stamp);
        let attempt = desk.attempts(key);
        let says_duplicate = attempt % 2 == 0;
        match luck {
            Luck::Taken => {
                let answer = self.take(key, &report, says_duplicate);
                desk.answers(key, attempt, answer);
            }
            Luck::AnswerLost => {
                self.take(key, &report, says_duplicate);
                desk.answers(key, attempt, Answer::Unknown);
            }
            Luck::AnswerLate => {
                let answer = self.take(key, &report, says_duplicate);
                self.late.push((key.clone(), attempt, answer));
            }
            Luck::Crash => {
                self.take(key, &report, says_duplicate);
            }
            Luck::RequestLost => {
                desk.answers(key, attempt, Answer::Unknown);
            }
            Luck::Unprocessed => {
                desk.answers(key, attempt, Answer::NotDone);
            }
            Luck::NotSubscribed => {
                desk.answers(key, attempt, Answer::NotSubscribed);
            }
            Luck::Refused => {
                desk.answers(key, attempt, Answer::Refused { code: "InvalidTagException".to_owned() });
            }
        }
    }

    /// The answers that were late arrive.
    pub(crate) fn deliver(&mut self, desk: &mut Desk) {
        for (key, attempt, answer) in std::mem::take(&mut self.late) {
            desk.answers(&key, attempt, answer);
        }
    }
}

/// The frozen records that may be sent now.
pub(crate) fn sendable(desk: &Desk, now: Timestamp) -> Vec<RecordKey> {
    let may_be_sent = |record: &&stallkeeper_ledger::Record| {
        let is_in_time = record.expires_at.is_some_and(|until| now < until);
        record.is_frozen() && is_in_time && record.sending.retry_at.is_none_or(|at| at <= now)
    };
    desk.records.values().filter(may_be_sent).map(|record| record.key.clone()).collect()
}
