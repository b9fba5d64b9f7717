//! What the marketplace says for each act, what its books say, and its control API.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod agenda;
mod control;
mod crowd;
mod customers;
mod licenses;
mod world;
