use stallkeeper_ledger::{Answer, Outgoing};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::usage::{AttemptOutcome, AttemptResult};

use crate::{CallAnswer, CallError, RecordAnswer};

/// How long an error's words may be that are kept with an attempt.
const ERROR_CHARS_MAX: usize = 500;

/// What one call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// What is stored of it.
    pub(crate) result: AttemptResult,
    /// The records that are tried again apart, in two new calls.
    pub(crate) halves: Vec<Vec<i64>>,
    /// How it went.
    pub(crate) came: Came,
}

/// How a call went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// It was answered record by record.
    Answered,
    /// Some record of it is refused.
    Refused,
    /// There were too many calls.
    Throttled,
    /// Somebody has to mend something.
    NotPossible { problem: String, remedy: String },
    /// Nobody knows.
    Unanswered,
    /// It was not made.
    NotBegun,
}

impl Came {
    /// The word under which it is counted.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::NotPossible { .. } => "not_possible",
            Self::Unanswered => "unanswered",
            Self::NotBegun => "not_begun",
        }
    }
}

impl Made {
    /// A call that was not made, for that reason.
    pub(crate) fn not_begun(attempt: i64, records: &[Outgoing], why: &str, at: Timestamp) -> Self {
        let outcome = AttemptOutcome { at, request_id: None, error: Some(format!("not sent: {why}")) };
        let answers = not_done(records);
        Self { result: AttemptResult { attempt, outcome, answers }, halves: Vec::new(), came: Came::NotBegun }
    }

    /// A call that was made with `sent`; `late` are those of its records whose time was over by then.
    pub(crate) fn of(
        attempt: i64,
        sent: &[Outgoing],
        late: &[Outgoing],
        said: Result<CallAnswer, CallError>,
        at: Timestamp,
    ) -> Self {
        let mut made = match said {
            Ok(answer) => answered(attempt, sent, answer, at),
            Err(error) => failed(attempt, sent, error, at),
        };
        made.result.answers.extend(not_done(late));
        made
    }
}

fn not_done(records: &[Outgoing]) -> Vec<(i64, Answer)> {
    records.iter().map(|record| (record.number, Answer::NotDone)).collect()
}

fn answered(attempt: i64, sent: &[Outgoing], answer: CallAnswer, at: Timestamp) -> Made {
    let unheard = answer.records.iter().find_map(|said| match said {
        RecordAnswer::Unheard { word } => Some(shortened(&format!("a status that is not known: {word}"))),
        _ => None,
    });
    let said = answer.records.into_iter().map(of_record).chain(std::iter::repeat(Answer::Unknown));
    let answers = sent.iter().map(|record| record.number).zip(said).collect();
    let outcome = AttemptOutcome { at, request_id: answer.request_id, error: unheard };
    Made { result: AttemptResult { attempt, outcome, answers }, halves: Vec::new(), came: Came::Answered }
}

fn of_record(said: RecordAnswer) -> Answer {
    match said {
        RecordAnswer::Accepted { record_id } => Answer::Accepted { record_id },
        RecordAnswer::Duplicate { record_id } => Answer::Duplicate { record_id },
        RecordAnswer::NotSubscribed => Answer::NotSubscribed,
        RecordAnswer::Unprocessed => Answer::NotDone,
        RecordAnswer::Unheard { .. } | RecordAnswer::Missing => Answer::Unknown,
    }
}

fn failed(attempt: i64, sent: &[Outgoing], error: CallError, at: Timestamp) -> Made {
    let words = shortened(&words(&error));
    let (request_id, came, answer, halves) = match error {
        CallError::Throttled { request_id } => (request_id, Came::Throttled, Answer::NotDone, Vec::new()),
        CallError::NotPossible { request_id, code, remedy } => {
            (request_id, Came::NotPossible { problem: code, remedy }, Answer::NotDone, Vec::new())
        }
        CallError::Unknown { request_id, .. } => (request_id, Came::Unanswered, Answer::Unknown, Vec::new()),
        CallError::Refused { request_id, code, .. } if sent.len() <= 1 => {
            (request_id, Came::Refused, Answer::Refused { code }, Vec::new())
        }
        CallError::Refused { request_id, .. } => (request_id, Came::Refused, Answer::NotDone, halved(sent)),
    };
    let answers = sent.iter().map(|record| (record.number, answer.clone())).collect();
    let outcome = AttemptOutcome { at, request_id, error: Some(words) };
    Made { result: AttemptResult { attempt, outcome, answers }, halves, came }
}

fn words(error: &CallError) -> String {
    match error {
        CallError::Refused { code, message, .. } if !message.is_empty() => format!("{code}: {message}"),
        other => other.to_string(),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(ERROR_CHARS_MAX).collect()
}

/// Two halves, so that the one that is refused is found after as many rounds as the number has binary digits.
fn halved(sent: &[Outgoing]) -> Vec<Vec<i64>> {
    let (first, second) = sent.split_at(sent.len().div_ceil(2));
    [first, second].map(|half| half.iter().map(|record| record.number).collect()).to_vec()
}
