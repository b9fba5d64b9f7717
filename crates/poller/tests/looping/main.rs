//! The loop as its users see it, over a queue in memory and in paused time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod handling;
mod readiness;
mod receiving;
mod stand;
mod stopping;
