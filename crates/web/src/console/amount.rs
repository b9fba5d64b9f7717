use stallkeeper_ledger::{Scale, SubUnits};

/// A quantity that can be added to others of any scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    parts: i128,
    places: u8,
}

impl Amount {
    pub(super) fn of(parts: SubUnits, scale: Scale) -> Self {
        Self { parts: i128::from(parts.parts()), places: scale.places() }
    }

    #[must_use]
    pub(super) fn plus(self, other: Self) -> Self {
        let places = self.places.max(other.places);
        Self { parts: self.in_parts(places).saturating_add(other.in_parts(places)), places }
    }

    pub(super) fn is_zero(self) -> bool {
        self.parts == 0
    }

    /// For drawing only.
    #[expect(clippy::cast_precision_loss, reason = "a bar is as tall as can be seen")]
    pub(super) fn height(self) -> f64 {
        self.parts as f64 / 10_f64.powi(i32::from(self.places))
    }

    fn in_parts(self, places: u8) -> i128 {
        let finer = u32::from(places.saturating_sub(self.places));
        self.parts.saturating_mul(10_i128.saturating_pow(finer))
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let one = 10_i128.saturating_pow(u32::from(self.places));
        let (whole, rest) = (self.parts / one, self.parts % one);
        if rest == 0 {
            return write!(formatter, "{whole}");
        }
        let fraction = format!("{rest:0>width$}", width = usize::from(self.places));
        write!(formatter, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(parts: i64, places: u8) -> Amount {
        Amount::of(SubUnits::new(parts).unwrap(), Scale::new(places).unwrap())
    }

    #[test]
    fn quantities_of_different_scales_add_up() {
        assert_eq!(amount(5, 0).plus(amount(125, 2)).to_string(), "6.25");
        assert_eq!(amount(150, 2).plus(amount(5, 1)).to_string(), "2");
        assert!(Amount::default().is_zero());
        let most = amount(i64::MAX, 0);
        assert_eq!(most.plus(most).to_string(), "18446744073709551614");
    }
}
