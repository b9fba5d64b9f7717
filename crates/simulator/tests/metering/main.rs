//! What the marketplace takes as usage, and the bills that follow.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod acts;
mod control;
mod dedup;
mod faults;
mod log;
mod refusals;
mod sdk;
mod stall;
mod subscribed;
mod world;
