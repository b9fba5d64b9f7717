//! What the app's API answers, over the routes and the ledger's rules, without a database.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails where something is missing"
)]

mod access;
mod bodies;
mod documented;
mod openapi;
mod post;
mod reads;
mod registrations;
mod stage;
mod tokens;
mod watermarks;
mod windows;
