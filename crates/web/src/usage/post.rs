use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use stallkeeper_ledger::{EventState, HeldReason, Submission, UsageId};
use stallkeeper_persistence::usage::{DeskError, Taken};

use super::body::{BodyError, REQUEST_BYTES_MAX, UsageEntry, UsageFormat, read_usage};
use super::event::Malformed;
use crate::UsageApi;
use crate::problem_document::ProblemDocument;

/// The body of an answer.
#[derive(Serialize)]
pub(super) struct Answer {
    /// One for each event, in their order.
    results: Vec<EventResult>,
}

/// What became of one event.
#[derive(Serialize)]
struct EventResult {
    index: usize,
    /// None where it could not be read.
    id: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

pub(super) async fn post_usage(
    State(api): State<Arc<dyn UsageApi>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Answer>, ProblemDocument> {
    let format = format_of(&headers)?;
    let body = body.map_err(|rejection| unread(&rejection))?;
    let (slots, submissions) = part(read_usage(format, &body)?);
    let mut taken = api.submit(submissions).await?.into_iter();
    let mut results = Vec::with_capacity(slots.len());
    for (index, slot) in slots.into_iter().enumerate() {
        results.push(match slot {
            Slot::Malformed(malformed) => EventResult::malformed(index, malformed),
            Slot::Submitted(id) => {
                // The desk answers for each; were one missing, sending all of it again is safe.
                let taken = taken.next().ok_or_else(|| ProblemDocument::unavailable("send it again"))?;
                EventResult::taken(index, id.into(), &taken)
            }
        });
    }
    Ok(Json(Answer { results }))
}

/// What the answer says of an event: of one that is malformed why, of one that is submitted what becomes of it.
enum Slot {
    Malformed(Malformed),
    Submitted(UsageId),
}

fn part(entries: Vec<UsageEntry>) -> (Vec<Slot>, Vec<Submission>) {
    let mut submissions = Vec::with_capacity(entries.len());
    let slot = |entry: UsageEntry| match entry {
        Err(malformed) => Slot::Malformed(malformed),
        Ok(submission) => {
            let id = submission.id.clone();
            submissions.push(submission);
            Slot::Submitted(id)
        }
    };
    (entries.into_iter().map(slot).collect(), submissions)
}

fn format_of(headers: &HeaderMap) -> Result<UsageFormat, ProblemDocument> {
    // A value that is no text names no form either.
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    UsageFormat::of(content_type).ok_or_else(|| {
        ProblemDocument::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The content type is not understood",
            "send application/json, application/cloudevents+json or application/cloudevents-batch+json",
        )
    })
}

/// What a body that could not be read is to a caller.
pub(crate) fn unread(rejection: &BytesRejection) -> ProblemDocument {
    if rejection.status() != StatusCode::PAYLOAD_TOO_LARGE {
        return ProblemDocument::bad_request("the body broke off");
    }
    let detail = format!("a body may have {REQUEST_BYTES_MAX} bytes; send the events in parts");
    let title = "The body is too large";
    ProblemDocument::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title, detail)
}

impl From<BodyError> for ProblemDocument {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::NotJson(_) => Self::bad_request(error.to_string()),
            BodyError::Shape { .. } | BodyError::TooMany { .. } => Self::unprocessable(error.to_string()),
        }
    }
}

impl From<DeskError> for ProblemDocument {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Busy { retry_after_secs } => {
                let detail = format!("too much usage is waiting; send it again in {retry_after_secs} s");
                let title = "The worker is busy";
                Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", title, detail).retry_after(retry_after_secs)
            }
            DeskError::Unavailable(error) | DeskError::Refused(error) => Self::of_store(&error),
            DeskError::Stopped => Self::unavailable("the worker is stopping; send it again"),
        }
    }
}

impl EventResult {
    fn malformed(index: usize, malformed: Malformed) -> Self {
        let Malformed { id, reason, message } = malformed;
        let (reason, message) = (Some(reason), Some(message));
        Self { index, id, status: "refused", hour: None, until: None, reason, message }
    }

    fn taken(index: usize, id: String, taken: &Taken) -> Self {
        let id = Some(id);
        let plain =
            Self { index, id, status: taken.word(), hour: None, until: None, reason: None, message: None };
        match taken {
            Taken::Known => plain,
            Taken::Stored(EventState::Counted { hour }) => Self { hour: Some(hour.to_string()), ..plain },
            Taken::Stored(EventState::Held { reason, until }) => {
                Self { reason: Some(held_word(*reason)), until: Some(until.to_string()), ..plain }
            }
            Taken::Stored(EventState::Lost { reason }) => Self { reason: Some(reason.as_str()), ..plain },
            Taken::Refused(refusal) => {
                Self { reason: Some(refusal.code()), message: Some(refusal.to_string()), ..plain }
            }
        }
    }
}

/// The word for what held usage waits for.
pub(super) fn held_word(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::BeforeActivation => "before_activation",
        HeldReason::Late => "late",
    }
}
