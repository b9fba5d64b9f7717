use serde::Serialize;
use time::OffsetDateTime;

/// A call that fails as a whole: nothing of it was done. Records are numbered from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeteringRefusal {
    /// More records than a call takes: send them in several calls.
    #[error("UsageRecords has {count} members; a call takes 25 at most")]
    TooManyRecords {
        /// How many.
        count: usize,
    },
    /// A longer call than is taken: send it in several calls.
    #[error("the call has {bytes} bytes; it takes 1,000,000 at most")]
    TooLong {
        /// How many.
        bytes: usize,
    },
    /// The body cannot be read: send what the API describes.
    #[error("the body does not fit: {0}")]
    Unreadable(String),
    /// A value out of its bounds.
    #[error("record {record}: {words}")]
    Value {
        /// Which record.
        record: usize,
        /// What is wrong with it.
        words: &'static str,
    },
    /// The product code is unknown, missing, or not to be sent.
    #[error("{0}")]
    ProductCode(&'static str),
    /// A record names its customer in a way that the product does not take.
    #[error("record {record}: {words}")]
    Customer {
        /// Which record.
        record: usize,
        /// What is wrong with it.
        words: &'static str,
    },
    /// A record's license is missing, unknown, somebody else's, or of another product.
    #[error("record {record}: {words}")]
    License {
        /// Which record.
        record: usize,
        /// What is wrong with it.
        words: &'static str,
    },
    /// The product has no such dimension: use one of its own.
    #[error("record {record}: the product has no dimension `{dimension}`")]
    Dimension {
        /// Which record.
        record: usize,
        /// What it says.
        dimension: String,
    },
    /// A record's allocations do not fit: its quantity is their sum, and no two have the same tags.
    #[error("record {record}: {words}")]
    Allocations {
        /// Which record.
        record: usize,
        /// What is wrong with them.
        words: &'static str,
    },
    /// A tag that is not taken.
    #[error("record {record}: {words}")]
    Tag {
        /// Which record.
        record: usize,
        /// What is wrong with it.
        words: &'static str,
    },
    /// A record's time is not taken any more, or not yet.
    #[error("record {record}: the timestamp {timestamp} {why}")]
    Timestamp {
        /// Which record.
        record: usize,
        /// What it says.
        timestamp: OffsetDateTime,
        /// Why it is not taken.
        why: OutOfBounds,
    },
    /// There is no metering in the Region, or no such Region.
    #[error("there is no metering in the Region `{region}`")]
    Disabled {
        /// The Region.
        region: String,
    },
    /// Too many calls: send it again later.
    #[error("the rate of calls is exceeded; send it again later")]
    Throttled,
    /// The service failed: send it again.
    #[error("an internal error occurred; send it again")]
    Internal,
    /// The bill is full: start another simulator.
    #[error("the bill holds all that it can; start another simulator")]
    Full,
    /// The call says nothing of who makes it.
    #[error("the Authorization header has no credential scope; sign the call")]
    Unsigned,
    /// The service has no such operation here.
    #[error("{0}")]
    Operation(String),
}

/// Why a timestamp is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfBounds {
    /// It has not come yet.
    #[error("is in the future")]
    Future,
    /// It is older than the marketplace takes.
    #[error("is too old")]
    TooOld,
    /// Its month is billed: that happens at 06:00 UTC on the 1st of the next month.
    #[error("is in a month that is closed")]
    MonthClosed,
    /// It is before the license was activated.
    #[error("is before the license's activation")]
    BeforeLicense,
}

/// The name that the API has for a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "the API's own names")]
pub enum MeteringErrorCode {
    DisabledApiException,
    InternalServiceErrorException,
    InvalidCustomerIdentifierException,
    InvalidLicenseException,
    InvalidProductCodeException,
    InvalidTagException,
    InvalidUsageAllocationsException,
    InvalidUsageDimensionException,
    MissingAuthenticationTokenException,
    SerializationException,
    ThrottlingException,
    TimestampOutOfBoundsException,
    UnknownOperationException,
    ValidationException,
}

impl MeteringRefusal {
    /// The name that the API has for it.
    pub fn code(&self) -> MeteringErrorCode {
        match self {
            Self::TooManyRecords { .. } | Self::TooLong { .. } | Self::Value { .. } => {
                MeteringErrorCode::ValidationException
            }
            Self::Unreadable(_) => MeteringErrorCode::SerializationException,
            Self::ProductCode(_) => MeteringErrorCode::InvalidProductCodeException,
            Self::Customer { .. } => MeteringErrorCode::InvalidCustomerIdentifierException,
            Self::License { .. } => MeteringErrorCode::InvalidLicenseException,
            Self::Dimension { .. } => MeteringErrorCode::InvalidUsageDimensionException,
            Self::Allocations { .. } => MeteringErrorCode::InvalidUsageAllocationsException,
            Self::Tag { .. } => MeteringErrorCode::InvalidTagException,
            Self::Timestamp { .. } => MeteringErrorCode::TimestampOutOfBoundsException,
            Self::Disabled { .. } => MeteringErrorCode::DisabledApiException,
            Self::Throttled => MeteringErrorCode::ThrottlingException,
            Self::Internal | Self::Full => MeteringErrorCode::InternalServiceErrorException,
            Self::Unsigned => MeteringErrorCode::MissingAuthenticationTokenException,
            Self::Operation(_) => MeteringErrorCode::UnknownOperationException,
        }
    }
}

impl MeteringErrorCode {
    /// The name as answers carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DisabledApiException => "DisabledApiException",
            Self::InternalServiceErrorException => "InternalServiceErrorException",
            Self::InvalidCustomerIdentifierException => "InvalidCustomerIdentifierException",
            Self::InvalidLicenseException => "InvalidLicenseException",
            Self::InvalidProductCodeException => "InvalidProductCodeException",
            Self::InvalidTagException => "InvalidTagException",
            Self::InvalidUsageAllocationsException => "InvalidUsageAllocationsException",
            Self::InvalidUsageDimensionException => "InvalidUsageDimensionException",
            Self::MissingAuthenticationTokenException => "MissingAuthenticationTokenException",
            Self::SerializationException => "SerializationException",
            Self::ThrottlingException => "ThrottlingException",
            Self::TimestampOutOfBoundsException => "TimestampOutOfBoundsException",
            Self::UnknownOperationException => "UnknownOperationException",
            Self::ValidationException => "ValidationException",
        }
    }
}
