use stallkeeper_ledger::{ApiDimension, Hour, Loss, Record, SubUnits, UsageEvent};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};

/// A stored event, as listings show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLine {
    /// Counts up in the order of storing.
    pub number: i64,
    /// The event.
    pub event: UsageEvent,
}

/// A stored record, as listings show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordLine {
    /// Its number.
    pub number: i64,
    /// The record.
    pub record: Record,
}

/// A line of the list of losses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossLine {
    /// Counts up in the order of storing.
    pub number: i64,
    /// The loss.
    pub loss: Loss,
    /// When it turned out to be billed all the same.
    pub recovered_at: Option<Timestamp>,
}

/// Which records or events of a subscription a listing is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFilter {
    /// The subscription.
    pub subscription: SubscriptionKey,
    /// The first hour.
    pub from: Hour,
    /// The first hour after.
    pub to: Hour,
}

/// What a subscription's usage of one dimension comes to; each number in the dimension's smallest parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageSum {
    /// The dimension.
    pub dimension: ApiDimension,
    /// What events say, but for refused ones.
    pub recorded: SubUnits,
    /// What the marketplace took.
    pub billed: SubUnits,
    /// What is lost, each unit with its reason.
    pub lost: SubUnits,
}

/// How the ledger fares, for gauges and alarms; from 10,000 on nothing is counted further.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerHealth {
    /// Frozen records that are not settled.
    pub unsent: u64,
    /// The oldest hour among them.
    pub oldest_unsent: Option<Hour>,
    /// When the first of them was frozen, and when its time is over: the most urgent one.
    pub most_urgent: Option<(Timestamp, Timestamp)>,
    /// Open final-usage windows.
    pub windows: u64,
    /// When the first of them closes.
    pub next_window_end: Option<Timestamp>,
    /// Held events that wait for an operator.
    pub held_late: u64,
    /// Held events that wait for an activation.
    pub held_early: u64,
    /// When the first held event is lost.
    pub next_held_end: Option<Timestamp>,
    /// Records that ended in conflict.
    pub conflicts: u64,
    /// Records that the marketplace refused.
    pub rejected: u64,
    /// Records that could not be sent in time.
    pub expired: u64,
    /// Records of which the marketplace said to the last that nobody is subscribed.
    pub not_subscribed: u64,
}
