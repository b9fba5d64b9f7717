#![doc = include_str!("../README.md")]

mod changes;
mod commit;
mod connect;
mod delivery;
mod error;
mod grant;
mod history;
mod housekeeping;
mod inbox;
mod job;
mod migrate;
mod moment;
mod quarantine;
mod registration;
mod subscription;
mod survey;
mod usage;

pub use connect::{ConnectError, Options, PostgresStore};
pub use migrate::MigrateError;
