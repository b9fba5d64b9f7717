use serde::Serialize;
use serde_json::{Value, json};
use stallkeeper_ledger::{EventState, Report, Who};
use stallkeeper_persistence::usage::{AttemptRecord, EventLine, LossLine, RecordLine};

use crate::commands::usage::held::reason_word;
use crate::commands::usage::list::RecordRow;
use crate::commands::usage::lost::LossRow;
use crate::table::Rfc3339;

/// One line of the evidence, told by its `line`.
#[derive(Debug, Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(super) enum Entry {
    /// The first: what all others are about.
    Export { subscription: String, month: String, exported_at: Rfc3339, version: &'static str },
    /// What the app reported.
    Event(Box<EventEntry>),
    /// What was metered for one hour.
    Record(Box<RecordEntry>),
    /// A request to the marketplace.
    Attempt(Box<AttemptEntry>),
    /// What is not billed.
    Loss(Box<LossRow>),
    /// The last: how many there were of each.
    End(Counts),
}

/// How many lines there are of each kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Counts {
    pub(super) events: u64,
    pub(super) records: u64,
    pub(super) attempts: u64,
    pub(super) losses: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct EventEntry {
    number: i64,
    product: String,
    tenant: String,
    id: String,
    dimension: String,
    /// What the marketplace calls the dimension.
    api_name: String,
    quantity: String,
    /// How much of it counts: all, or what it adds to the hour's peak.
    counted: String,
    occurred_at: Rfc3339,
    received_at: Rfc3339,
    user: Option<String>,
    tags: Value,
    /// What became of it.
    outcome: Value,
}

#[derive(Debug, Serialize)]
pub(super) struct RecordEntry {
    #[serde(flatten)]
    record: RecordRow,
    /// What the events of the hour come to.
    counted: String,
    /// What was sent, or is to be; null while usage is added.
    report: Option<Value>,
    /// The same as it was frozen, byte for byte; its time counts microseconds since 1970.
    frozen: Option<String>,
    /// The numbers of its attempts.
    attempt_numbers: Vec<i64>,
}

#[derive(Debug, Serialize)]
pub(super) struct AttemptEntry {
    number: i64,
    /// Whose quota it used.
    lane: String,
    at: Rfc3339,
    /// The numbers of its records, those of other subscriptions among them.
    records: Vec<i64>,
    /// Null while nobody knows.
    ended_at: Option<Rfc3339>,
    /// The marketplace's id of the request.
    request_id: Option<String>,
    /// Null where it was answered.
    error: Option<String>,
}

impl Entry {
    pub(super) fn event(line: &EventLine) -> Self {
        let event = &line.event;
        Self::Event(Box::new(EventEntry {
            number: line.number,
            product: event.key.product.to_string(),
            tenant: event.key.tenant.to_string(),
            id: event.key.id.to_string(),
            dimension: event.dimension.to_string(),
            api_name: event.api_name.to_string(),
            quantity: event.quantity.display(event.scale),
            counted: event.counted.display(event.scale),
            occurred_at: Rfc3339(event.occurred_at),
            received_at: Rfc3339(event.received_at),
            user: event.user.as_ref().map(ToString::to_string),
            tags: json!(event.tags.tags()),
            outcome: outcome(&event.state),
        }))
    }

    /// # Errors
    /// A report that cannot be written as JSON.
    pub(super) fn record(line: &RecordLine) -> serde_json::Result<Self> {
        let record = &line.record;
        Ok(Self::Record(Box::new(RecordEntry {
            record: RecordRow::of(line),
            counted: record.counted.display(record.scale),
            report: record.report.as_ref().map(report),
            frozen: record.report.as_ref().map(serde_json::to_string).transpose()?,
            attempt_numbers: record.sending.attempts.clone(),
        })))
    }

    pub(super) fn attempt(record: &AttemptRecord) -> Self {
        let outcome = record.outcome.as_ref();
        Self::Attempt(Box::new(AttemptEntry {
            number: record.number,
            lane: record.attempt.lane.clone(),
            at: Rfc3339(record.attempt.at),
            records: record.attempt.records.clone(),
            ended_at: outcome.map(|outcome| Rfc3339(outcome.at)),
            request_id: outcome.and_then(|outcome| outcome.request_id.clone()),
            error: outcome.and_then(|outcome| outcome.error.clone()),
        }))
    }

    pub(super) fn loss(line: &LossLine) -> Self {
        Self::Loss(Box::new(LossRow::of(line)))
    }
}

fn outcome(state: &EventState) -> Value {
    match state {
        EventState::Counted { hour } => json!({"state": "counted", "hour": hour.to_string()}),
        EventState::Held { reason, until } => {
            json!({"state": "held", "reason": reason_word(*reason), "until": until.to_string()})
        }
        EventState::Lost { reason } => json!({"state": "lost", "reason": reason.as_str()}),
    }
}

/// A report in the marketplace's words.
fn report(report: &Report) -> Value {
    let who = match &report.who {
        Who::Customer { product, customer } => json!({"product_code": product, "customer": customer}),
        Who::License { product, licensee } => json!({
            "product_code": product, "license_arn": licensee.license_arn, "account": licensee.account,
        }),
    };
    let allocations: Vec<Value> = report
        .allocations
        .iter()
        .map(|part| json!({"quantity": part.quantity, "tags": part.tags.tags()}))
        .collect();
    json!({
        "who": who, "dimension": report.dimension, "quantity": report.quantity,
        "timestamp": report.stamp.to_string(), "allocations": allocations,
    })
}
