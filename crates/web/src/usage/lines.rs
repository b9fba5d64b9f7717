//! Lines of listings; quantities are decimal texts in the dimension's units, times RFC 3339.

use schemars::JsonSchema;
use serde::Serialize;
use stallkeeper_ledger::{
    ApiDimension, EventState, LossReason, MeterTerms, Record, RecordState, Scale, SubUnits,
};
use stallkeeper_persistence::usage::{EventLine, LossLine, RecordLine, UsageSum};

use super::post::{HELD_WORDS, held_word};
use crate::openapi::{Decimal, Moment};

/// Where a record can stand.
const RECORD_WORDS: [&str; 8] =
    ["open", "frozen", "settled", "settled_assumed", "conflict", "rejected", "expired", "not_subscribed"];

/// One record: a dimension's usage in one hour.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Hour")]
pub(super) struct HourLine {
    #[schemars(with = "Moment")]
    hour: String,
    dimension: String,
    /// What the marketplace calls it.
    api_name: String,
    #[schemars(extend("enum" = RECORD_WORDS))]
    state: &'static str,
    /// What is billed; while it is open, what was counted.
    #[schemars(with = "Decimal")]
    quantity: String,
    #[schemars(with = "Decimal")]
    counted: String,
    #[schemars(with = "Decimal")]
    carried_in: String,
    #[schemars(with = "Decimal")]
    carried_out: String,
    /// The time that is sent.
    #[schemars(with = "Option<Moment>")]
    stamp: Option<String>,
    /// The marketplace's.
    record_id: Option<String>,
    attempts: usize,
    /// Until when it may be sent.
    #[schemars(with = "Option<Moment>")]
    sent_until: Option<String>,
    /// Why it is not billed.
    reason: Option<String>,
}

/// What a dimension's usage comes to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Total")]
pub(super) struct TotalLine {
    dimension: String,
    api_name: String,
    /// The decimal places; none where the configuration does not name the dimension any more, and then the
    /// numbers are in its smallest parts.
    scale: Option<u8>,
    #[schemars(with = "Decimal")]
    recorded: String,
    #[schemars(with = "Decimal")]
    billed: String,
    #[schemars(with = "Decimal")]
    lost: String,
}

/// One held event.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Held")]
pub(super) struct HeldLine {
    id: String,
    product: String,
    tenant: String,
    subscription: String,
    dimension: String,
    #[schemars(with = "Decimal")]
    quantity: String,
    #[schemars(with = "Moment")]
    occurred_at: String,
    #[schemars(with = "Moment")]
    received_at: String,
    #[schemars(extend("enum" = HELD_WORDS))]
    reason: Option<&'static str>,
    /// When it is lost.
    #[schemars(with = "Option<Moment>")]
    until: Option<String>,
}

/// One line of what is lost.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Loss")]
pub(super) struct LostLine {
    number: i64,
    subscription: String,
    /// As the marketplace calls it.
    dimension: String,
    #[schemars(with = "Moment")]
    hour: String,
    #[schemars(with = "Decimal")]
    quantity: String,
    #[schemars(extend("enum" = LossReason::ALL.map(LossReason::as_str)))]
    reason: &'static str,
    /// More, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    /// The app's id of the event, where it was lost by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[schemars(with = "Moment")]
    found_at: String,
    /// When it turned out to be billed all the same.
    #[schemars(with = "Option<Moment>")]
    recovered_at: Option<String>,
}

impl HourLine {
    pub(super) fn of(line: &RecordLine, terms: Option<&MeterTerms>) -> Self {
        let record = &line.record;
        let parts = |parts: SubUnits| parts.display(record.scale);
        Self {
            hour: record.key.hour.to_string(),
            dimension: name_of(&record.key.dimension, terms),
            api_name: record.key.dimension.to_string(),
            state: record.state.word(),
            quantity: parts(record.parts_reported()),
            counted: parts(record.counted),
            carried_in: parts(record.carried_in),
            carried_out: parts(record.carried_out),
            stamp: record.report.as_ref().map(|report| report.stamp.to_string()),
            record_id: record_id(record),
            attempts: record.sending.attempts.len(),
            sent_until: record.expires_at.map(|until| until.to_string()),
            reason: match &record.state {
                RecordState::Ended { why, .. } => Some(why.clone()),
                _ => None,
            },
        }
    }
}

pub(crate) fn record_id(record: &Record) -> Option<String> {
    match &record.state {
        RecordState::Settled { record_id, .. } => Some(record_id.clone()),
        RecordState::SettledAssumed { record_id, .. } => record_id.clone(),
        RecordState::Open | RecordState::Frozen { .. } | RecordState::Ended { .. } => None,
    }
}

/// The seller's name of a dimension; the marketplace's where the configuration has none.
pub(crate) fn name_of(api_name: &ApiDimension, terms: Option<&MeterTerms>) -> String {
    let named = terms.and_then(|terms| terms.by_api_name(api_name));
    named.map_or_else(|| api_name.to_string(), |(name, _)| name.to_string())
}

impl TotalLine {
    pub(super) fn of(sum: &UsageSum, terms: Option<&MeterTerms>) -> Self {
        let scale = terms.and_then(|terms| terms.by_api_name(&sum.dimension)).map(|(_, terms)| terms.scale);
        let parts = |parts: SubUnits| parts.display(scale.unwrap_or(Scale::WHOLE));
        Self {
            dimension: name_of(&sum.dimension, terms),
            api_name: sum.dimension.to_string(),
            scale: scale.map(Scale::places),
            recorded: parts(sum.recorded),
            billed: parts(sum.billed),
            lost: parts(sum.lost),
        }
    }
}

impl From<&EventLine> for HeldLine {
    fn from(line: &EventLine) -> Self {
        let event = &line.event;
        let (reason, until) = match event.state {
            EventState::Held { reason, until } => (Some(held_word(reason)), Some(until.to_string())),
            EventState::Counted { .. } | EventState::Lost { .. } => (None, None),
        };
        Self {
            id: event.key.id.to_string(),
            product: event.key.product.to_string(),
            tenant: event.key.tenant.to_string(),
            subscription: event.subscription.to_string(),
            dimension: event.dimension.to_string(),
            quantity: event.quantity.display(event.scale),
            occurred_at: event.occurred_at.to_string(),
            received_at: event.received_at.to_string(),
            reason,
            until,
        }
    }
}

impl From<&LossLine> for LostLine {
    fn from(line: &LossLine) -> Self {
        let loss = &line.loss;
        Self {
            number: line.number,
            subscription: loss.subscription.to_string(),
            dimension: loss.dimension.to_string(),
            hour: loss.hour.to_string(),
            quantity: loss.parts.display(loss.scale),
            reason: loss.reason.as_str(),
            detail: loss.detail.clone(),
            event: loss.event.as_ref().map(|key| key.id.to_string()),
            tenant: loss.event.as_ref().map(|key| key.tenant.to_string()),
            found_at: loss.at.to_string(),
            recovered_at: line.recovered_at.map(|at| at.to_string()),
        }
    }
}
