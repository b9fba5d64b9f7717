#![doc = include_str!("../README.md")]

mod access;
pub mod console;
mod gate;
mod internal;
mod late;
mod openapi;
mod problem_document;
mod public;
mod readiness;
mod route;
mod safe;
mod serve;
mod serve_outsiders;
mod tokens;
mod usage;
mod v1;

pub use access::{AccessApi, QUERIES_MAX};
pub use internal::{MetricsText, internal_routes};
pub use late::LateRoutes;
pub use public::{Public, Seller, public_routes};
pub use readiness::{Problem, Readiness};
pub use safe::{head, safe, safe_lines};
pub use serve::serve;
pub use serve_outsiders::{ConnectionBounds, serve_outsiders};
pub use tokens::{ApiToken, ApiTokens, NoDigest, Scope, TokenError, TokenSecret, UnknownScope};
pub use usage::{
    BodyError, Malformed, REQUEST_BYTES_MAX, REQUEST_EVENTS_MAX, StoredUsage, UsageApi, UsageEntry,
    UsageFormat, read_usage,
};
pub use v1::{access_routes, api_operations, api_routes};
