//! The ledger's rules, one room a module.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod answers;
mod books;
mod closing;
mod desk;
mod expiry;
mod final_window;
mod hours;
mod market;
mod oracle;
mod packing;
mod periods;
mod placing;
mod profiles;
mod properties;
mod quantities;
mod splits;
mod story;
