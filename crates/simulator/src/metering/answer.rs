use crate::metering::call::MeteringRecord;

/// What a call that was done answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeteringAnswer {
    /// What became of each record that was processed, in the order of the call.
    pub results: Vec<MeteringResult>,
    /// The records that were not processed: they can be sent again.
    pub unprocessed: Vec<MeteringRecord>,
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeteringResult {
    /// The record, as it was sent.
    pub record: MeteringRecord,
    /// What became of it.
    pub outcome: RecordOutcome,
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordOutcome {
    /// It is on the bill.
    Success {
        /// The metering record's id.
        record_id: String,
    },
    /// Another record of the same customer, dimension and hour is on the bill; this one is not.
    DuplicateRecord {
        /// The id of the one that is.
        record_id: String,
    },
    /// It is not billed, as the customer cannot be billed for that time, or not now.
    CustomerNotSubscribed(NotSubscribed),
}

/// Why a customer cannot be billed; the API does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSubscribed {
    /// Nobody is known by that name.
    Unknown,
    /// No subscription held at the record's time yet.
    NotYet,
    /// The subscription is over.
    Over,
    /// The account is suspended.
    Suspended,
}

impl RecordOutcome {
    /// The word that the API uses.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Success { .. } => "Success",
            Self::DuplicateRecord { .. } => "DuplicateRecord",
            Self::CustomerNotSubscribed(_) => "CustomerNotSubscribed",
        }
    }

    /// The id of the metering record that is on the bill.
    pub fn record_id(&self) -> Option<&str> {
        match self {
            Self::Success { record_id } | Self::DuplicateRecord { record_id } => Some(record_id),
            Self::CustomerNotSubscribed(_) => None,
        }
    }
}
