#![doc = include_str!("../README.md")]

mod internal;
mod readiness;
mod serve;

pub use internal::{MetricsText, internal_routes};
pub use readiness::{Problem, Readiness};
pub use serve::serve;
