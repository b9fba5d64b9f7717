use serde::{Serialize, Serializer};
use time::{OffsetDateTime, UtcOffset};

/// A moment as books and journals write it: RFC 3339 in UTC, with milliseconds.
pub(crate) fn to_millisecond(moment: OffsetDateTime) -> String {
    let moment = moment.to_offset(UtcOffset::UTC);
    format!("{}.{:03}Z", date_and_time(moment), moment.millisecond())
}

/// A moment as EventBridge writes it: RFC 3339 in UTC, whole seconds.
pub(crate) fn to_second(moment: OffsetDateTime) -> String {
    format!("{}Z", date_and_time(moment.to_offset(UtcOffset::UTC)))
}

fn date_and_time(moment: OffsetDateTime) -> String {
    let (hour, minute, second) = moment.to_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}", moment.date())
}

/// For `#[serde(serialize_with = …)]`.
pub(crate) fn serialize<S: Serializer>(moment: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    to_millisecond(*moment).serialize(serializer)
}

/// For `#[serde(serialize_with = …)]`.
#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
pub(crate) fn serialize_option<S: Serializer>(
    moment: &Option<OffsetDateTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    moment.map(to_millisecond).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        let moment = datetime!(2026-11-02 00:04:05.0671 +1);
        assert_eq!(to_millisecond(moment), "2026-11-01T23:04:05.067Z");
        assert_eq!(to_second(moment), "2026-11-01T23:04:05Z");
    }
}
