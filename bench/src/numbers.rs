/// The middle value, or the mean of the middle two; none of no values.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get(values.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// The most that can pass a second through two stages that each take their own time for each item.
pub(crate) fn harmonic_bound(first_per_sec: f64, second_per_sec: f64) -> f64 {
    1.0 / (1.0 / first_per_sec + 1.0 / second_per_sec)
}

/// A count as a number to calculate with; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "nothing that is counted here comes near 2^53")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

/// Digits in groups of three where there are many, fewer decimals the larger the number.
pub(crate) fn readable(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => grouped(&format!("{value:.0}")),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([9.0]), Some(9.0));
    }

    #[test]
    fn of_an_even_number_it_lies_between_the_middle_two() {
        assert_eq!(median([4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn nothing_has_no_median() {
        assert_eq!(median([]), None);
    }

    #[test]
    fn one_outlier_does_not_move_it() {
        assert_eq!(median([1.0, 1.0, 1_000_000.0]), Some(1.0));
    }

    #[test]
    fn two_equal_stages_halve_the_rate() {
        assert!((harmonic_bound(1_000.0, 1_000.0) - 500.0).abs() < 1e-9);
    }

    #[test]
    fn the_slower_stage_bounds_the_whole() {
        let bound = harmonic_bound(1_000_000.0, 10.0);
        assert!(bound < 10.0 && bound > 9.99, "{bound}");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(readable(1_234_567.8), "1,234,568");
        assert_eq!(readable(999.6), "1000");
        assert_eq!(readable(123.4), "123");
        assert_eq!(readable(12.34), "12.3");
        assert_eq!(readable(0.856), "0.86");
    }
}
