//! The operators' console, over a worker that is made up.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails where something is missing"
)]

mod access;
mod acts;
mod fake;
mod jwt;
mod pages;
mod stage;
