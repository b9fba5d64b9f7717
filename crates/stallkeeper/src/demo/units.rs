use std::fmt;

use serde::{Serialize, Serializer};
use stallkeeper_ledger::{QuantityError, Scale, SubUnits};

/// The finest scale that a dimension may have.
const PLACES: u8 = 9;

/// A quantity of any dimension, in its units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units(SubUnits);

impl Units {
    /// Reads a decimal number.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        SubUnits::parse(text, scale()).map(Self)
    }

    /// A quantity that is kept in smallest parts; as much as can be counted where that is too much.
    pub fn of_parts(parts: SubUnits, from: Scale) -> Self {
        Self(parts.rescaled(from, scale()).unwrap_or(SubUnits::MAX))
    }

    /// That many whole units.
    pub fn of_whole(units: i64) -> Self {
        Self(SubUnits::of_units(units, scale()))
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.plus(other.0))
    }
}

fn scale() -> Scale {
    Scale::new(PLACES).unwrap_or_default()
}

impl std::iter::Sum for Units {
    fn sum<I: Iterator<Item = Self>>(quantities: I) -> Self {
        quantities.fold(Self::default(), Self::plus)
    }
}

impl fmt::Display for Units {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0.display(scale()))
    }
}

impl Serialize for Units {
    /// A whole number where it is one.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.to_string();
        match (text.parse::<u64>(), text.parse::<f64>()) {
            (Ok(whole), _) => serializer.serialize_u64(whole),
            (Err(_), Ok(decimal)) => serializer.serialize_f64(decimal),
            (Err(_), Err(_)) => serializer.serialize_str(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_units_are_whole_numbers_for_machines() {
        let sum: Units = ["1.25", "0.75"].into_iter().map(|text| Units::parse(text).unwrap()).sum();
        assert_eq!(serde_json::to_string(&sum).unwrap(), "2");
        assert_eq!(serde_json::to_string(&Units::parse("1.25").unwrap()).unwrap(), "1.25");
    }

    #[test]
    fn parts_of_any_scale_are_the_same_units() {
        let hundredths = Scale::new(2).unwrap();
        assert_eq!(Units::of_parts(SubUnits::new(300).unwrap(), hundredths), Units::of_whole(3));
        assert_eq!(Units::of_whole(3).to_string(), "3");
    }
}
