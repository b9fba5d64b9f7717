//! `/openapi.json`, made of the routes' documentation and of the types that they take and give.

mod doc;
mod document;
mod problems;
mod schemas;
mod words;

pub(crate) use doc::Doc;
pub(crate) use document::document;
pub(crate) use words::{
    Cursor, Decimal, GrantText, Id, KeySegment, Limit, ListingText, Moment, Name, ReasonText,
    RegistrationText, SubscriptionText,
};
