//! Hours and months of UTC, by days since 1970.

pub(crate) const MINUTE: i64 = 60_000_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;

pub(crate) fn hour_of(micros: i64) -> i64 {
    micros.div_euclid(HOUR)
}

pub(crate) fn up_to_second(micros: i64) -> i64 {
    -((-micros).div_euclid(1_000_000)) * 1_000_000
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Months since 1970-01, counted day by day.
pub(crate) fn month_of_hour(hour: i64) -> i64 {
    let mut days = hour.div_euclid(24);
    let mut year = 1970;
    loop {
        let in_year = if is_leap(year) { 366 } else { 365 };
        if days < in_year {
            break;
        }
        days -= in_year;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 0;
    for in_month in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < in_month {
            break;
        }
        days -= in_month;
        month += 1;
    }
    (year - 1970) * 12 + month
}
