//! How far the local clock is from AWS's, read off the `Date` header that every answer carries.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_sqs::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sqs::error::BoxError;
use aws_sdk_sqs::primitives::{DateTime, DateTimeFormat};
use time::OffsetDateTime;

/// The local clock may differ from AWS's by this much.
///
/// AWS refuses signatures that are some minutes off, and deadlines are counted in minutes;
/// below this, the header's whole seconds and the way back would give false alarms.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(30);

/// The local clock beside AWS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockFinding {
    /// Within [`MAX_CLOCK_SKEW`].
    Right,
    /// The local clock shows a later time than AWS's, by this much.
    Ahead(Duration),
    /// The local clock shows an earlier time than AWS's, by this much.
    Behind(Duration),
    /// No answer came that tells AWS's time.
    Unknown,
}

impl ClockFinding {
    /// Compares AWS's time with the local one, both taken at the same moment.
    pub fn compare(service: Option<OffsetDateTime>, local: OffsetDateTime) -> Self {
        let Some(service) = service else {
            return Self::Unknown;
        };
        let ahead = local - service;
        let skew = ahead.unsigned_abs();
        if skew <= MAX_CLOCK_SKEW {
            Self::Right
        } else if ahead.is_positive() {
            Self::Ahead(skew)
        } else {
            Self::Behind(skew)
        }
    }
}

/// Remembers the `Date` of the last answer, also of one that is an error.
#[derive(Debug, Clone, Default)]
pub(crate) struct DateRecorder(Arc<Mutex<Option<OffsetDateTime>>>);

impl DateRecorder {
    pub(crate) fn last(&self) -> Option<OffsetDateTime> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for DateRecorder {
    fn name(&self) -> &'static str {
        "DateRecorder"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").and_then(parse_http_date);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}

fn parse_http_date(text: &str) -> Option<OffsetDateTime> {
    let date = DateTime::from_str(text, DateTimeFormat::HttpDate).ok()?;
    OffsetDateTime::from_unix_timestamp(date.secs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_SECS: i64 = 1_800_000_000;

    fn at(secs: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(secs).unwrap()
    }

    #[test]
    fn half_a_minute_either_way_is_right() {
        for offset_secs in [-30, 0, 30] {
            let finding = ClockFinding::compare(Some(at(NOON_SECS)), at(NOON_SECS + offset_secs));
            assert_eq!(finding, ClockFinding::Right);
        }
    }

    #[test]
    fn a_wrong_clock_is_told_with_its_direction() {
        let service = Some(at(NOON_SECS));
        assert_eq!(
            ClockFinding::compare(service, at(NOON_SECS + 31)),
            ClockFinding::Ahead(Duration::from_secs(31))
        );
        assert_eq!(
            ClockFinding::compare(service, at(NOON_SECS - 400)),
            ClockFinding::Behind(Duration::from_secs(400))
        );
    }

    #[test]
    fn without_an_answer_nothing_is_said_about_the_clock() {
        assert_eq!(ClockFinding::compare(None, at(NOON_SECS)), ClockFinding::Unknown);
    }

    #[test]
    fn a_date_header_is_read_and_a_broken_one_is_none() {
        assert_eq!(parse_http_date("Fri, 15 Jan 2027 08:00:00 GMT"), Some(at(NOON_SECS)));
        assert_eq!(parse_http_date("yesterday"), None);
    }
}
