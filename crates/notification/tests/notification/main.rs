//! What the crate promises, from outside.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up fails"
)]

mod certificates;
mod chain;
mod events;
mod feed;
mod hosts;
mod refusals;
mod samples;
mod signatures;
mod sns;
