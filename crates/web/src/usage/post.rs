use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use stallkeeper_ledger::{EventState, HeldReason, Submission, UsageId};
use stallkeeper_persistence::usage::{DeskError, Taken};

use super::body::{BodyError, EventList, EventsBody, REQUEST_BYTES_MAX, UsageEntry, UsageFormat, read_usage};
use super::event::{Envelope, Malformed};
use crate::UsageApi;
use crate::openapi::{Doc, Moment};
use crate::problem_document::ProblemDocument;

/// What became of a request's events.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Results")]
pub(super) struct Answer {
    /// One for each event, in their order.
    results: Vec<EventResult>,
}

/// What became of one event.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Result")]
struct EventResult {
    index: usize,
    /// None where it could not be read.
    id: Option<String>,
    /// counted: it is part of an hour; held: it waits; lost: it is listed as not billed; known: it was stored before;
    /// refused: nothing of it is stored.
    #[schemars(extend("enum" = ["counted", "held", "lost", "known", "refused"]))]
    status: &'static str,
    /// In which it is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Moment")]
    hour: Option<String>,
    /// When held usage is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Moment")]
    until: Option<String>,
    /// The word for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

pub(super) fn post_doc() -> Doc {
    let cloud_event = json!({
        "specversion": "1.0", "id": "req-7f3a", "source": "/app", "type": "com.example.used", "subject": "acme",
        "time": "2026-11-26T12:10:00Z", "data": { "product": "p", "dimension": "calls", "quantity": 1 },
    });
    Doc::new("reportUsage", "Report usage")
        .detail(
            "Each event is durable when its result is there. The same id of a product and tenant counts once, so \
             sending again is always safe. A refused event does not touch the others. At most 1,000 events and \
             1 MiB.",
        )
        .body::<EventsBody>("application/json", events_example())
        .body::<Envelope<'_>>("application/cloudevents+json", cloud_event.clone())
        .body::<EventList<Envelope<'_>>>("application/cloudevents-batch+json", json!([cloud_event]))
        .answer::<Answer>(StatusCode::OK, "One result for each event, in their order.", results_example())
        .problem(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The content type is none of these.",
        )
        .problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unprocessable",
            "The body is JSON but of another form, or has too many events.",
        )
        .problem(StatusCode::TOO_MANY_REQUESTS, "busy", "Too much usage is waiting; nothing of this is stored.")
}

fn events_example() -> Value {
    json!({ "events": [
        {
            "id": "req-7f3a", "tenant": "acme", "product": "p", "dimension": "calls", "quantity": 12.5,
            "occurred_at": "2026-11-26T12:10:00Z",
        },
        {
            "id": "req-7f3b", "tenant": "acme", "product": "p", "dimension": "calls", "quantity": "0.1",
            "occurred_at": "2026-11-26T12:10:01Z", "user": "ann", "tags": { "team": "red" },
            "subscription": "aws/prod-1/customer/X01",
        },
    ] })
}

fn results_example() -> Value {
    json!({ "results": [
        { "index": 0, "id": "req-7f3a", "status": "counted", "hour": "2026-11-26T12:00:00Z" },
        { "index": 1, "id": "req-7f3b", "status": "known" },
        { "index": 2, "id": "req-7f3c", "status": "held", "reason": "late", "until": "2026-11-26T14:00:00Z" },
        { "index": 3, "id": "req-7f3d", "status": "lost", "reason": "window_closed" },
        {
            "index": 4, "id": null, "status": "refused", "reason": "malformed",
            "message": "expected an object",
        },
    ] })
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

/// What held usage can wait for, and nothing.
pub(super) const HELD_WORDS: [Option<&str>; 3] = [Some("before_activation"), Some("late"), None];

/// The word for what held usage waits for.
pub(super) fn held_word(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::BeforeActivation => "before_activation",
        HeldReason::Late => "late",
    }
}
