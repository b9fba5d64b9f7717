#![doc = include_str!("../README.md")]

mod commit;
mod connect;
mod error;
mod history;
mod housekeeping;
mod inbox;
mod job;
mod migrate;
mod moment;
mod quarantine;
mod subscription;
mod usage;

pub use connect::{ConnectError, Options, PostgresStore};
pub use migrate::MigrateError;
