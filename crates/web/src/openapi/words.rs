//! What texts and numbers of the API mean: named by `#[schemars(with = "…")]` where a type says too little.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::usage::{LIMIT_DEFAULT, LIMIT_MAX};

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $schema:expr) => {
        $(#[$doc])*
        pub(crate) enum $name {}

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn schema_id() -> Cow<'static, str> {
                concat!(module_path!(), "::", stringify!($name)).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

word!(
    /// A time in RFC 3339.
    Moment,
    json_schema!({ "type": "string", "format": "date-time" })
);
word!(
    /// A number of a dimension's units.
    Decimal,
    json_schema!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$" })
);
word!(
    /// A subscription's key.
    SubscriptionText,
    json_schema!({
        "type": "string",
        "pattern": r"^[^\x00-\x1f\x7f-\x9f/\s]+/[^\x00-\x1f\x7f-\x9f/\s]+/(customer|license|agreement|instance|code)/[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f\s][^\x00-\x1f\x7f-\x9f]*$",
        "examples": ["aws/prod-1/customer/X01"],
    })
);
word!(
    /// One of the parts of a key that stand before the holder's id.
    KeySegment,
    json_schema!({
        "type": "string", "pattern": r"^[^\x00-\x1f\x7f-\x9f/\s]+$", "minLength": 1, "maxLength": 256,
    })
);
word!(
    /// An id of somebody else's, at most 256 bytes: no control characters, and not blank.
    Id,
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 256,
        "pattern": r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f\s][^\x00-\x1f\x7f-\x9f]*$",
    })
);
word!(
    /// A name of the seller's own: of a product, a dimension, a source.
    Name,
    json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$" })
);
word!(
    /// A listing.
    ListingText,
    json_schema!({
        "type": "string", "pattern": r"^[^\x00-\x1f\x7f-\x9f/\s]+/[^\x00-\x1f\x7f-\x9f/\s]+$",
        "examples": ["aws/prod-1"],
    })
);
word!(
    /// A grant's id, of the seller's choice; a lone `.` or `..` is none.
    GrantText,
    json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$" })
);
word!(
    /// Why a grant is given, at most 1,000 bytes: no control characters, and not blank.
    ReasonText,
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 1000,
        "pattern": r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f\s][^\x00-\x1f\x7f-\x9f]*$",
    })
);
word!(
    /// A registration's id.
    RegistrationText,
    json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
);
word!(
    /// Where the next part of a listing begins.
    Cursor,
    json_schema!({ "type": "string", "description": "`next` of the part before." })
);
word!(
    /// How many lines a part of a listing has.
    Limit,
    json_schema!({
        "type": "integer", "minimum": 0, "maximum": u32::MAX, "default": LIMIT_DEFAULT,
        "description": format!("How many lines: at least one and {LIMIT_MAX} at the most, whatever is asked."),
    })
);
