use std::fmt;

use serde::{Deserialize, Serialize};

/// The most that the marketplace takes in one record (AWS `UsageRecord`).
pub const QUANTITY_MAX: i64 = 2_147_483_647;

/// The most places that a quantity may have.
const PLACES_MAX: u8 = 9;

/// The most of one event in smallest parts, so that thousands of them can be added.
const PARTS_MAX: i64 = 1_000_000_000_000_000;

/// How many decimal places a dimension's quantities may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scale(u8);

/// A quantity in a dimension's smallest part: with scale 2, 150 of them are 1.5 units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubUnits(i64);

/// Why a quantity is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a decimal number such as `12` or `0.5`.
    #[error("not a decimal number such as 12 or 0.5")]
    NotANumber,
    /// Less than nothing.
    #[error("negative")]
    Negative,
    /// More places than the dimension's scale.
    #[error("more than the dimension's {} decimal places", .scale.places())]
    TooPrecise {
        /// The dimension's scale.
        scale: Scale,
    },
    /// More than the ledger counts.
    #[error("too large")]
    TooLarge,
}

impl Scale {
    /// Whole units only.
    pub const WHOLE: Self = Self(0);

    /// That many decimal places; `None` for more than nine.
    pub const fn new(places: u8) -> Option<Self> {
        if places <= PLACES_MAX { Some(Self(places)) } else { None }
    }

    /// The number of places.
    pub const fn places(self) -> u8 {
        self.0
    }

    /// How many of the smallest parts make a unit.
    pub const fn parts(self) -> i64 {
        10_i64.pow(self.0 as u32)
    }
}

impl SubUnits {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The most that can be counted.
    pub const MAX: Self = Self(i64::MAX);

    /// That many of the smallest parts; `None` below nothing.
    pub const fn new(parts: i64) -> Option<Self> {
        if parts >= 0 { Some(Self(parts)) } else { None }
    }

    /// That many whole units; as much as can be counted where that is too much, nothing below nothing.
    #[must_use]
    pub fn of_units(units: i64, scale: Scale) -> Self {
        Self(units.max(0).saturating_mul(scale.parts()))
    }

    /// Reads a decimal number of units, without an exponent.
    ///
    /// # Errors
    /// [`QuantityError`] says what is wrong with it.
    pub fn parse(text: &str, scale: Scale) -> Result<Self, QuantityError> {
        let (sign, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(QuantityError::NotANumber);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > usize::from(scale.places()) {
            return Err(QuantityError::TooPrecise { scale });
        }
        let padded = format!("{whole}{fraction:0<width$}", width = usize::from(scale.places()));
        let parts: i64 = padded.parse().map_err(|_| QuantityError::TooLarge)?;
        if parts > PARTS_MAX {
            return Err(QuantityError::TooLarge);
        }
        if sign && parts > 0 {
            return Err(QuantityError::Negative);
        }
        Ok(Self(parts))
    }

    /// The number of parts.
    pub const fn parts(self) -> i64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum; `None` where it cannot be counted.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(parts) => Some(Self(parts)),
            None => None,
        }
    }

    /// The sum, or the most that can be counted.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left, or nothing.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        let left = self.0.saturating_sub(other.0);
        Self(if left > 0 { left } else { 0 })
    }

    /// The whole units in it, at most what one record takes, and what is left over.
    pub fn split(self, scale: Scale) -> (i64, Self) {
        let units = (self.0 / scale.parts()).min(QUANTITY_MAX);
        (units, self.minus(Self::of_units(units, scale)))
    }

    /// The same quantity in a finer scale's parts; `None` where that scale is coarser, or it cannot be counted.
    #[must_use]
    pub fn rescaled(self, from: Scale, to: Scale) -> Option<Self> {
        let finer = Scale(to.0.checked_sub(from.0)?);
        self.0.checked_mul(finer.parts()).map(Self)
    }

    /// As a decimal number of units.
    pub fn display(self, scale: Scale) -> String {
        let (whole, rest) = (self.0 / scale.parts(), self.0 % scale.parts());
        if rest == 0 {
            return whole.to_string();
        }
        let fraction = format!("{rest:0>width$}", width = usize::from(scale.places()));
        format!("{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
