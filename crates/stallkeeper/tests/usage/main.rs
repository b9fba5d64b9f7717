//! What the commands about usage tell and do, on a SQLite database.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail where it stands"
)]

mod evidence;
mod held;
mod import;
mod listing;
mod metering;
mod stall;
