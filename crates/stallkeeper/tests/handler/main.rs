//! What becomes of a queue's message: acknowledged only once it is stored, and told apart by its id.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod identity;
mod messages;
mod stand;
mod storing;
