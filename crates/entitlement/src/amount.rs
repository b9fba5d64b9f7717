use std::collections::BTreeSet;

/// Decimal places that are added exactly; a value with more is a text.
const PLACES: usize = 9;

/// Digits before the point that are added; a value with more is a text.
const DIGITS_MAX: usize = 20;

/// How many of a dimension a tenant is entitled to, over all its licenses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Amount {
    /// The sum, as a decimal text: every license's value is a number.
    Sum(String),
    /// The different values in their order: some license's value is no number, as with `true` or `gold`.
    Texts(BTreeSet<String>),
}

/// Values of one dimension, as they come together.
#[derive(Debug, Default)]
pub(crate) struct Adding {
    /// In units of the last place; none once a value was no number.
    sum: Option<i128>,
    texts: BTreeSet<String>,
}

impl Adding {
    pub(crate) fn first(value: &str) -> Self {
        Self { sum: parse(value), texts: [value.to_owned()].into() }
    }

    pub(crate) fn add(&mut self, value: &str) {
        self.sum = self.sum.zip(parse(value)).and_then(|(sum, value)| sum.checked_add(value));
        self.texts.insert(value.to_owned());
    }

    pub(crate) fn amount(self) -> Amount {
        self.sum.map_or(Amount::Texts(self.texts), |sum| Amount::Sum(display(sum)))
    }
}

/// A plain decimal number: digits, and perhaps a point and more digits.
fn parse(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, places) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(places) || whole.len() > DIGITS_MAX || places.len() > PLACES {
        return None;
    }
    let parts: i128 = format!("{whole}{places:0<PLACES$}").parse().ok()?;
    Some(if negative { -parts } else { parts })
}

fn display(parts: i128) -> String {
    let sign = if parts < 0 { "-" } else { "" };
    let unit = 10_u128.pow(u32::try_from(PLACES).unwrap_or_default());
    let (whole, places) = (parts.unsigned_abs() / unit, parts.unsigned_abs() % unit);
    let text = format!("{sign}{whole}.{places:0>PLACES$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Amount {
        let mut adding = Adding::first(values[0]);
        values[1..].iter().for_each(|value| adding.add(value));
        adding.amount()
    }

    fn sum(text: &str) -> Amount {
        Amount::Sum(text.to_owned())
    }

    fn texts(texts: &[&str]) -> Amount {
        Amount::Texts(texts.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn numbers_add_up_exactly() {
        assert_eq!(of(&["10"]), sum("10"));
        assert_eq!(of(&["10", "5"]), sum("15"));
        assert_eq!(of(&["0.1", "0.2"]), sum("0.3"));
        assert_eq!(of(&["1.50", "-2"]), sum("-0.5"));
        assert_eq!(of(&["100", "0"]), sum("100"));
    }

    #[test]
    fn values_that_are_no_numbers_stand_side_by_side() {
        assert_eq!(of(&["true"]), texts(&["true"]));
        assert_eq!(of(&["true", "true"]), texts(&["true"]));
        assert_eq!(of(&["10", "gold"]), texts(&["10", "gold"]));
        assert_eq!(of(&["1e5"]), texts(&["1e5"]));
        assert_eq!(of(&["0.0000000001"]), texts(&["0.0000000001"]));
        assert_eq!(of(&["", "."]), texts(&["", "."]));
    }
}
