//! Why `BatchMeterUsage` gave no results, and whether something may have been taken.

use aws_sdk_marketplacemetering::config::http::HttpResponse;
use aws_sdk_marketplacemetering::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_marketplacemetering::operation::RequestId as _;
use aws_sdk_marketplacemetering::operation::batch_meter_usage::BatchMeterUsageError;
use stallkeeper_metering::CallError;

use crate::error::{AwsError, error_words, has_credentials_error};

const ACTION: &str = "aws-marketplace:BatchMeterUsage";
const MESSAGE_CHARS_MAX: usize = 300;

/// What a failed call means for its records.
///
/// The service says that nothing was done where some record is refused, where it throttles and where it does
/// not let the caller in. In all else it is unknown, also where no connection came about: records are sent
/// again unchanged, so nothing is lost by not knowing.
pub(crate) fn call_error(region: &str, error: SdkError<BatchMeterUsageError, HttpResponse>) -> CallError {
    let request_id = error.request_id().map(str::to_owned);
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.code().map(str::to_owned);
    match (&error, code) {
        _ if has_credentials_error(&error) => {
            not_possible(region, request_id, "NoCredentials".to_owned(), error)
        }
        (SdkError::ConstructionFailure(_), _) => {
            not_possible(region, request_id, "NotSent".to_owned(), error)
        }
        (SdkError::ServiceError(_), Some(code)) => match kind(&code, status) {
            Kind::Throttled => CallError::Throttled { request_id },
            Kind::Refused => CallError::Refused { request_id, code, message: message(&error) },
            Kind::NotPossible => not_possible(region, request_id, code, error),
            Kind::Unknown => {
                CallError::Unknown { request_id, reason: format!("{code}: {}", message(&error)) }
            }
        },
        (SdkError::ServiceError(_), None) if status == Some(403) => {
            not_possible(region, request_id, "403".to_owned(), error)
        }
        (SdkError::ServiceError(_), None) if status == Some(429) => CallError::Throttled { request_id },
        _ => CallError::Unknown { request_id, reason: shortened(&error_words(&error)) },
    }
}

enum Kind {
    Throttled,
    Refused,
    NotPossible,
    Unknown,
}

/// The errors of `BatchMeterUsage` by its API reference, and those that all of AWS shares.
fn kind(code: &str, status: Option<u16>) -> Kind {
    match code {
        "InvalidProductCodeException"
        | "InvalidUsageDimensionException"
        | "InvalidTagException"
        | "InvalidUsageAllocationsException"
        | "InvalidCustomerIdentifierException"
        | "InvalidLicenseException"
        | "TimestampOutOfBoundsException" => Kind::Refused,
        "InternalServiceErrorException" => Kind::Unknown,
        _ if AwsError::is_throttling(code) || status == Some(429) => Kind::Throttled,
        _ if status.is_some_and(|status| (400..500).contains(&status)) => Kind::NotPossible,
        _ => Kind::Unknown,
    }
}

fn not_possible(
    region: &str,
    request_id: Option<String>,
    code: String,
    error: SdkError<BatchMeterUsageError, HttpResponse>,
) -> CallError {
    let remedy = if code == "DisabledApiException" {
        format!("correct the metering Region: the metering service is not to be used in {region}")
    } else {
        let said = message(&error);
        let remedy = AwsError::from_sdk(ACTION, "*", error).remedy();
        if said.is_empty() { remedy } else { format!("{remedy} (AWS says: {said})") }
    };
    CallError::NotPossible { request_id, code, remedy }
}

fn message(error: &SdkError<BatchMeterUsageError, HttpResponse>) -> String {
    shortened(error.message().unwrap_or_default())
}

fn shortened(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS_MAX).collect()
}
