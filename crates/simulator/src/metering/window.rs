//! Which times are taken, and when a customer can be billed.

use time::{Duration, Month, OffsetDateTime, UtcOffset};

use crate::Period;
use crate::metering::answer::NotSubscribed;
use crate::metering::holder::Account;
use crate::metering::refusal::OutOfBounds;

/// How long after a month its records are taken.
const MONTH_GRACE: Duration = Duration::hours(6);

/// Whether a moment can be metered now.
pub(crate) fn check_time(
    timestamp: OffsetDateTime,
    now: OffsetDateTime,
    age_limit: Duration,
) -> Result<(), OutOfBounds> {
    if timestamp > now {
        return Err(OutOfBounds::Future);
    }
    if now - timestamp > age_limit {
        return Err(OutOfBounds::TooOld);
    }
    if next_month(timestamp).is_none_or(|next| now >= next + MONTH_GRACE) {
        return Err(OutOfBounds::MonthClosed);
    }
    Ok(())
}

/// The first moment of the month after a moment's; none in the last year that can be written.
fn next_month(moment: OffsetDateTime) -> Option<OffsetDateTime> {
    let date = moment.to_offset(UtcOffset::UTC).date();
    let year = if date.month() == Month::December { date.year().checked_add(1)? } else { date.year() };
    let first = time::Date::from_calendar_date(year, date.month().next(), 1).ok()?;
    Some(first.midnight().assume_utc())
}

/// Whether a customer can be billed now for a moment.
pub(crate) fn check_subscription(
    account: &Account,
    timestamp: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<(), NotSubscribed> {
    let stretches = stretches(&account.periods);
    let Some(stretch) = stretches.iter().find(|stretch| contains(stretch, timestamp)) else {
        let is_before_one = stretches.iter().any(|stretch| timestamp < stretch.from);
        let never = stretches.is_empty();
        return Err(if never || is_before_one { NotSubscribed::NotYet } else { NotSubscribed::Over });
    };
    if stretch.to.is_some_and(|to| to <= now) {
        return Err(NotSubscribed::Over);
    }
    if account.is_suspended { Err(NotSubscribed::Suspended) } else { Ok(()) }
}

/// Periods that adjoin are one stretch: whoever comes back within the hour never left, as far as bills go.
fn stretches(periods: &[Period]) -> Vec<Period> {
    let mut stretches: Vec<Period> = Vec::with_capacity(periods.len());
    for period in periods {
        match stretches.last_mut() {
            Some(last) if last.to == Some(period.from) => last.to = period.to,
            _ => stretches.push(*period),
        }
    }
    stretches
}

fn contains(period: &Period, moment: OffsetDateTime) -> bool {
    period.from <= moment && period.to.is_none_or(|to| moment < to)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const DAY: Duration = Duration::DAY;

    #[test]
    fn a_moment_is_taken_until_it_is_a_day_old() {
        let now = datetime!(2026-11-22 12:00 UTC);
        assert_eq!(check_time(now, now, DAY), Ok(()));
        assert_eq!(check_time(now - DAY, now, DAY), Ok(()));
        assert_eq!(check_time(now - DAY - Duration::SECOND, now, DAY), Err(OutOfBounds::TooOld));
        assert_eq!(check_time(now + Duration::SECOND, now, DAY), Err(OutOfBounds::Future));
    }

    #[test]
    fn a_month_is_closed_at_six_on_the_first() {
        let last_hour = datetime!(2026-11-30 23:00 UTC);
        assert_eq!(check_time(last_hour, datetime!(2026-12-01 05:59:59 UTC), DAY), Ok(()));
        let closed = Err(OutOfBounds::MonthClosed);
        assert_eq!(check_time(last_hour, datetime!(2026-12-01 06:00 UTC), DAY), closed);
        assert_eq!(check_time(datetime!(2026-12-01 00:00 UTC), datetime!(2026-12-01 06:00 UTC), DAY), Ok(()));
    }

    #[test]
    fn december_is_closed_in_january() {
        let last_hour = datetime!(2026-12-31 23:00 UTC);
        assert_eq!(check_time(last_hour, datetime!(2027-01-01 05:59 UTC), DAY), Ok(()));
        let closed = Err(OutOfBounds::MonthClosed);
        assert_eq!(check_time(last_hour, datetime!(2027-01-01 06:00 UTC), DAY), closed);
    }

    #[test]
    fn the_month_s_grace_does_not_stretch_the_age_limit() {
        let evening = datetime!(2026-11-30 23:00 UTC);
        let an_hour = Duration::HOUR;
        assert_eq!(check_time(evening, datetime!(2026-12-01 01:00 UTC), an_hour), Err(OutOfBounds::TooOld));
    }
}
