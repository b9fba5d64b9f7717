//! SQS' JSON protocol.

mod answer;
mod batches;
mod error;
mod messages;
mod queues;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;

pub(crate) use self::answer::broken;
use self::answer::{Answer, respond};
use self::error::{Code, SqsError};
use crate::{CallFate, Faults, Queue, QueueError, Queues};

/// The largest body of a call: a batch of 1 MiB, escaped.
pub(crate) const CALL_BYTES_MAX: usize = 8 << 20;

/// What calls of SQS act on; clones share it.
#[derive(Clone, Debug)]
pub struct SqsState {
    queues: Queues,
    faults: Arc<Faults>,
    calls: Arc<AtomicU64>,
}

impl SqsState {
    /// Calls on these queues, under these faults.
    pub fn new(queues: Queues, faults: Arc<Faults>) -> Self {
        Self { queues, faults, calls: Arc::default() }
    }

    /// SQS alone, as a router.
    pub fn router(self) -> Router {
        Router::new()
            .route("/", post(serve))
            .route("/{account}/{queue}", post(serve))
            .layer(DefaultBodyLimit::max(CALL_BYTES_MAX))
            .with_state(self)
    }
}

async fn serve(State(state): State<SqsState>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    answer(&state, target, &body).await
}

/// Answers one call: `target` is the header `x-amz-target` (`AmazonSQS.SendMessage`), `body` the request's body
/// of up to [`CALL_BYTES_MAX`].
///
/// It waits as long as a long poll does; dropping it takes no message. Faults strike only the calls about
/// messages.
pub(crate) async fn answer(state: &SqsState, target: &str, body: &[u8]) -> Response {
    let Some(action) = target.strip_prefix("AmazonSQS.") else {
        return respond(Err(unknown_service(target)), "00000000-0000-4000-8000-000000000000");
    };
    let number = state.calls.fetch_add(1, Ordering::Relaxed);
    let request_id = format!("00000000-0000-4000-8000-{number:012x}");
    let fate = if is_about_messages(action) { state.faults.draw_call() } else { CallFate::Answered };
    match fate {
        CallFate::Answered => respond(act(&state.queues, action, body).await, &request_id),
        CallFate::Dropped => broken(respond(act(&state.queues, action, body).await, &request_id)),
        CallFate::Failed => {
            let message = "We encountered an internal error. Please try again.";
            respond(Err(SqsError::new(Code::InternalError, message)), &request_id)
        }
        CallFate::Throttled => {
            let message = "The request was denied due to request throttling.";
            respond(Err(SqsError::new(Code::RequestThrottled, message)), &request_id)
        }
    }
}

fn unknown_service(target: &str) -> SqsError {
    let service = target.split('.').next().unwrap_or_default();
    let message = match service {
        "" => "The header x-amz-target names no service; send AmazonSQS.<Action>.".to_owned(),
        _ => format!(
            "The simulator has no service {service} yet. It has SQS (x-amz-target: AmazonSQS.<Action>), metering \
             (AWSMPMeteringService.BatchMeterUsage) and SNS (the query protocol); GET /control/ lists what else \
             there is."
        ),
    };
    SqsError::new(Code::InvalidAction, message)
}

fn is_about_messages(action: &str) -> bool {
    matches!(
        action,
        "ChangeMessageVisibility"
            | "ChangeMessageVisibilityBatch"
            | "DeleteMessage"
            | "DeleteMessageBatch"
            | "ReceiveMessage"
            | "SendMessage"
            | "SendMessageBatch"
    )
}

async fn act(queues: &Queues, action: &str, body: &[u8]) -> Result<Answer, SqsError> {
    match action {
        "ChangeMessageVisibility" => messages::change_visibility(queues, body),
        "ChangeMessageVisibilityBatch" => batches::change_visibility(queues, body),
        "CreateQueue" => queues::create(queues, body),
        "DeleteMessage" => messages::delete(queues, body),
        "DeleteMessageBatch" => batches::delete(queues, body),
        "DeleteQueue" => queues::delete(queues, body),
        "GetQueueAttributes" => queues::get_attributes(queues, body),
        "GetQueueUrl" => queues::get_url(queues, body),
        "ListQueues" => queues::list(queues, body),
        "PurgeQueue" => queues::purge(queues, body),
        "ReceiveMessage" => messages::receive(queues, body).await,
        "SendMessage" => messages::send(queues, body),
        "SendMessageBatch" => batches::send(queues, body),
        "SetQueueAttributes" => queues::set_attributes(queues, body),
        "" => Err(SqsError::new(Code::InvalidAction, "The call names no action of SQS.")),
        _ => {
            let message = format!("The simulator has no action {action}.");
            Err(SqsError::new(Code::UnsupportedOperation, message))
        }
    }
}

fn find(queues: &Queues, url: Option<&str>) -> Result<Arc<Queue>, SqsError> {
    Ok(url.and_then(|url| queues.by_url(url)).ok_or(QueueError::Missing)?)
}
