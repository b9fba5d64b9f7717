//! The reporter over a real store, against a marketplace that says what a test has it say.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails where something is missing"
)]

mod closing;
mod market;
mod running;
mod sending;
mod trouble;
mod watching;
mod world;
