use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text cannot serve as this kind of name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: expected {expected}")]
pub struct NameError {
    what: &'static str,
    expected: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $allows:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let allows: fn(&str) -> bool = $allows;
                if allows(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError { what: $what, expected: $expected })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }
    };
}

fn is_plain(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_printable(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && !text.chars().any(char::is_control)
}

name!(
    /// The seller's own key of a product.
    ProductKey, "product", "1 to 64 letters, digits, dots, hyphens or underscores", is_plain
);
name!(
    /// The seller's own name of a dimension.
    DimensionName, "dimension", "1 to 64 letters, digits, dots, hyphens or underscores", is_plain
);
name!(
    /// One of the seller's systems that report usage, and say when theirs is complete.
    SourceName, "source", "1 to 64 letters, digits, dots, hyphens or underscores", is_plain
);
name!(
    /// What the marketplace calls a dimension: 1 to 255 characters, case-sensitive (AWS `UsageRecord`).
    ApiDimension, "dimension", "1 to 255 characters", |text| text.chars().count() <= 255 && is_printable(text, 1_020)
);
name!(
    /// The app's id of a usage event, unique within a product and tenant.
    UsageId, "id", "1 to 128 characters, none of them a control character", |text| is_printable(text, 128)
);
name!(
    /// Where usage is reported to; a product's usage always goes to one, as the marketplace knows of no
    /// record sent to another.
    Region, "region", "1 to 64 letters, digits, dots, hyphens or underscores", is_plain
);
