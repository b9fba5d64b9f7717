//! What the marketplace takes as usage, and the bills that follow.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod dedup;
mod log;
mod refusals;
mod stall;
mod subscribed;
