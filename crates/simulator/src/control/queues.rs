use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::Queue;
use crate::control::Control;

/// What a queue holds, and what went through it.
#[derive(Serialize)]
pub(super) struct QueueState {
    name: String,
    url: String,
    arn: String,
    visible: usize,
    in_flight: usize,
    delayed: usize,
    put: u64,
    received: u64,
    deleted: u64,
}

impl QueueState {
    fn of(queue: &Queue) -> Self {
        let (depth, counts) = (queue.depth(), queue.counts());
        Self {
            name: queue.name().to_owned(),
            url: queue.url().to_owned(),
            arn: queue.arn().to_owned(),
            visible: depth.visible,
            in_flight: depth.in_flight,
            delayed: depth.delayed,
            put: counts.put,
            received: counts.received,
            deleted: counts.deleted,
        }
    }
}

pub(super) async fn list(State(control): State<Control>) -> Json<Vec<QueueState>> {
    Json(control.queues.all().iter().map(|queue| QueueState::of(queue)).collect())
}
